# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Invariant: however processes, budgets, answers and failures mix, no window holds more than the vendor permits."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from airflow_provider_mkt.client.endpoint import Limit, Priority
from airflow_provider_mkt.client.outcome import Certainty, Outcome
from airflow_provider_mkt.exceptions import RateLimitError
from airflow_provider_mkt.state.budgets import sliding_window
from airflow_provider_mkt.state.budgets.in_flight import FORGOTTEN, GUARD
from airflow_provider_mkt.state.budgets.local import ALONE
from airflow_provider_mkt.state.budgets.shared import ASK_AGAIN, SharedBudget, budget_for, snapshot
from airflow_provider_mkt.state.budgets.sliding_window import MARGIN
from airflow_provider_mkt.state.budgets.table import CONFIRMED_FOR, LATEST, LEARNED_FOR
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from airflow_provider_mkt.vendors.flodesk import VENDOR as FLODESK

LIMITS = {"default": Limit(10, 60.0), "posts": Limit(3, 60.0)}
ACCOUNT = ("flow_social", "https://api.flowsocial.app/v1", "login", "digest")
ONE = ("default",)
BOTH = ("default", "posts")
FINE = Outcome(Certainty.ANSWERED, 200)
SPAN = 60.0 + MARGIN
ANSWERED = 60.0 + GUARD
"""The same once the first request of the window was answered promptly."""

Make = Callable[..., SharedBudget]


