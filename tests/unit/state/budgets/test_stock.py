# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Slots in advance follow the pace of the process, and never slow it down."""

from __future__ import annotations

import pytest

from airflow_provider_mkt.client.endpoint import Limit, Priority
from airflow_provider_mkt.state.budgets.in_flight import PendingRequest
from airflow_provider_mkt.state.budgets.stock import GOOD_FOR, MAX_NUMBER, QUICK, SURE, Stock
from tests.unit.state.conftest import Clock

ONE = ("default",)
WORK = 0.01


@pytest.fixture
def clock() -> Clock:
    return Clock(0.0)


@pytest.fixture
def stock(clock: Clock) -> Stock:
    return Stock({"default": Limit(100_000)}, clock)


def pending(due: float) -> PendingRequest:
    return PendingRequest(ONE, due, due, {}, {})


def ask(stock: Stock, clock: Clock, ahead: float = 0.0) -> tuple[int, float] | None:
    """Ask for a slot, wait for it, and work; return how many were to be taken, and how far apart."""
    found = stock.take(ONE, Priority.LAUNCH)
    if isinstance(found, PendingRequest):
        clock.now = max(clock.now, found.due) + WORK
        return None
    number, apart = found
    first = stock.keep(ONE, Priority.LAUNCH, [pending(clock.now + ahead + apart * each) for each in range(number)])
    clock.now = first.due + WORK
    return number, apart


def test_one_after_the_other_until_it_is_sure(stock: Stock, clock: Clock) -> None:
    numbers = [found[0] for found in (ask(stock, clock) for _ in range(60)) if found]
    assert numbers[: SURE + 1] == [1] * (SURE + 1)
    assert max(numbers) == MAX_NUMBER
    assert len(numbers) < 25


def test_waiting_for_a_slot_does_not_make_the_next_ones_later(stock: Stock, clock: Clock) -> None:
    found = [ask(stock, clock, ahead=0.2) for _ in range(60)]
    apart = [each[1] for each in found if each]
    assert max(apart[1:]) == pytest.approx(WORK)


def test_who_stops_asking_begins_anew(stock: Stock, clock: Clock) -> None:
    for _ in range(30):
        ask(stock, clock)
    clock.now += QUICK + GOOD_FOR
    stock.left_over()
    assert ask(stock, clock) == (1, pytest.approx(QUICK))


def test_what_was_not_used_in_time_is_left_over(stock: Stock, clock: Clock) -> None:
    stock.take(ONE, Priority.LAUNCH)
    stock.keep(ONE, Priority.LAUNCH, [pending(0.0), pending(0.1), pending(0.2)])
    clock.now = 0.1 + 2 * GOOD_FOR
    assert [slot.due for slot in stock.left_over()] == [0.1]
    assert [slot.due for slot in stock.left_over(all_of_them=True)] == [0.2]
    assert stock.left_over(all_of_them=True) == []
