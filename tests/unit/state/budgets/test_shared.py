# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Invariant: however processes, budgets, answers and failures mix, no window holds more than the vendor permits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from airflow_provider_mkt.client.endpoint import Limit, Priority
from airflow_provider_mkt.exceptions import RateLimitError
from airflow_provider_mkt.state.budgets.shared import (
    ASK_AGAIN,
    POLLS_AHEAD,
    POLLS_WAIT,
    SharedBudget,
    budget_for,
    snapshot,
)
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from tests.unit.state.budgets.vendor import ACCOUNT, BOTH, LIMITS, ONE, SPAN, Failing, Make, refused

pytestmark = pytest.mark.usefixtures("bursts_go_at_once")


def test_processes_share_the_slots(make: Make, clock: Any) -> None:
    first, second = make(), make()
    waits = [budget.reserve(ONE) for _ in range(6) for budget in (first, second)]
    assert waits == pytest.approx([0.0] * 10 + [SPAN] * 2, abs=0.01)
    clock.now += 60.2
    assert second.reserve(ONE) == pytest.approx(0.0, abs=0.01)


def test_a_slot_is_taken_in_every_named_budget_or_in_none(make: Make) -> None:
    budget = make()
    assert [budget.reserve(BOTH) for _ in range(3)] == pytest.approx([0.0] * 3, abs=0.01)
    with pytest.raises(RateLimitError) as caught:
        budget.reserve(BOTH, longest=30.0)
    assert caught.value.retry_after == pytest.approx(SPAN, abs=0.01)
    assert [budget.reserve(ONE) for _ in range(8)] == pytest.approx([0.0] * 7 + [SPAN], abs=0.01)


def test_other_accounts_are_other_budgets(store: Store, clock: Any) -> None:
    budgets = [SharedBudget(("v", "http://x", key), {"default": Limit(1)}, 1.0, lambda: store, clock) for key in "ab"]
    assert [budget.reserve(ONE) for budget in budgets] == [0.0, 0.0]


def test_share(make: Make) -> None:
    budget = make(share=0.5)
    assert [budget.reserve(ONE) for _ in range(6)] == pytest.approx([0.0] * 5 + [SPAN], abs=0.01)


def test_two_connections_with_different_shares_share_the_slots(make: Make) -> None:
    for _ in range(5):
        make().reserve(ONE)
    assert make(share=0.5).reserve(ONE) == pytest.approx(SPAN, abs=0.01)


def polled(budget: SharedBudget) -> float | None:
    """Return how long a poll has to wait for the slot that it was given, or None."""
    try:
        return budget.reserve(ONE, Priority.POLL)
    except RateLimitError:
        return None


class TestPolls:
    def test_they_leave_room_for_launches(self, make: Make) -> None:
        budget = make()
        assert [polled(budget) for _ in range(200)] == [0.0] * 8 + [None] * 192
        assert budget.reserve(ONE) == pytest.approx(0.0, abs=0.01)

    def test_they_are_told_when_there_is_room(self, make: Make) -> None:
        budget = make()
        for _ in range(8):
            polled(budget)
        with pytest.raises(RateLimitError) as caught:
            budget.reserve(ONE, Priority.POLL)
        assert caught.value.retry_after == pytest.approx(SPAN, abs=0.01)

    def test_they_book_only_a_little_ahead(self, make: Make, clock: Any) -> None:
        budget = make()
        for _ in range(8):
            polled(budget)
        clock.now += SPAN - POLLS_AHEAD + 1.0
        assert polled(budget) == pytest.approx(POLLS_AHEAD - 1.0, abs=0.01)

    def test_five_hundred_that_end_without_a_word_are_waited_for_no_longer_than_the_few_that_had_slots(
        self, store: Store, clock: Any
    ) -> None:
        """A triggerer is killed, and the next one asks at once: 30 requests a minute, 24 of them for polls."""
        limits = {"default": Limit(30, 60.0)}
        killed, next_one = (
            SharedBudget(ACCOUNT, limits, 1.0, lambda: store, clock, get_host_store=None) for _ in range(2)
        )
        assert sum(polled(killed) is not None for _ in range(500)) == 24
        clock.now += SPAN
        assert polled(next_one) == pytest.approx(0.0, abs=0.01)
        assert next_one.reserve(ONE) == pytest.approx(0.0, abs=0.01)


class TestGivenBack:
    def test_a_slot_that_is_not_used_is_free_again(self, make: Make, store: Store) -> None:
        budget, other = make(), make()
        for _ in range(10):
            budget.reserve(ONE)
        waits = [budget.reserve(ONE) for _ in range(5)]
        for wait in waits:
            budget.give_back(ONE, wait)
        assert (snapshot(store)[0].used, snapshot(store)[0].queued) == (10, 0)
        assert other.reserve(ONE) == pytest.approx(SPAN, abs=0.01)

    def test_in_every_budget_it_was_taken_in(self, make: Make, store: Store) -> None:
        budget = make()
        for _ in range(4):
            wait = budget.reserve(BOTH)
        budget.give_back(BOTH, wait)
        assert [use.queued for use in snapshot(store)] == [0, 0]

    def test_one_that_has_begun_stays_taken(self, make: Make, store: Store) -> None:
        budget = make()
        budget.give_back(ONE, budget.reserve(ONE))
        assert snapshot(store)[0].used == 1

    def test_in_an_event_loop_the_store_is_not_waited_for(self, make: Make, store: Store, clock: Any) -> None:
        budget = make()
        for _ in range(10):
            budget.reserve(ONE)
        wait = budget.reserve(ONE)

        async def cancelled() -> None:
            transact = store.transact
            store.transact = None  # type: ignore[assignment, method-assign]
            budget.give_back(ONE, wait)
            store.transact = transact  # type: ignore[method-assign]

        asyncio.run(cancelled())
        assert budget.reserve(ONE) == pytest.approx(wait, abs=0.01)
        assert snapshot(store)[0].queued == 1

    def test_while_the_store_fails_it_is_kept_for_later(self, make: Make, store: Store, clock: Any) -> None:
        failing = Failing(StoreFailure.LOCKED)
        failing.failure = None
        budget = make(used=failing.failing(store))
        for _ in range(10):
            budget.reserve(ONE)
        wait = budget.reserve(ONE)
        failing.failure = StoreFailure.LOCKED
        budget.give_back(ONE, wait)
        failing.failure = None
        clock.now += ASK_AGAIN
        assert budget.reserve(ONE) == pytest.approx(wait - ASK_AGAIN, abs=0.01)
        assert snapshot(store)[0].queued == 1