@pytest.fixture(autouse=True)
def bursts_go_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a wait of nothing is nothing."""
    monkeypatch.setattr(sliding_window, "SPREAD", 0.0)


def answer(remaining: int, limit: int = 10, **more: str) -> Outcome:
    headers = {"x-ratelimit-limit": str(limit), "x-ratelimit-remaining": str(remaining)}
    return Outcome(
        Certainty.ANSWERED, 200, headers={**headers, **{f"x-ratelimit-{name}": text for name, text in more.items()}}
    )


def refused(retry_after: float | None = None, **headers: str) -> Outcome:
    return Outcome(Certainty.THROTTLED, 429, headers=headers, retry_after=retry_after)


@pytest.fixture
def make(store: Store, clock: Any) -> Make:
    def make(limits: dict[str, Limit] | None = None, share: float = 1.0, used: Store | None = None) -> SharedBudget:
        return SharedBudget(ACCOUNT, limits or LIMITS, share, lambda: used or store, clock)

    return make


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


def test_news_leaves_room_for_launches(make: Make) -> None:
    budget = make()
    news = [budget.reserve(ONE, Priority.POLL) for _ in range(200)]
    assert news[7] == 0.0
    assert news[-1] > 20 * SPAN
    assert budget.reserve(ONE) == pytest.approx(0.0, abs=0.01)


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


class TestLearning:
    def test_a_429_quiets_everyone_for_as_long_as_the_vendor_says(self, make: Make, clock: Any) -> None:
        budget = make()
        budget.reserve(ONE)
        budget.observe(ONE, refused(17.0))
        assert make().reserve(ONE) == pytest.approx(17.0, abs=0.01)

    def test_a_shorter_wait_does_not_end_a_longer_one(self, make: Make) -> None:
        for wait in (50.0, 5.0):
            make().observe(ONE, refused(wait))
        assert make().reserve(ONE) == pytest.approx(50.0, abs=0.01)

    def test_without_a_wait_it_doubles_each_time_it_was_not_enough(self, make: Make, clock: Any) -> None:
        waits = []
        for _ in range(6):
            for _ in range(3):
                make().observe(ONE, refused())  # several are refused at the same time
            waits.append(make().reserve(ONE))
            clock.now += waits[-1] + 1
        assert waits == pytest.approx([60.0, 120.0, 240.0, 480.0, 600.0, 600.0], abs=0.1)
        clock.now += 100
        make().observe(ONE, refused())
        assert make().reserve(ONE) == pytest.approx(60.0, abs=0.1)

    def test_a_429_quiets_the_budget_it_speaks_of(self, make: Make) -> None:
        make().observe(BOTH, refused(30.0, **{"x-ratelimit-limit": "3"}))
        assert make().reserve(ONE) == 0.0
        assert make().reserve(BOTH) == pytest.approx(30.0, abs=0.01)

    def test_a_429_that_speaks_of_none_quiets_both(self, make: Make) -> None:
        make().observe(BOTH, refused(30.0))
        assert make().reserve(ONE) == pytest.approx(30.0, abs=0.01)

    def test_a_lower_limit_is_kept_to_until_the_vendor_raises_it_again(self, make: Make, store: Store) -> None:
        budget = make()
        budget.reserve(ONE)
        budget.observe(ONE, answer(3, limit=4))
        assert snapshot(store)[0].learned == 4
        assert [budget.reserve(ONE) for _ in range(4)] == pytest.approx([0.0] * 3 + [ANSWERED], abs=0.01)
        budget.observe(ONE, answer(500, limit=1000))
        assert snapshot(store)[0].learned == 1000
        assert [budget.reserve(ONE) for _ in range(6)] == pytest.approx([0.0] * 6, abs=0.01)

    def test_a_higher_limit_teaches_nothing(self, make: Make) -> None:
        budget = make()
        budget.reserve(ONE)
        budget.observe(ONE, answer(199, limit=200))
        assert [budget.reserve(ONE) for _ in range(10)] == pytest.approx([0.0] * 9 + [ANSWERED], abs=0.01)

    def test_a_limit_is_learned_for_connections_that_know_a_higher_one(self, make: Make, store: Store) -> None:
        """What the vendor states is kept as it was stated, by whomever: no connection knows what the others know."""
        low, high = make({"default": Limit(4)}), make({"default": Limit(400)})
        for left, budget in ((9, high), (8, low), (7, high), (6, low)):
            budget.reserve(ONE)
            budget.observe(ONE, answer(left, limit=10))
        assert snapshot(store)[0].learned == 10
        assert [high.reserve(ONE) for _ in range(7)] == pytest.approx([0.0] * 6 + [ANSWERED], abs=0.01)
        for budget in (low, high):
            assert budget.reserve(ONE) > 1.0

    def test_a_stated_limit_is_entered_once_and_then_every_few_minutes(
        self, make: Make, store: Store, clock: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """For two hours: it stays known, at next to no cost."""
        budgets, entered = (make(), make({"default": Limit(400)})), []
        learn = SharedBudget._learn
        monkeypatch.setattr(SharedBudget, "_learn", lambda self, *args: entered.append(learn(self, *args)))
        for _ in range(240):
            for budget in budgets:
                budget.reserve(ONE)
                budget.observe(ONE, answer(48, limit=50))
            clock.now += 30.0
            assert snapshot(store)[0].learned == 50
        assert len(entered) <= 1 + 7200 / CONFIRMED_FOR

    def test_a_limit_that_is_stated_no_more_is_forgotten_after_an_hour(
        self, make: Make, store: Store, clock: Any
    ) -> None:
        """One stray answer of a gateway must not slow an account down for ever."""
        budget = make()
        budget.reserve(ONE)
        budget.observe(ONE, answer(1, limit=1))
        assert make().reserve(ONE) == pytest.approx(SPAN, abs=0.01)
        clock.now += LEARNED_FOR
        assert snapshot(store)[0].learned is None
        assert [budget.reserve(ONE) for _ in range(10)] == pytest.approx([0.0] * 10, abs=0.01)

    @pytest.mark.parametrize("limit", ["0", "-1", "NaN", "inf", "1e9", "999999999", "9" * 30, "10, 10;w=60"])
    def test_a_limit_that_makes_no_sense_is_harmless(self, make: Make, store: Store, limit: str) -> None:
        budget = make()
        budget.reserve(ONE)
        budget.observe(ONE, Outcome(Certainty.ANSWERED, 200, headers={"x-ratelimit-limit": limit}))
        assert [budget.reserve(ONE) for _ in range(10)] == pytest.approx([0.0] * 9 + [ANSWERED], abs=0.01)
        assert snapshot(store)[0].learned in (None, 999_999_999)

    def test_what_others_used_is_left_to_them(self, make: Make, clock: Any) -> None:
        budget = make()
        budget.reserve(ONE)
        budget.observe(ONE, answer(4))
        budget.reserve(ONE)
        budget.observe(ONE, answer(3))  # the same five, not five more
        assert [budget.reserve(ONE) for _ in range(4)] == pytest.approx([0.0] * 3 + [ANSWERED], abs=0.01)

    def test_flodesk_says_the_same_in_other_headers(self, store: Store, clock: Any) -> None:
        budget = SharedBudget(ACCOUNT, LIMITS, 1.0, lambda: store, clock, headers=FLODESK.rate_headers)
        budget.reserve(ONE)
        headers = {"x-fd-ratelimit-limit": "10", "x-fd-ratelimit-remaining": "0"}
        budget.observe(ONE, Outcome(Certainty.ANSWERED, 200, headers=headers))
        assert budget.reserve(ONE) == pytest.approx(ANSWERED, abs=0.01)

    def test_nothing_left_means_quiet_until_the_reset(self, make: Make) -> None:
        budget = make()
        budget.reserve(ONE)
        budget.observe(ONE, answer(0, reset="12"))
        assert budget.reserve(ONE) == pytest.approx(12.0, abs=0.01)

    def test_a_reset_of_nothing_leaves_what_others_used_to_them(self, make: Make) -> None:
        budget = make()
        budget.reserve(ONE)
        budget.observe(ONE, answer(0, reset="0"))
        assert budget.reserve(ONE) == pytest.approx(ANSWERED, abs=0.01)

    @pytest.mark.parametrize(("reset", "quiet"), [(12.0, 12.0), (3600.0, 60.0)])
    def test_a_429_that_only_names_a_reset_quiets_for_a_window_at_most(
        self, make: Make, reset: float, quiet: float
    ) -> None:
        headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(reset)}
        make().observe(ONE, Outcome(Certainty.THROTTLED, 429, headers=headers, retry_after=reset, by_reset=True))
        assert make().reserve(ONE) == pytest.approx(quiet, abs=0.01)

    def test_what_we_used_ourselves_is_no_news(self, make: Make, store: Store) -> None:
        budget, other = make(), make()
        for left in range(9, -1, -1):
            for one in (budget, other)[left % 2 :][:1]:
                one.reserve(ONE)
                one.observe(ONE, answer(left, reset="60"))
        assert snapshot(store)[0].used == 10
        assert snapshot(store)[0].quiet == 0.0

    def test_old_slots_that_the_vendor_still_counted_are_no_news(self, make: Make, store: Store, clock: Any) -> None:
        budget = make()
        for _ in range(9):
            budget.reserve(ONE)
        clock.now += 60.05
        budget.reserve(ONE)  # while the vendor still counts the nine
        clock.now += 0.09  # and by now it does not
        budget.observe(ONE, answer(0))
        assert budget.reserve(ONE) == pytest.approx(0.0, abs=0.01)

    def test_a_slot_moves_to_when_its_request_may_have_arrived(self, make: Make, clock: Any) -> None:
        budget = make({"default": Limit(1, 60.0)})
        budget.reserve(ONE)
        clock.now += 3.0
        budget.observe(ONE, FINE)
        assert budget.reserve(ONE) == pytest.approx(60.0, abs=0.01)

    def test_but_no_further_than_connecting_may_take(self, make: Make, clock: Any) -> None:
        budget = make({"default": Limit(1, 60.0)})
        budget.reserve(ONE)
        clock.now += 30.0
        budget.observe(ONE, FINE)
        assert budget.reserve(ONE) == pytest.approx(60.0 + LATEST - 30.0, abs=0.01)

    def test_a_request_that_was_cancelled_is_not_taken_for_a_slow_one(
        self, make: Make, clock: Any, store: Store
    ) -> None:
        budget = make()
        budget.reserve(ONE)
        clock.now += 4.0
        budget.reserve(ONE)
        budget.observe(ONE, FINE)
        assert snapshot(store)[0].used == 2
        clock.now += 56.2
        assert snapshot(store)[0].used == 1

    def test_prompt_answers_without_news_cost_no_transaction(
        self, make: Make, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        budget = make()
        budget.reserve(ONE)
        monkeypatch.setattr(store, "transact", None)
        budget.observe(ONE, answer(9))
        budget.observe(ONE, FINE)


class TestCooldown:
    """Who holds a slot already asks, when it has come, whether a 429 began a cooldown meanwhile."""

    def test_it_is_seen_by_all_and_ends(self, make: Make, clock: Any) -> None:
        waiting = make()
        waiting.reserve(ONE)
        assert waiting.cooldown(ONE) == waiting.cooldown(()) == 0.0
        make().observe(ONE, refused(6.0))
        assert waiting.cooldown(ONE) == pytest.approx(6.0, abs=0.01)
        clock.now += 6.0
        assert waiting.cooldown(ONE) == 0.0

    def test_any_of_the_budgets_counts(self, make: Make) -> None:
        make().observe(BOTH, refused(30.0, **{"x-ratelimit-limit": "3"}))
        assert make().cooldown(ONE) == 0.0
        assert make().cooldown(BOTH) == pytest.approx(30.0, abs=0.01)

    def test_nobody_has_asked_for_this_budget_yet(self, make: Make) -> None:
        assert make().cooldown(BOTH) == 0.0

    def test_clocks_that_differ_a_little_are_no_cooldown(self, make: Make, clock: Any) -> None:
        """The slot that was handed out for the end of a cooldown is not given up when it comes."""
        budget = make()
        budget.observe(ONE, refused(6.0))
        clock.now += budget.reserve(ONE) - MARGIN / 2
        assert budget.cooldown(ONE) == 0.0

    def test_a_clock_that_was_set_back_makes_it_no_longer(self, make: Make, clock: Any) -> None:
        budget = make()
        budget.observe(ONE, refused(6.0))
        clock.now -= 3600.0
        assert budget.cooldown(ONE) == pytest.approx(6.0, abs=0.01)

    def test_without_the_store_this_process_knows_its_own(self, make: Make, store: Store, clock: Any) -> None:
        budget = make(used=Failing(StoreFailure.LOCKED).failing(store))
        assert budget.cooldown(ONE) == 0.0
        budget.observe(ONE, refused(6.0))
        assert budget.cooldown(BOTH) == pytest.approx(6.0, abs=0.01)
        clock.now += 7.0
        assert budget.cooldown(ONE) == 0.0


class TestPromptAnswers:
    """They prove when a request arrived. What is proved needs no margin; what is not, keeps it."""

    @pytest.fixture
    def budget(self, make: Make) -> SharedBudget:
        return make({"default": Limit(1, 1.0)})

    def test_the_margin_is_what_the_answer_took(self, budget: SharedBudget, clock: Any) -> None:
        budget.reserve(ONE)
        clock.now += 0.05
        budget.observe(ONE, FINE)
        assert budget.reserve(ONE) == pytest.approx(1.0 + GUARD, abs=0.002)

    def test_it_is_less_for_all_processes(self, budget: SharedBudget, make: Make) -> None:
        budget.reserve(ONE)
        budget.observe(ONE, FINE)
        budget.reserve(ONE)
        assert make({"default": Limit(1, 1.0)}).reserve(ONE) == pytest.approx(2.0 + GUARD + MARGIN, abs=0.002)

    def test_it_is_never_more_than_the_margin(self, budget: SharedBudget, clock: Any) -> None:
        budget.reserve(ONE)
        clock.now += MARGIN - GUARD / 2
        budget.observe(ONE, FINE)
        assert budget.reserve(ONE) == pytest.approx(1.0 + GUARD / 2, abs=0.002)

    def test_no_answer_proves_nothing(self, budget: SharedBudget) -> None:
        budget.reserve(ONE)
        budget.observe(ONE, Outcome(Certainty.UNKNOWN))
        assert budget.reserve(ONE) == pytest.approx(1.0 + MARGIN, abs=0.002)

    def test_one_of_two_answers_proves_nothing(self, make: Make) -> None:
        """It may be that of either; the other one may yet arrive late."""
        budget = make({"default": Limit(2, 1.0)})
        for _ in range(2):
            budget.reserve(ONE)
        budget.observe(ONE, FINE)
        assert budget.reserve(ONE) == pytest.approx(1.0 + MARGIN, abs=0.002)

    def test_one_that_was_cancelled_does_not_end_all_proof(self, budget: SharedBudget, clock: Any) -> None:
        """It never gets an answer. Nor does it matter which one was reserved first."""
        budget.reserve(ONE, longest=3600.0)
        clock.now += budget.reserve(ONE) + FORGOTTEN + 1.0
        budget.reserve(ONE)
        budget.observe(ONE, FINE)
        assert budget.reserve(ONE) == pytest.approx(1.0 + GUARD, abs=0.002)

    def test_one_that_missed_its_slot_is_not_waited_for(self, budget: SharedBudget, clock: Any) -> None:
        budget.reserve(ONE)
        clock.now += 2.0
        budget.missed(ONE)
        budget.reserve(ONE)
        budget.observe(ONE, FINE)
        assert budget.reserve(ONE) == pytest.approx(1.0 + GUARD, abs=0.002)

    def test_what_waits_long_for_its_lone_slot_proves_nothing_until_it_is_answered(
        self, make: Make, store: Store, clock: Any
    ) -> None:
        failing = Failing(StoreFailure.LOCKED)
        budget = make({"default": Limit(1, 50.0)}, used=failing.failing(store))
        budget.reserve(ONE)
        wait = budget.reserve(ONE)
        assert wait > 2 * FORGOTTEN
        failing.failure = None
        clock.now += wait
        budget.reserve(ONE)
        budget.observe(ONE, FINE)
        assert budget.reserve(ONE) >= 50.0 + MARGIN - 0.002

    def test_what_was_sent_without_a_slot_proves_nothing(self, make: Make, store: Store, clock: Any) -> None:
        """Its answer may come for that of a request that is still under way."""
        failing = Failing(StoreFailure.LOCKED)
        budget = make({"default": Limit(1, 1.0)}, used=failing.failing(store))
        budget.reserve(ONE)
        failing.failure = None
        clock.now += ASK_AGAIN + 10.0
        for margin, later in ((MARGIN, FORGOTTEN), (GUARD, 0.0)):
            budget.reserve(ONE)
            budget.observe(ONE, FINE)
            assert budget.reserve(ONE) == pytest.approx(1.0 + margin, abs=0.002)
            clock.now += 1.0 + margin
            budget.observe(ONE, FINE)
            clock.now += 10.0 + later


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


class Failing:
    """A store with one kind of failure."""

    def __init__(self, failure: StoreFailure) -> None:
        self.failure: StoreFailure | None = failure
        self.calls = 0

    def failing(self, store: Store) -> Store:
        transact = store.transact

        def maybe(work: Any) -> Any:
            self.calls += 1
            if self.failure:
                raise StoreError(self.failure, store.where)
            return transact(work)

        store.transact = maybe  # type: ignore[method-assign]
        return store


@pytest.mark.parametrize("failure", [*StoreFailure])
class TestWithoutTheStore:
    """Whatever is wrong with it: requests go on, slowly, and this is said once."""

    def test_requests_are_paced_alone(
        self, make: Make, store: Store, clock: Any, failure: StoreFailure, caplog: pytest.LogCaptureFixture
    ) -> None:
        budget = make(used=Failing(failure).failing(store))
        interval = 60.0 / (10 * ALONE) + MARGIN
        with caplog.at_level(logging.WARNING):
            waits = [budget.reserve(ONE) for _ in range(4)]
        assert waits == pytest.approx([0.0, interval, 2 * interval, 3 * interval], abs=0.01)
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert failure.value in caplog.text
        assert "25%" in caplog.text

    def test_the_store_is_not_asked_each_time(
        self, make: Make, store: Store, clock: Any, failure: StoreFailure
    ) -> None:
        failing = Failing(failure)
        budget = make(used=failing.failing(store))
        for _ in range(5):
            budget.reserve(ONE)
        assert failing.calls == 1
        clock.now += ASK_AGAIN
        budget.reserve(ONE)
        assert failing.calls == 2

    def test_what_was_sent_alone_is_entered_when_it_is_back(
        self, make: Make, store: Store, clock: Any, failure: StoreFailure
    ) -> None:
        failing = Failing(failure)
        budget = make(used=failing.failing(store))
        budget.reserve(ONE)
        clock.now += ASK_AGAIN
        failing.failure = None
        assert [budget.reserve(ONE) for _ in range(10)] == pytest.approx([0.0] * 9 + [SPAN - ASK_AGAIN], abs=0.01)

    def test_a_429_is_obeyed_alone(self, make: Make, store: Store, clock: Any, failure: StoreFailure) -> None:
        budget = make(used=Failing(failure).failing(store))
        budget.observe(ONE, refused(90.0))
        assert budget.reserve(ONE) == pytest.approx(90.0, abs=0.01)


def test_a_store_that_is_locked_costs_its_patience_once(
    make: Make, make_store: Callable[..., Store], path: Path, clock: Any
) -> None:
    slow = make_store(0.05)
    clock.run_in(slow)
    budget = make(used=slow)
    budget.reserve(ONE)
    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")
    waits = [budget.reserve(ONE) for _ in range(3)]
    other.rollback()
    assert waits[1] > 0
    clock.now += ASK_AGAIN
    assert budget.reserve(ONE) == pytest.approx(0.0, abs=0.01)
    assert snapshot(slow)[0].used >= 2
