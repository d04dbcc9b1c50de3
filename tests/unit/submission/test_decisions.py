# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The tables of decisions: no empty cell, and what must hold in every one of them."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import (
    ApiError,
    AuthenticationError,
    MalformedResponseError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitError,
    ServerError,
    StoppedError,
    ValidationError,
)
from airflow_provider_mkt.submission.decisions import (
    CLOSING,
    FINDING,
    OPENING,
    SETTLING,
    Closing,
    Ending,
    Found,
    Opening,
    Settling,
    Shown,
    Situation,
    find,
)
from airflow_provider_mkt.submission.record import ADOPTED, Record, fingerprint
from airflow_provider_mkt.submission.request import ABSENT, Finding, TaskKey
from tests.unit.submission.vendor import Vendor

BODY = {"name": "a", "size": 1}
HERE = "tests"
RECORD = Record(
    "key", 1, "intent", fingerprint(BODY), BODY, "r", "id", 1.0, 2, conn_id="c", deployment=HERE, sent=True, sent_at=2.0
)
KEY = TaskKey("c", "dag", "run", "task", -1, HERE, 2, 1)
OTHER = {"name": "b"}

CASES: list[tuple[str, dict[str, Any], dict[str, Any], Found]] = [
    ("refused", {"state": "refused"}, {}, Found.OVER),
    ("failed", {"state": "failed", "receipt": {"id": "1"}}, {}, Found.OVER),
    ("refused elsewhere, changed, copied", {"state": "refused", "conn_id": "x", "deployment": "y"}, {}, Found.OVER),
    ("held", {"state": "held", "sent": False}, {}, Found.HELD),
    (
        "held, cleared with the wish for another",
        {"state": "held", "clear_count": 1},
        {"resubmit": True},
        Found.REPLACED,
    ),
    ("not sent", {"sent": False}, {}, Found.NOT_SENT),
    ("not sent, and changed since", {"sent": False}, {"body": OTHER}, Found.NOT_SENT),
    ("not sent, through another connection", {"sent": False, "conn_id": "x"}, {}, Found.NOT_SENT),
    ("not sent by a copy's original", {"sent": False, "deployment": "y"}, {}, Found.COPIED),
    ("not sent this time, but an earlier time", {"sent": False, "doubtful": True}, {}, Found.IN_DOUBT),
    ("sent", {}, {}, Found.IN_DOUBT),
    ("sent by an earlier version", {"deployment": "", "conn_id": ""}, {}, Found.IN_DOUBT),
    ("sent by a copy's original", {"deployment": "y"}, {}, Found.COPIED),
    ("sent, and changed since", {}, {"body": OTHER}, Found.CHANGED),
    ("sent through another connection", {"conn_id": "x"}, {}, Found.ELSEWHERE),
    ("in doubt", {"doubtful": True}, {}, Found.IN_DOUBT),
    ("confirmed", {"doubtful": True, "executed": True}, {}, Found.EXECUTED),
    ("confirmed, and changed since", {"executed": True}, {"body": OTHER}, Found.CHANGED),
    ("accepted", {"state": "submitted"}, {}, Found.ACCEPTED),
    ("accepted, through another connection", {"state": "submitted", "conn_id": "x"}, {}, Found.ACCEPTED),
    ("accepted by a copy's original", {"state": "submitted", "deployment": "y"}, {}, Found.ACCEPTED),
    ("accepted, and changed since", {"state": "submitted"}, {"body": OTHER}, Found.CHANGED),
    ("accepted before the clear", {"state": "submitted", "clear_count": 1}, {"resubmit": True}, Found.REPLACED),
    ("accepted after the clear", {"state": "submitted"}, {"resubmit": True}, Found.ACCEPTED),
    ("adopted", {"state": "submitted", "clear_count": ADOPTED}, {"resubmit": True}, Found.ACCEPTED),
    ("in doubt before the clear", {"clear_count": 1}, {"resubmit": True}, Found.REPLACED),
    ("a copy's original before the clear", {"clear_count": 1, "deployment": "y"}, {"resubmit": True}, Found.COPIED),
    ("goes on from another", {"state": "submitted", "follows": "x"}, {}, Found.REPLACED),
]


