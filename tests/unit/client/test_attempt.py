# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A request is ready before it takes its slot, and is still good when the slot comes: with both drivers."""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import Any

import pytest

from airflow_provider_mkt.client import attempt, retry
from airflow_provider_mkt.client.api_client import ApiClient, Settings
from airflow_provider_mkt.client.auth import Auth, BearerAuth, TokenAuth
from airflow_provider_mkt.client.endpoint import Call, Endpoint, Safety
from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.exceptions import (
    AuthenticationError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitError,
)
from tests.contract.wire import Raw, Unlimited, answer
from tests.unit.client.clock import Clock

READ = Endpoint("GET", "/things", Safety.READ)
KEYED = Endpoint("POST", "/posts", Safety.KEYED)
ONCE = Endpoint("POST", "/launches", Safety.ONCE)
DRIVERS = ["send", "asend"]


class Slots:
    """A budget that hands out waits, and notes when its slots begin and when they were asked for."""

    def __init__(self, clock: Clock, waits: list[float]) -> None:
        self.clock, self.waits, self.due = clock, iter(waits), 0.0
        self.asked: list[float] = []
        self.unused: list[float] = []

    def reserve(self, *_: Any) -> float:
        self.asked.append(self.clock.at)
        wait = next(self.waits)
        self.due = self.clock.at + wait
        return wait

    def cooldown(self, *_: Any) -> float:
        return 0.0

    def give_back(self, *_: Any) -> None:
        pass

    def missed(self, *_: Any) -> None:
        self.unused.append(self.due)

    def observe(self, *_: Any) -> None:
        pass


def slow_token(clock: Clock, seconds: float) -> Auth:
    """Tokens that take so long to get and live for no more than 30 s."""
    numbers = itertools.count(1)
    held: list[tuple[str, float]] = []

    def get() -> str:
        if not held or clock.at >= held[-1][1]:
            clock.at += seconds
            held.append((f"token-{next(numbers)}", clock.at + 30.0))
        return held[-1][0]

    return TokenAuth(get, lambda _: held.clear())


def client(vendor: Raw, auth: Auth, budget: Any) -> ApiClient:
    return ApiClient(Settings("Vendor", {"api": vendor.url}), auth, budget, Redactor())


def drive(driver: str, sender: ApiClient, call: Call) -> Any:
    return sender.send(call) if driver == "send" else asyncio.run(sender.asend(call))


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_token_is_got_before_the_slot_is_taken(driver: str, vendor: Raw, clock: Clock) -> None:
    """Taken before, the slot would be eight seconds old when the request leaves: a vendor counts arrivals."""
    budget = Slots(clock, [2.0])
    drive(driver, client(vendor, slow_token(clock, 8.0), budget), READ())
    assert budget.asked == [8.0]
    assert clock.at == budget.due == 10.0


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("wait", [11.0, 60.0, 3600.0])
def test_a_token_that_ends_during_a_long_wait_is_replaced_in_time(
    driver: str, wait: float, vendor: Raw, clock: Clock
) -> None:
    """And the request leaves when its slot begins, neither earlier nor later."""
    budget = Slots(clock, [wait])
    drive(driver, client(vendor, slow_token(clock, 2.0), budget), READ())
    expected = b"token-2" if wait > 30 else b"token-1"
    assert b"Authorization: Bearer " + expected in vendor.requests[0]
    assert len(vendor.requests) == len(budget.asked) == 1
    assert clock.at == budget.due == 2.0 + wait


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_token_that_outlives_the_slot_takes_another_one(driver: str, vendor: Raw, clock: Clock) -> None:
    budget = Slots(clock, [60.0, 3.0])
    drive(driver, client(vendor, slow_token(clock, 9.0), budget), READ())
    again = 9.0 + 60.0 - attempt.SIGNING + 9.0
    assert budget.asked == [9.0, again]
    assert budget.unused == [69.0]
    assert clock.at == budget.due == again + 3.0
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_token_that_is_a_little_late_delays_the_request_no_further(driver: str, vendor: Raw, clock: Clock) -> None:
    budget = Slots(clock, [60.0])
    late = attempt.LATE / 2
    drive(driver, client(vendor, slow_token(clock, attempt.SIGNING + late), budget), READ())
    assert budget.unused == []
    assert clock.at == budget.due + late


@pytest.mark.parametrize("call", [READ(), KEYED(body={}, idempotency_key="k"), ONCE(body={})], ids=str)
@pytest.mark.parametrize("driver", DRIVERS)
def test_who_oversleeps_takes_another_slot(driver: str, call: Call, vendor: Raw, clock: Clock) -> None:
    """The machine slept, or all threads were busy: what was due long ago does not join those that are due now."""
    clock.oversleeps = iter([40.0, 0.0])
    budget = Slots(clock, [2.0, 5.0])
    drive(driver, client(vendor, BearerAuth("key"), budget), call)
    assert budget.unused == [2.0]
    assert clock.at == budget.due == 47.0
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("driver", DRIVERS)
def test_who_slept_through_the_life_of_a_token_gets_another_one(driver: str, vendor: Raw, clock: Clock) -> None:
    clock.oversleeps = iter([40.0, 0.0])
    drive(driver, client(vendor, slow_token(clock, 0.0), Slots(clock, [2.0, 2.0])), READ())
    assert b"Authorization: Bearer token-2" in vendor.requests[0]


