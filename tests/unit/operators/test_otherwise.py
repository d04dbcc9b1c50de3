# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Answers with a success status that say otherwise, or that show something else than was sent, are no success."""

from __future__ import annotations

import time
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import ApiError, MalformedResponseError, OutcomeUnknownError
from airflow_provider_mkt.operators.flodesk import FlodeskAddToWorkflowOperator, FlodeskCreateSegmentOperator
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.submission.record import SETTLED
from tests.unit.context import Task
from tests.unit.operators.kinds import CAMPAIGN, KINDS, POST, REPORT, SYNC, Kind, every_kind

pytestmark = pytest.mark.usefixtures("no_analytics", "waits")

REFUSALS: dict[str, dict[str, Any]] = {
    "a flag": {"success": False},
    "a flag in words": {"ok": "false", "message": "The account is not paid."},
    "an error": {"error": {"code": "over_budget", "message": "The account is not paid."}},
    "errors": {"errors": [{"message": "The account is not paid."}]},
    "a status": {"status": "failed"},
    "a status of HTTP": {"status": 422},
    "nothing started": {"status": "Rejected", "campaign_tracking_ids": [], "id": None, "sync_id": "", "results": []},
}
IDS = {"campaign": {"campaign_tracking_ids": ["queue_1"]}, "post": {"id": "post_1"}, "report": {"id": "re_1"}}
IDS["sync"] = {"sync_id": "sync_1"}


def answered(vendors: Sandbox, kind: Kind, body: dict[str, Any], *, processed: bool, status: int = 201) -> None:
    wrapped = {"data": body} if kind is POST else body
    vendors.fault(kind.route, "status", status=status, body=wrapped, processed=processed)


@every_kind
@pytest.mark.parametrize("answer", REFUSALS.values(), ids=REFUSALS)
def test_a_success_that_names_nothing_is_a_refusal(
    kind: Kind, answer: dict[str, Any], vendors: Sandbox, task: Task
) -> None:
    answered(vendors, kind, answer, processed=False)
    with pytest.raises(ApiError, match=r"refused POST .*\(HTTP 201\)") as caught:
        kind(wait_for_completion=False).execute(task.context)
    assert type(caught.value) is ApiError
    assert task.record["state"] == "refused"
    assert "not paid" not in str(answer) or "not paid" in str(caught.value)
    # It certainly did not happen, so a retry may submit it.
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "default"
    task.retry()
    assert kind(wait_for_completion=False).execute(task.context)
    assert kind.effects(vendors) == 1


@every_kind
@pytest.mark.parametrize("otherwise", [{"status": "failed"}, {"success": False, "status": "queued"}])
def test_a_success_that_names_ids_and_a_failure_leaves_it_open(
    kind: Kind, otherwise: dict[str, Any], vendors: Sandbox, task: Task
) -> None:
    name = next(name for name, each in KINDS.items() if each is kind)
    answered(vendors, kind, {**IDS[name], **otherwise}, processed=False, status=200)
    with pytest.raises(OutcomeUnknownError, match="says that it failed") as caught:
        kind(wait_for_completion=False).execute(task.context)
    assert str(next(iter(IDS[name].values()))) in str(caught.value)
    assert (task.record["state"], task.record["doubtful"]) == ("intent", True)
    assert "it names" in task.record["evidence"][0]
    # Where the vendor can be asked, the next try does; elsewhere a person has to.
    by_itself = kind.settled_by == "look"
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == ("retry" if by_itself else "fail")
    assert ("The next try settles that" in str(caught.value)) is by_itself
    assert ("submissions adopt" in str(caught.value)) is not by_itself
    assert kind.effects(vendors) == 0