@pytest.mark.parametrize(("record", "today", "found"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_found(record: dict[str, Any], today: dict[str, Any], found: Found) -> None:
    request = Vendor().request(today.get("body", BODY))
    assert find(Situation(replace(RECORD, **record), request, KEY, HERE, today.get("resubmit", False))) is found


def test_every_finding_has_a_case_and_an_opening() -> None:
    assert {found for *_, found in CASES} | {Found.NOTHING} == set(Found) == set(OPENING)
    assert {found for found, _ in FINDING} | {Found.NOTHING} == set(Found)


def test_nothing_is_submitted_while_a_request_may_be_at_the_vendor() -> None:
    may_be_there = {Found.IN_DOUBT, Found.EXECUTED, Found.ELSEWHERE, Found.COPIED, Found.CHANGED, Found.ACCEPTED}
    submits = {found for found in Found if OPENING[found] in (Opening.SUBMIT, Opening.SUBMIT_STILL)}
    assert submits == set(Found) - may_be_there


def test_a_key_is_used_again_only_when_it_was_never_sent() -> None:
    assert {found for found in Found if OPENING[found] is Opening.SUBMIT_STILL} == {Found.HELD, Found.NOT_SENT}


@pytest.mark.parametrize(("shown", "had_time", "confirmed"), list(product(Shown, (False, True), (False, True))))
def test_settling(shown: Shown, had_time: bool, confirmed: bool) -> None:
    settling = SETTLING[shown, had_time, confirmed]
    assert (settling is Settling.RECORD) == (shown is Shown.FOUND)
    # Only a vendor that has had its time proves that it never happened; never against its own word.
    assert (settling is Settling.SUBMIT) == (shown is Shown.ABSENT and had_time and not confirmed)
    assert (settling is Settling.LATER) == (shown is not Shown.FOUND and not had_time)


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        ({"id": "1"}, Shown.FOUND),
        (ABSENT, Shown.ABSENT),
        (None, Shown.UNCLEAR),
        (Finding({"id": "1"}), Shown.FOUND),
        (Finding(absent=True), Shown.ABSENT),
        (Finding(showed="nothing"), Shown.UNCLEAR),
    ],
)
def test_what_a_trace_shows(found: Any, shown: Shown) -> None:
    assert Shown.by(Finding.of(found)) is shown


@pytest.mark.parametrize(("ending", "doubt"), list(product(Ending, (False, True))))
def test_closing(ending: Ending, doubt: bool) -> None:
    closing = CLOSING[ending, doubt]
    assert (closing is Closing.RECEIPT) == (ending is Ending.ANSWERED)
    # A refusal closes a submission only when no earlier request of it is in doubt.
    assert (closing is Closing.CLOSE) == (ending in (Ending.REFUSED, Ending.LIMITED) and not doubt)
    assert (closing is Closing.DOUBT) == (ending is Ending.LOST)
    assert (closing is Closing.CONFIRM) == (ending is Ending.UNREADABLE)


def test_no_cell_is_empty() -> None:
    assert set(SETTLING) == set(product(Shown, (False, True), (False, True)))
    assert set(CLOSING) == set(product(Ending, (False, True)))


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (StoppedError("x"), Ending.STOPPED),
        (MalformedResponseError("x", executed=True), Ending.UNREADABLE),
        (MalformedResponseError("x"), Ending.LOST),
        (OutcomeUnknownError("x"), Ending.LOST),
        (RateLimitError("x"), Ending.LIMITED),
        (ValidationError("x"), Ending.REFUSED),
        (AuthenticationError("x"), Ending.REFUSED),
        (NotSentError("x"), Ending.REFUSED),
        (ApiError("x"), Ending.REFUSED),
        # A client says this only of what may be repeated.
        (ServerError("x"), Ending.REFUSED),
    ],
)
def test_how_a_request_ended(error: Exception, ending: Ending) -> None:
    assert Ending.by(error) is ending
