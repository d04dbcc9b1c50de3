# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Approvals in the store of the test.

What must hold, whatever happens between question and launch:

==========================================  ===========================================================
what happens                                then
==========================================  ===========================================================
nobody was asked, or nobody has answered    the launch does not begin
a person said no                            it does not begin
another digest, run, task or amount         it does not begin
the task asks something else                what it was told before is void, also what was said yes to
the same question is asked again            it is the same question, and its answer counts
two answers                                 the first counts
the launch is repeated under its key        it begins: that is the launch that was approved
a second launch with the same content       it does not begin: one approval, one launch
the first one certainly had no effect       the approval counts again
the outcome of the first one is unknown     it does not begin under another key
==========================================  ===========================================================
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from airflow_provider_mkt.client.durations import DAY
from airflow_provider_mkt.exceptions import ApprovalWantedError
from airflow_provider_mkt.retry_policy import MarketingRetryPolicy
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.launches import approvals as rows
from airflow_provider_mkt.state.launches.admission import admit
from airflow_provider_mkt.state.launches.approvals import APPROVED, REFUSED, RUN, VOID, WAITING, Approvals, Asked
from airflow_provider_mkt.state.launches.launch import REFUSED as REFUSED_BY_VENDOR
from airflow_provider_mkt.state.launches.launch import UNKNOWN
from airflow_provider_mkt.state.launches.register import KEPT, Register
from tests.unit.state.conftest import Clock
from tests.unit.state.launches.test_register import launch

ONE = launch(amount=5_000, currency="GBP")
DIGEST, OTHER = "a" * 64, "b" * 64


@pytest.fixture
def approvals(store: Store) -> Approvals:
    return Approvals(lambda: store)


def ask(approvals: Approvals, digest: str = DIGEST, **parts: Any) -> str:
    return approvals.ask([Asked(ONE, digest, "{}")], digest, **parts)


def yes(approvals: Approvals, name: str) -> bool:
    return approvals.answer(name, APPROVED, "ana", "fine", "test")


def begins(store: Store, which: Any = ONE, digest: str = DIGEST) -> bool:
    try:
        admit(which, lambda: store, approved=digest)
    except ApprovalWantedError:
        return False
    return True


def test_what_was_approved_begins_and_the_register_says_by_whom(approvals: Approvals, store: Store) -> None:
    assert yes(approvals, ask(approvals))
    assert approvals.approver(ONE, DIGEST) == "ana"
    assert begins(store)
    [found] = Register(lambda: store).find()
    assert found.approved_by == "ana"
    [kept] = approvals.find()
    assert (kept.state, kept.launch, kept.reason, kept.source) == (APPROVED, ONE.launch, "fine", "test")
    assert kept.asked_at <= (kept.answered_at or 0)


@pytest.mark.parametrize("answer", [None, REFUSED, VOID])
def test_nothing_begins_without_a_yes(approvals: Approvals, store: Store, answer: str | None) -> None:
    assert not begins(store)
    name = ask(approvals)
    if answer:
        approvals.answer(name, answer, "ana", "too dear", "test")
    assert approvals.approver(ONE, DIGEST) is None
    assert not begins(store)
    assert Register(lambda: store).find() == []


@pytest.mark.parametrize(
    "change",
    [
        {"deployment": "staging"},
        {"dag_id": "summer"},
        {"run_id": "r2"},
        {"task_id": "publish_again"},
        {"map_index": 1},
        {"amount": 5_001},
        {"amount": None},
        {"currency": "EUR"},
    ],
)
def test_it_is_good_for_nothing_else(approvals: Approvals, store: Store, change: dict[str, Any]) -> None:
    yes(approvals, ask(approvals))
    assert not begins(store, replace(ONE, **change))
    assert not begins(store, digest=OTHER)
    assert begins(store)


def test_what_is_asked_anew_voids_what_was_said(approvals: Approvals, store: Store) -> None:
    first = ask(approvals)
    yes(approvals, first)
    second = ask(approvals, OTHER)
    assert second != first
    assert not begins(store)
    yes(approvals, second)
    assert not begins(store)
    assert begins(store, digest=OTHER)
    assert [each.state for each in approvals.find()] == [VOID, APPROVED]


def test_the_same_question_is_one_and_the_first_answer_counts(approvals: Approvals, store: Store) -> None:
    first = ask(approvals)
    assert ask(approvals) == first
    assert yes(approvals, first)
    assert not approvals.answer(first, REFUSED, "ben", "no", "test")
    assert begins(store)
    assert len(approvals.find()) == 1