def test_a_report_that_has_failed_at_once_is_generated_again(vendors: Sandbox, task: Task) -> None:
    """Nothing came of it, as the list shows; it must not pass for one that was generated."""
    vendors.outcome("flinque", "failed", limit=1)
    vendors.fault(REPORT.route, "status", status=200, body={"id": "re_1", "status": "failed"}, processed=True)
    with pytest.raises(OutcomeUnknownError):
        REPORT(wait_for_completion=False).execute(task.context)
    vendors.advance(700)
    task.retry()
    operator = REPORT(wait_for_completion=False)
    operator.clock = lambda: time.time() + SETTLED + 1
    assert operator.execute(task.context) == {"report_id": "re_2"}


def test_a_workflow_entry_that_was_not_made(vendors: Sandbox, task: Task) -> None:
    """Its answer is not needed, and is read all the same."""
    entry = "POST /flodesk/v1/workflows/{id}/subscribers"
    vendors.fault(entry, "status", status=200, body={"success": False, "message": "No seats"}, processed=False)
    operator = FlodeskAddToWorkflowOperator(task_id="publish", workflow_id="wf_welcome", id_or_email="sub_1")
    with pytest.raises(ApiError, match="No seats"):
        operator.execute(task.context)


OTHERS: dict[str, tuple[Kind, dict[str, Any], str]] = {
    "another text": (POST, {"content": "Open house on Monday"}, "content"),
    "another channel": (POST, {"channelId": "channel_2"}, "channelId"),
    "another time": (POST, {"scheduledFor": 4_000_000_000_000}, "scheduledFor"),
    "another campaign": (REPORT, {"campaign_id": "ca_2"}, "campaign_id"),
    "another name": (REPORT, {"name": "Somebody else's"}, "name"),
    "another listing": (CAMPAIGN, {"listingExternalIds": ["listing_1002"]}, "listingExternalIds"),
    "another integration": (SYNC, {"integration_id": "int_stripe"}, "integration_id"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_an_answer_that_shows_something_else_is_not_taken_for_ours(case: str, vendors: Sandbox, task: Task) -> None:
    kind, shown, field = OTHERS[case]
    name = next(name for name, each in KINDS.items() if each is kind)
    answered(vendors, kind, {**IDS[name], "status": "queued", **shown}, processed=False)
    more = {"scheduled_for": "2099-06-08T09:00:00Z"} if kind is POST else {}
    with pytest.raises(MalformedResponseError, match=f"not as sent: {field}") as caught:
        kind(wait_for_completion=False, **more).execute(task.context)
    assert caught.value.executed
    assert task.record["state"] == "intent"
    assert str(next(iter(IDS[name].values()))) in task.record["evidence"][0]
    task.retry()
    # It is never submitted again by itself.
    assert task.record["executed"]
    if kind is CAMPAIGN:
        with pytest.raises(MalformedResponseError, match="submissions adopt"):
            kind(wait_for_completion=False, **more).execute(task.context)


@pytest.mark.parametrize(
    "shown",
    [
        {"content": " Open house on Sunday\n"},
        {"scheduledFor": 4_084_592_400_000},
        {"scheduledFor": "2099-06-08T11:00:00+02:00"},
        {"scheduledFor": "2099-06-08 09:00:00.250"},
        {"mediaKeys": None, "content": None},
        {"status": "flowing", "errors": [], "error": None, "warnings": ["soon"]},
    ],
)
def test_what_is_written_otherwise_is_the_same(shown: dict[str, Any], vendors: Sandbox, task: Task) -> None:
    answered(vendors, POST, {"id": "post_1", "status": "queued", **shown}, processed=True)
    operator = POST(wait_for_completion=False, scheduled_for="2099-06-08T09:00:00Z")
    assert operator.execute(task.context)["post_id"] == "post_1"


def test_a_color_that_is_written_otherwise_is_the_same(vendors: Sandbox, task: Task) -> None:
    """Flodesk shows colors in capitals."""
    from airflow_provider_mkt.hooks.flodesk import FlodeskHook

    color = list(FlodeskHook().list_segment_colors())[-1].lower()
    operator = FlodeskCreateSegmentOperator(task_id="publish", name="Otherwise", color=color)
    assert operator.execute(task.context)["created"]
