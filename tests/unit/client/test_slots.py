# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Polls ask again for a slot in the near future, and whoever ends while it waits gives its slot back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from airflow_provider_mkt.client import attempt
from airflow_provider_mkt.client.api_client import ApiClient, Settings
from airflow_provider_mkt.client.auth import Auth, BearerAuth
from airflow_provider_mkt.client.endpoint import Call, Endpoint, Priority, Safety
from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.exceptions import RateLimitError
from tests.contract.wire import Raw
from tests.unit.client.clock import Clock

READ = Endpoint("GET", "/things", Safety.READ)
DRIVERS = ["send", "asend"]


def client(vendor: Raw, auth: Auth, budget: Any) -> ApiClient:
    return ApiClient(Settings("Vendor", {"api": vendor.url}), auth, budget, Redactor())


def drive(driver: str, sender: ApiClient, call: Call) -> Any:
    return sender.send(call) if driver == "send" else asyncio.run(sender.asend(call))


class Queue:
    """A budget that refuses a number of times, saying when there is room, and notes what is given back."""

    def __init__(self, clock: Clock, refusals: list[float], waits: list[float]) -> None:
        self.clock, self.waits, self.due = clock, iter(waits), 0.0
        self.asked: list[float] = []
        self.refusals = refusals
        self.given_back: list[float] = []

    def reserve(self, *_: Any) -> float:
        self.asked.append(self.clock.at)
        if self.refusals:
            raise RateLimitError("taken", retry_after=self.refusals.pop(0))
        wait = next(self.waits)
        self.due = self.clock.at + wait
        return wait

    def cooldown(self, *_: Any) -> float:
        return 0.0

    def missed(self, *_: Any) -> None:
        pass

    def observe(self, *_: Any) -> None:
        pass

    def give_back(self, _: tuple[str, ...], wait: float) -> None:
        self.given_back.append(wait)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_poll_without_a_slot_asks_again_shortly_before_there_is_room(driver: str, vendor: Raw, clock: Clock) -> None:
    budget = Queue(clock, [60.0, 600.0], [5.0])
    drive(driver, client(vendor, BearerAuth("key"), budget), READ(priority=Priority.POLL))
    first, second, third = budget.asked
    assert 60.0 - attempt.ASK_AGAIN <= second - first <= 60.0
    assert 600.0 - attempt.ASK_AGAIN <= third - second <= 600.0
    assert clock.at == budget.due


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_poll_that_would_have_to_wait_for_more_than_an_hour_is_told_so(
    driver: str, vendor: Raw, clock: Clock
) -> None:
    budget = Queue(clock, [2_000.0, 2_000.0], [])
    with pytest.raises(RateLimitError):
        drive(driver, client(vendor, BearerAuth("key"), budget), READ(priority=Priority.POLL))
    assert vendor.requests == []


def test_who_is_interrupted_while_it_waits_gives_its_slot_back(
    vendor: Raw, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(clock, "sleep", interrupted)
    budget = Queue(clock, [], [5.0])
    with pytest.raises(KeyboardInterrupt):
        client(vendor, BearerAuth("key"), budget).send(READ())
    assert budget.given_back == [5.0]


def test_whose_task_is_cancelled_while_it_waits_gives_its_slot_back(
    vendor: Raw, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a triggerer that stops, for example, for hundreds at once."""

    async def cancelled() -> list[float]:
        waiting = asyncio.Queue[float]()

        async def wait_for_ever(seconds: float) -> None:
            await waiting.put(seconds)
            await asyncio.Event().wait()

        monkeypatch.setattr(clock, "asleep", wait_for_ever)
        budget = Queue(clock, [], [5.0] * 20)
        sender = client(vendor, BearerAuth("key"), budget)
        waits = [asyncio.ensure_future(sender.asend(READ())) for _ in range(20)]
        for _ in waits:
            await waiting.get()
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        return budget.given_back

    given_back = asyncio.run(cancelled())
    assert given_back == [5.0] * 20