def test_an_answer_that_comes_too_late_is_told_so(approvals: Approvals) -> None:
    first = ask(approvals)
    ask(approvals, OTHER)
    assert not yes(approvals, first)


def test_one_approval_is_for_one_launch(approvals: Approvals, store: Store) -> None:
    yes(approvals, ask(approvals))
    assert begins(store)
    assert begins(store)  # the same launch, sent again
    again = launch(2, amount=5_000, currency="GBP", generation=2)
    assert not begins(store, again)
    Register(lambda: store).note(replace(ONE, state=UNKNOWN))
    assert not begins(store, again)
    Register(lambda: store).note(replace(ONE, state=REFUSED_BY_VENDOR))
    assert approvals.approver(again, DIGEST) == "ana"
    assert begins(store, again)
    assert not begins(store, ONE)


def test_what_was_used_without_effect_is_void_too_once_something_else_is_asked(
    approvals: Approvals, store: Store
) -> None:
    yes(approvals, ask(approvals))
    assert begins(store)
    Register(lambda: store).note(replace(ONE, state=REFUSED_BY_VENDOR))
    ask(approvals, OTHER)
    assert not begins(store, launch(2, amount=5_000, currency="GBP"))


def test_an_approval_of_a_whole_run_is_good_for_each_of_its_requests_once(approvals: Approvals, store: Store) -> None:
    plan = [Asked(launch(number, task_id="plan"), DIGEST if number < 3 else OTHER, "{}") for number in (1, 2, 3)]
    name = approvals.ask(plan, "c" * 64, RUN)
    assert not begins(store, launch(1, task_id="first"))
    yes(approvals, name)
    assert begins(store, launch(1, task_id="first"))
    assert begins(store, launch(2, task_id="second", map_index=4))
    assert not begins(store, launch(3, task_id="third"))
    assert not begins(store, launch(3, run_id="r2"), OTHER)
    assert begins(store, launch(3), OTHER)
    # The question of a task does not touch what the run was told.
    ask(approvals, OTHER)
    assert [each.state for each in approvals.find(beginning=name)] == [APPROVED] * 3


def test_an_answer_that_did_not_arrive_is_taken_back_unless_it_was_used(approvals: Approvals, store: Store) -> None:
    name = ask(approvals)
    yes(approvals, name)
    approvals.take_back(name)
    assert [each.state for each in approvals.find()] == [WAITING]
    yes(approvals, name)
    assert begins(store)
    approvals.take_back(name)
    assert [each.state for each in approvals.find()] == [APPROVED]


def test_it_is_found_by_the_beginning_of_its_name(approvals: Approvals) -> None:
    name = ask(approvals)
    assert [each.ask for each in approvals.find([WAITING], beginning=name[:8])] == [name]
    assert approvals.find([APPROVED]) == []
    assert approvals.find(beginning="no such") == []


def test_several_are_used_together_or_not_at_all(approvals: Approvals, store: Store) -> None:
    both = [Asked(launch(1), DIGEST, "{}"), Asked(launch(2), OTHER, "{}")]
    yes(approvals, approvals.ask(both[:1], DIGEST))
    assert not approvals.use(both)
    assert [each.launch for each in approvals.find()] == [""]
    yes(approvals, approvals.ask(both, "c" * 64))
    assert approvals.use(both)
    assert approvals.use(both)
    assert [each.launch for each in approvals.find([APPROVED])] == [launch(1).launch, launch(2).launch]


def test_who_approved_all_that_a_task_asked(approvals: Approvals) -> None:
    name = ask(approvals)
    assert approvals.approver_of(ONE, DIGEST) is None
    yes(approvals, name)
    assert approvals.approver_of(ONE, DIGEST) == "ana"
    assert approvals.approver_of(replace(ONE, task_id="another"), DIGEST) is None


def test_what_was_answered_long_ago_is_deleted(approvals: Approvals, store: Store, clock: Clock) -> None:
    ask(approvals, OTHER)
    yes(approvals, ask(approvals))
    waiting = ask(approvals, "d" * 64)
    clock.now += KEPT + DAY
    store.run(lambda connection: rows.prune(connection, store.clock, KEPT, 1_000))
    assert [each.ask for each in approvals.find()] == [waiting]
    assert store.run(lambda connection: connection.execute(text("SELECT COUNT(*) FROM mkt_approval")).scalar()) == 1


def test_the_task_is_not_tried_again_for_it() -> None:
    assert MarketingRetryPolicy().evaluate(ApprovalWantedError("wanted"), 1, 3).action.name == "FAIL"
