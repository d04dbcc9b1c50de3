# Licensed under the Apache License, Version 2.0; see LICENSE.
"""An answer is never lost for what was noted of others: an exception here would follow a request that was executed."""

from __future__ import annotations

from typing import Any

from airflow_provider_mkt.state.budgets.in_flight import FORGOTTEN, InFlight, PendingRequest

NOW = 1000.0
ONE = ("default",)


def sent(due: float) -> PendingRequest:
    return PendingRequest(ONE, due, due, {}, {})


class Contended:
    """A request of long ago, which another thread drops just when this one looks at it."""

    names = ONE

    def __init__(self, underway: InFlight) -> None:
        self._underway = underway

    @property
    def due(self) -> float:
        self._underway.clear()
        return NOW - FORGOTTEN - 1.0


def test_two_threads_drop_the_same_request() -> None:
    underway = InFlight(lambda: NOW)
    contended: Any = Contended(underway)
    underway.add(contended)
    assert underway.answered(ONE) is None


def test_the_answer_to_a_late_slot_is_found_behind_an_old_one() -> None:
    """Requests stand in the order of their reservations; launches overtake reads."""
    underway = InFlight(lambda: NOW)
    read, launch = sent(NOW), sent(NOW - FORGOTTEN - 1.0)
    for each in (read, launch):
        underway.add(each)
    assert underway.answered(ONE) is read


def test_the_slot_that_is_given_back_is_the_one_that_was_waited_for() -> None:
    """Another one may be waited for by somebody else, who still sends in it."""
    underway = InFlight(lambda: NOW)
    soon, later = sent(NOW + 10.0), sent(NOW + 50.0)
    for each in (later, soon):
        underway.add(each)
    assert underway.unsent(ONE, 10.01) is soon
    assert underway.unsent(ONE, 10.01) is None
    assert underway.unsent(ONE, 30.0) is None
    assert underway.unsent(("other",), 50.0) is None
    assert underway.unsent(ONE, 49.99) is later