class TestTakenInAdvance:
    """Where a limit is large, a process that asks in quick succession takes several slots in one transaction."""

    @pytest.fixture
    def asked(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        calls: list[int] = []
        transact = store.transact

        def counted(work: Any, **more: Any) -> Any:
            calls.append(1)
            return transact(work, **more)

        monkeypatch.setattr(store, "transact", counted)
        return calls

    def walk(self, budget: SharedBudget, clock: Any, number: int) -> None:
        for _ in range(number):
            assert budget.reserve(ONE) < 0.2
            clock.now += 0.02

    def test_few_transactions_for_many_requests(self, make: Make, clock: Any, asked: list[int]) -> None:
        self.walk(make({"default": Limit(100_000, 60.0)}), clock, 100)
        assert len(asked) < 40

    def test_one_for_each_where_the_limit_is_small(
        self, make: Make, clock: Any, asked: list[int], store: Store
    ) -> None:
        self.walk(make({"default": Limit(99, 60.0)}), clock, 20)
        assert len(asked) == snapshot(store)[0].used == 20

    def test_no_more_than_half_of_a_window(self, make: Make, clock: Any, store: Store) -> None:
        budget = make({"default": Limit(400, 60.0)})
        self.walk(budget, clock, 200)
        before = snapshot(store)[0].used
        self.walk(budget, clock, 50)
        assert snapshot(store)[0].used == pytest.approx(before + 50, abs=8)

    def test_what_is_not_used_is_given_back(self, make: Make, clock: Any, store: Store) -> None:
        budget = make({"default": Limit(1_000, 60.0)})
        self.walk(budget, clock, 20)
        clock.now += 1.0
        budget._tell()
        assert snapshot(store)[0].used == 20

    def test_a_429_ends_it(self, make: Make, clock: Any) -> None:
        budget = make({"default": Limit(1_000, 60.0)})
        self.walk(budget, clock, 8)
        budget.observe(ONE, refused(30.0))
        assert budget.reserve(ONE) == pytest.approx(30.0, abs=0.01)


def test_a_server_without_a_connection_left_is_never_a_reason_to_go_on_alone(make: Make, store: Store) -> None:
    """Others have all connections, so others are sending: the deadline is waited out, and then the task comes back."""
    waited: list[float] = []

    def busy(_: Any, connection_wait: float) -> Any:
        waited.append(connection_wait)
        raise StoreError(StoreFailure.BUSY, store.where)

    store.transact = busy  # type: ignore[method-assign]
    budget = make()
    for _ in range(3):
        with pytest.raises(RateLimitError, match="has no connection left") as caught:
            budget.reserve(ONE, longest=60.0)
    assert caught.value.retry_after == ASK_AGAIN
    with pytest.raises(RateLimitError):
        budget.reserve(ONE, Priority.POLL)
    assert waited == [60.0, 60.0, 60.0, POLLS_WAIT]
    budget.observe(ONE, refused(5.0))


def test_the_queue_is_bounded(make: Make, store: Store) -> None:
    budget = make({"default": Limit(1, 600.0)})
    taken = [budget.reserve(ONE) for _ in range(6)]
    assert taken[-1] < 3600.0
    with pytest.raises(RateLimitError, match=r"default is taken for the next \d+ s"):
        budget.reserve(ONE)
    assert snapshot(store)[0].queued < 10


def test_old_slots_are_dropped(make: Make, store: Store, clock: Any) -> None:
    budget = make()
    for _ in range(300):
        clock.now += budget.reserve(ONE)
    size = store.run(lambda connection: connection.execute(text("SELECT length(slots) FROM mkt_budget")).scalar_one())
    assert size <= 8 * 2 * 10


def test_no_budget_no_wait(make: Make) -> None:
    assert make().reserve(()) == 0.0


def test_a_clock_that_was_set_back_does_not_block_the_budget(make: Make, clock: Any) -> None:
    budget = make()
    for _ in range(10):
        budget.reserve(ONE)
    clock.now -= 3600.0
    assert budget.reserve(ONE) == pytest.approx(SPAN, abs=0.01)


def test_snapshot(make: Make, store: Store) -> None:
    budget = make(share=0.5)
    for _ in range(7):
        budget.reserve(ONE)
    (use,) = snapshot(store)
    assert use.label.startswith("flow_social https://api.flowsocial.app/v1 ")
    assert use.label.endswith(" default")
    assert "digest" not in use.label
    assert (use.requests, use.window, use.used, use.queued, use.learned, use.quiet) == (5, 60.0, 5, 2, None, 0.0)


def test_hooks_of_an_account_get_one_budget() -> None:
    assert budget_for(ACCOUNT, LIMITS, 1.0) is budget_for(ACCOUNT, LIMITS, 1.0)
    assert budget_for(ACCOUNT, LIMITS, 1.0) is not budget_for(ACCOUNT, LIMITS, 0.5)
