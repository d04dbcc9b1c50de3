# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What answers teach: limits, what others used, and how long to be quiet."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from airflow_provider_mkt.client.endpoint import Limit
from airflow_provider_mkt.client.outcome import Certainty, Outcome
from airflow_provider_mkt.state.budgets.booking import Booking
from airflow_provider_mkt.state.budgets.rate_headers import MAX_COOLDOWN
from airflow_provider_mkt.state.budgets.shared import SharedBudget, reset, snapshot
from airflow_provider_mkt.state.budgets.sliding_window import MARGIN
from airflow_provider_mkt.state.budgets.table import CONFIRMED_FOR, LATEST, LEARNED_FOR
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreFailure
from airflow_provider_mkt.vendors.flodesk import VENDOR as FLODESK
from tests.unit.state.budgets.vendor import ACCOUNT, BOTH, FINE, LIMITS, ONE, SPAN, Failing, Make, answer, refused

pytestmark = pytest.mark.usefixtures("bursts_go_at_once")


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
        assert [budget.reserve(ONE) for _ in range(4)] == pytest.approx([0.0] * 3 + [SPAN], abs=0.01)
        budget.observe(ONE, answer(500, limit=1000))
        assert snapshot(store)[0].learned == 1000
        assert [budget.reserve(ONE) for _ in range(6)] == pytest.approx([0.0] * 6, abs=0.01)

    def test_a_higher_limit_teaches_nothing(self, make: Make) -> None:
        budget = make()
        budget.reserve(ONE)
        budget.observe(ONE, answer(199, limit=200))
        assert [budget.reserve(ONE) for _ in range(10)] == pytest.approx([0.0] * 9 + [SPAN], abs=0.01)

    def test_a_limit_is_learned_for_connections_that_know_a_higher_one(self, make: Make, store: Store) -> None:
        """What the vendor states is kept as it was stated, by whomever: no connection knows what the others know."""
        low, high = make({"default": Limit(4)}), make({"default": Limit(400)})
        for left, budget in ((9, high), (8, low), (7, high), (6, low)):
            budget.reserve(ONE)
            budget.observe(ONE, answer(left, limit=10))
        assert snapshot(store)[0].learned == 10
        assert [high.reserve(ONE) for _ in range(7)] == pytest.approx([0.0] * 6 + [SPAN], abs=0.01)
        for budget in (low, high):
            assert budget.reserve(ONE) > 1.0

    def test_a_stated_limit_is_entered_once_and_then_every_few_minutes(
        self, make: Make, store: Store, clock: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """For two hours: it stays known, at next to no cost."""
        budgets, entered = (make(), make({"default": Limit(400)})), []
        learn = Booking.learn
        monkeypatch.setattr(Booking, "learn", lambda self, *args: entered.append(learn(self, *args)))
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
        assert [budget.reserve(ONE) for _ in range(10)] == pytest.approx([0.0] * 9 + [SPAN], abs=0.01)
        assert snapshot(store)[0].learned in (None, 999_999_999)

    def test_what_others_used_is_left_to_them(self, make: Make, clock: Any) -> None:
        budget = make()
        budget.reserve(ONE)
        budget.observe(ONE, answer(4))
        budget.reserve(ONE)
        budget.observe(ONE, answer(3))  # the same five, not five more
        assert [budget.reserve(ONE) for _ in range(4)] == pytest.approx([0.0] * 3 + [SPAN], abs=0.01)

    def test_flodesk_says_the_same_in_other_headers(self, store: Store, clock: Any) -> None:
        budget = SharedBudget(ACCOUNT, LIMITS, 1.0, lambda: store, clock, headers=FLODESK.rate_headers)
        budget.reserve(ONE)
        headers = {"x-fd-ratelimit-limit": "10", "x-fd-ratelimit-remaining": "0"}
        budget.observe(ONE, Outcome(Certainty.ANSWERED, 200, headers=headers))
        assert budget.reserve(ONE) == pytest.approx(SPAN, abs=0.01)

    def test_nothing_left_means_quiet_until_the_reset(self, make: Make) -> None:
        budget = make()
        budget.reserve(ONE)
        budget.observe(ONE, answer(0, reset="12"))
        assert budget.reserve(ONE) == pytest.approx(12.0, abs=0.01)

    def test_a_reset_of_nothing_leaves_what_others_used_to_them(self, make: Make) -> None:
        budget = make()
        budget.reserve(ONE)
        budget.observe(ONE, answer(0, reset="0"))
        assert budget.reserve(ONE) == pytest.approx(SPAN, abs=0.01)

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


class TestWhatOneHeaderCanRule:
    @pytest.mark.parametrize("wait", [3_600.0, 86_400.0, 1e9])
    def test_no_account_is_quiet_for_more_than_an_hour(self, make: Make, clock: Any, wait: float) -> None:
        budget = make()
        budget.observe(ONE, refused(wait))
        assert budget.cooldown(ONE) == pytest.approx(MAX_COOLDOWN, abs=0.01)
        clock.now += MAX_COOLDOWN
        assert make().reserve(ONE) == pytest.approx(0.0, abs=0.01)

    def test_nor_without_the_store(self, make: Make, store: Store) -> None:
        budget = make(used=Failing(StoreFailure.LOCKED).failing(store))
        budget.observe(ONE, refused(86_400.0))
        assert budget.cooldown(ONE) == pytest.approx(MAX_COOLDOWN, abs=0.01)

    def test_an_unlikely_limit_that_is_stated_once_is_believed_for_two_windows(
        self, make: Make, store: Store, clock: Any
    ) -> None:
        budget = make({"default": Limit(100, 60.0)})
        budget.reserve(ONE)
        budget.observe(ONE, answer(0, limit=1))
        assert snapshot(store)[0].learned == 1
        clock.now += 2 * 60.0 + LATEST
        assert snapshot(store)[0].learned is None
        assert [budget.reserve(ONE) for _ in range(50)] == pytest.approx([0.0] * 50, abs=0.01)

    def test_one_that_is_meant_is_kept_to(self, make: Make, store: Store, clock: Any) -> None:
        """The vendor states it with every answer."""
        budget, began, sent = make({"default": Limit(100, 60.0)}), clock.now, 0
        while clock.now < began + 1_800.0:
            clock.now += budget.reserve(ONE)
            budget.observe(ONE, answer(0, limit=1))
            sent += 1
            assert snapshot(store)[0].learned == 1
        assert sent <= 1_800.0 / 60.0 + 1

    @pytest.mark.parametrize("account", [None, "flow_social", "flow_social https://api.flowsocial.app/v1"])
    def test_a_person_can_lift_it(self, make: Make, store: Store, account: str | None) -> None:
        budget = make()
        budget.reserve(ONE)
        budget.observe(ONE, answer(0, limit=1))
        make().observe(BOTH, refused(86_400.0))
        assert reset(account, store) == 2
        assert (snapshot(store)[0].learned, snapshot(store)[0].quiet) == (None, 0.0)
        assert make().reserve(ONE) == pytest.approx(0.0, abs=0.01)
        assert snapshot(store)[0].used == 2

    def test_but_only_where_it_is_meant(self, make: Make, store: Store) -> None:
        make().observe(ONE, refused(600.0))
        for other in ("flow_socia_", "%", "flodesk", "flow_social https://elsewhere"):
            assert reset(other, store) == 0
        assert make().cooldown(ONE) == pytest.approx(600.0, abs=0.01)


class TestTheClockIsSet:
    """By a day: what was counted before is forgotten or kept, but nobody waits for a day."""

    @pytest.mark.parametrize("by", [86_400.0, -86_400.0])
    def test_nobody_waits_for_longer_than_before(self, make: Make, clock: Any, by: float) -> None:
        for _ in range(10):
            make().reserve(ONE)
        make().observe(ONE, refused(30.0))
        clock.now += by
        assert make().reserve(ONE) <= SPAN + 0.01

    def test_forward_and_back_again(self, make: Make, clock: Any) -> None:
        make().observe(ONE, refused(30.0))
        for by in (86_400.0, -86_400.0):
            clock.now += by
            make().reserve(ONE)
            make().observe(ONE, refused(30.0))
        assert make().cooldown(ONE) <= 30.01
        assert make().reserve(ONE) <= SPAN + 30.01

    def test_a_cooldown_that_lies_a_day_ahead_is_void(self, make: Make, store: Store, clock: Any) -> None:
        make().reserve(ONE)
        far = text("UPDATE mkt_budget SET quiet_until = :far")
        store.run(lambda connection: connection.execute(far, {"far": clock.now + 86_400.0}))
        assert make().cooldown(ONE) == 0.0
        assert make().reserve(ONE) == pytest.approx(0.0, abs=0.01)
