# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Many polls that begin at one moment: they keep their slots however late they get a processor, and launches pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_mkt.client.endpoint import Limit, Priority
from airflow_provider_mkt.exceptions import RateLimitError
from airflow_provider_mkt.state.budgets.shared import ASK_AGAIN, SharedBudget
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError, StoreFailure

Make = Callable[..., SharedBudget]
NAMES = ("default",)
LIMITS = {"default": Limit(100, 60.0)}


def poll(budget: SharedBudget) -> float:
    return budget.reserve(NAMES, Priority.POLL)


def begun(budget: SharedBudget, number: int) -> list[float]:
    """Take slots for as many polls as get one; return the waits."""
    waits = []
    for _ in range(number):
        try:
            waits.append(poll(budget))
        except RateLimitError:
            break
    return waits


def test_the_late_ones_of_a_herd_go_at_once(make: Make, clock: Any) -> None:
    budget = make(LIMITS)
    waits = begun(budget, 100)
    assert len(waits) == 80
    late = 3.0
    clock.sleep(late)
    for wait in waits[30:]:
        budget.missed(NAMES, late - wait)
        assert poll(budget) < 2.0
    assert budget.reserve(NAMES, Priority.LAUNCH) < 2.0


def test_the_window_is_kept(make: Make, clock: Any) -> None:
    """What moved counts from when it goes out: never more than the limit in any window."""
    budget = make(LIMITS)
    sent = begun(budget, 80)
    clock.sleep(3.0)
    for wait in sent[30:]:
        budget.missed(NAMES, 3.0 - wait)
        poll(budget)
    clock.sleep(60.2 - 3.0 + sent[29])
    # Thirty have left the window by now; fifty do so from three seconds after that on.
    assert sum(wait < 2.0 for wait in begun(budget, 80)) == 30


def test_what_was_given_to_another_moment_is_left_alone(make: Make, clock: Any) -> None:
    budget = make(LIMITS)
    begun(budget, 80)
    clock.sleep(3.0)
    budget.missed(NAMES, 30.0)
    with pytest.raises(RateLimitError):
        poll(budget)


def test_polls_that_go_alone_never_book_ahead_of_launches(make: Make, store: Store, clock: Any) -> None:
    """A store that fails for a moment, with 250 polls at that moment, here and at another host."""
    away = [True]

    def there() -> Store:
        if away[0]:
            raise StoreError(StoreFailure.UNREACHABLE)
        return store

    alone = SharedBudget(("v",), LIMITS, 1.0, there, clock, get_host_store=None)
    elsewhere = SharedBudget(("v",), LIMITS, 1.0, lambda: store, clock, get_host_store=None)
    polls = 0
    for _ in range(250):
        try:
            poll(alone)
            polls += 1
        except RateLimitError:
            pass
    assert polls <= 2
    assert alone.reserve(NAMES, Priority.LAUNCH) < 10.0
    away[0] = False
    clock.sleep(ASK_AGAIN + 0.1)
    poll(alone)
    assert elsewhere.reserve(NAMES, Priority.LAUNCH) < 2.0
