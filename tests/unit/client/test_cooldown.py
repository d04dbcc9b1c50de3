# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A request that waits for its slot does not go out into a cooldown that began meanwhile: with both drivers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from airflow_provider_mkt.client import attempt
from airflow_provider_mkt.client.api_client import ApiClient, Settings
from airflow_provider_mkt.client.auth import BearerAuth
from airflow_provider_mkt.client.endpoint import Call, Endpoint, Priority, Safety
from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.exceptions import RateLimitError
from tests.contract.wire import Raw
from tests.unit.client.clock import Clock

READ = Endpoint("GET", "/things", Safety.READ)
ONCE = Endpoint("POST", "/launches", Safety.ONCE)
CALLS = [READ(), READ(priority=Priority.POLL), ONCE(body={})]
DRIVERS = ["send", "asend"]


class Cooling:
    """A budget whose next free slot lies at ``free``, and which others' refusals quieten: (moment, seconds)."""

    def __init__(self, clock: Clock, free: float, refusals: list[tuple[float, float]]) -> None:
        self.clock, self.free, self.refusals = clock, free, refusals
        self.longest: list[float] = []
        self.asked = self.marked_failed = 0

    def cooldown_until(self) -> float:
        return max((moment + wait for moment, wait in self.refusals if moment <= self.clock.at), default=0.0)

    def reserve(self, names: tuple[str, ...], priority: Priority, longest: float) -> float:
        self.longest.append(longest)
        wait = max(self.free, self.cooldown_until()) - self.clock.at
        if wait > longest:
            raise RateLimitError("The rate budget is taken.", retry_after=wait)
        return max(0.0, wait)

    def cooldown(self, names: tuple[str, ...]) -> float:
        self.asked += 1
        return max(0.0, self.cooldown_until() - self.clock.at)

    def missed(self, *_: Any) -> None:
        self.marked_failed += 1

    def give_back(self, *_: Any) -> None:
        pass

    def observe(self, *_: Any) -> None:
        pass


def drive(driver: str, vendor: Raw, budget: Cooling, call: Call) -> Any:
    sender = ApiClient(Settings("Vendor", {"api": vendor.url}), BearerAuth("key"), budget, Redactor())
    return sender.send(call) if driver == "send" else asyncio.run(sender.asend(call))


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", CALLS, ids=str)
def test_who_holds_a_slot_waits_for_the_end_of_the_cooldown(
    driver: str, call: Call, vendor: Raw, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody was refused four seconds before this slot: "come back in six"."""
    budget = Cooling(clock, 20.0, [(16.0, 6.0)])
    with caplog.at_level("INFO"):
        drive(driver, vendor, budget, call)
    assert clock.at == 22.0
    assert budget.marked_failed == 1
    assert len(vendor.requests) == 1
    assert "its slot of the rate budget lies in a cooldown of another 2.0 s, so it takes another one" in caplog.text


@pytest.mark.parametrize("driver", DRIVERS)
def test_cooldowns_are_no_lateness(driver: str, vendor: Raw, clock: Clock) -> None:
    """However often the vendor refuses others: the slot in which it goes out regardless is for slow machines."""
    refusals = [(float(moment), 6.0) for moment in range(0, 50, 5)]
    budget = Cooling(clock, 2.0, refusals)
    drive(driver, vendor, budget, READ())
    assert len(budget.longest) > attempt.SLOTS
    assert clock.at == 51.0
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_launch_waits_for_a_minute_in_all(driver: str, vendor: Raw, clock: Clock) -> None:
    """Then it is said to be too far, however near the slot is by now."""
    budget = Cooling(clock, 50.0, [(45.0, 30.0)])
    with pytest.raises(RateLimitError) as caught:
        drive(driver, vendor, budget, ONCE(body={}))
    assert (caught.value.retry_after, caught.value.status) == (25.0, None)
    assert budget.longest == [60.0, 10.0]
    assert budget.marked_failed == 1
    assert vendor.requests == []


@pytest.mark.parametrize("driver", DRIVERS)
def test_news_may_wait_anew(driver: str, vendor: Raw, clock: Clock) -> None:
    budget = Cooling(clock, 3000.0, [(2990.0, 900.0)])
    drive(driver, vendor, budget, READ(priority=Priority.POLL))
    assert budget.longest == [3600.0, 3600.0]
    assert clock.at == 3890.0


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("wait", [0.0, attempt.UNCHECKED])
def test_a_request_that_goes_at_once_asks_nothing(driver: str, wait: float, vendor: Raw, clock: Clock) -> None:
    budget = Cooling(clock, wait, [])
    drive(driver, vendor, budget, READ())
    assert budget.asked == 0