@pytest.mark.parametrize("driver", DRIVERS)
def test_who_always_oversleeps_sends_all_the_same(driver: str, vendor: Raw, clock: Clock) -> None:
    clock.oversleeps = itertools.repeat(2.0)
    budget = Slots(clock, [1.0] * attempt.SLOTS)
    drive(driver, client(vendor, BearerAuth("key"), budget), READ())
    assert len(budget.asked) == attempt.SLOTS
    assert len(budget.unused) == attempt.SLOTS - 1
    assert len(vendor.requests) == 1
    assert clock.at == budget.due + 2.0


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    ("budgets", "waits", "told"),
    [
        (("default",), [0.0], []),
        (("default",), [attempt.WORTH_A_LINE], []),
        (("default",), [2.1], ["Vendor: waiting 2.1 s for the rate budget default"]),
        (("default", "posts"), [2.1], ["Vendor: waiting 2.1 s for the rate budget default and posts"]),
        # Signed again on the way: still one wait.
        (("default",), [59.0], ["Vendor: waiting 59.0 s for the rate budget default"]),
    ],
)
def test_a_long_wait_for_the_budget_is_one_line_of_the_log(  # noqa: PLR0917 - a table
    driver: str,
    budgets: tuple[str, ...],
    waits: list[float],
    told: list[str],
    vendor: Raw,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    call = Endpoint("POST", "/posts", Safety.KEYED, budgets=budgets)(body={}, idempotency_key="k")
    with caplog.at_level(logging.INFO):
        drive(driver, client(vendor, BearerAuth("key"), Slots(clock, waits)), call)
    lines = [each for each in caplog.records if each.name.startswith("airflow_provider_mkt")]
    assert [(each.levelname, each.getMessage()) for each in lines] == [("INFO", line) for line in told]


@pytest.mark.parametrize("driver", DRIVERS)
def test_without_a_token_no_slot_is_taken(driver: str, vendor: Raw, clock: Clock) -> None:
    def refuse() -> str:
        raise AuthenticationError("the key was revoked")

    budget = Slots(clock, [])
    with pytest.raises(AuthenticationError, match="revoked"):
        drive(driver, client(vendor, TokenAuth(refuse, lambda _: None), budget), READ())
    assert budget.asked == []
    assert vendor.requests == []


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_token_that_cannot_be_replaced_after_a_long_wait(driver: str, vendor: Raw, clock: Clock) -> None:
    tokens = iter(["token-1"])

    def get() -> str:
        try:
            return next(tokens)
        except StopIteration:
            raise OutcomeUnknownError("the token call was cut") from None

    with pytest.raises(NotSentError, match="for lack of a token"):
        drive(driver, client(vendor, TokenAuth(get, lambda _: None), Slots(clock, [60.0])), READ())
    assert vendor.requests == []


@pytest.mark.parametrize("driver", DRIVERS)
def test_what_may_have_happened_stays_unknown_without_a_slot(
    driver: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempt was cut off; for the second there is no slot within the hour."""
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)

    class OneSlot(Slots):
        def reserve(self, *arguments: Any) -> float:
            try:
                return super().reserve(*arguments)
            except StopIteration:
                raise RateLimitError("The rate budget is taken.", retry_after=4000.0) from None

    with Raw(b"") as silent:
        sender = client(silent, slow_token(clock, 0.0), OneSlot(clock, [0.0]))
        with pytest.raises(OutcomeUnknownError, match="may have been executed: The rate budget is taken"):
            drive(driver, sender, KEYED(body={}, idempotency_key="k"))
        assert len(silent.requests) == 1


@pytest.mark.parametrize("bypassed", [False, True])
def test_the_environment_names_the_proxy(bypassed: bool, vendor: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    """Per host, for every client anew; ``no_proxy`` is an exception for a host."""
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Raw(answer('{"by": "the proxy"}')) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1" if bypassed else "elsewhere.test")
        sender = client(vendor, BearerAuth("key"), Unlimited())
        answers = [sender.send(READ()) for _ in range(2)]
        link = READ(link="http://named.by.vendor.test/file")
        assert sender.send(link) == {"by": "the proxy"}
        assert answers == ([{}, {}] if bypassed else [{"by": "the proxy"}] * 2)
        assert len(proxy.requests) == (1 if bypassed else 3)


def test_the_environment_names_the_ca_bundle(vendor: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/bundle.pem")
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)
    sender = client(vendor, BearerAuth("key"), Unlimited())
    sender.settings = Settings("Vendor", {"api": vendor.url.replace("http:", "https:")})
    for call in (READ(), ONCE(body={})):
        with pytest.raises(NotSentError, match=r"/nowhere/bundle\.pem"):
            sender.send(call)
    assert vendor.requests == []
