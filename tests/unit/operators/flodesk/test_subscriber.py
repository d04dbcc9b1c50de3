# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One subscriber: segments, unsubscribing, workflows. Entering a workflow twice would mail somebody twice.

What must hold for an entry, whatever happens:

=====================================  ==================================================================
the answer is lost, the entry happened  the task fails for good, names the subscriber's id, and never repeats it
the request certainly never left        it is sent again
killed before the answer is noted       as with a lost answer
delivered twice (cleared, retried)      attaches to the first
refused                                 the vendor's words; a retry may submit
the vendor names somebody else          nothing is done
=====================================  ==================================================================
"""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import (
    ApiError,
    MalformedResponseError,
    NotFoundError,
    OutcomeUnknownError,
    ServerError,
    ValidationError,
)
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.operators.flodesk import (
    FlodeskAddToSegmentsOperator,
    FlodeskAddToWorkflowOperator,
    FlodeskUnsubscribeOperator,
)
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task, WorkerDiedError, step_of

ADA = "ada@example.com"
ENTER = "POST /flodesk/v1/workflows/{id}/subscribers"
READ = "GET /flodesk/v1/subscribers/{id}"
SEGMENTS = "POST /flodesk/v1/subscribers/{id}/segments"
UNSUBSCRIBE = "POST /flodesk/v1/subscribers/{id}/unsubscribe"


@pytest.fixture
def ada(vendors: Sandbox) -> str:
    """Her id; her requests are over."""
    found: str = FlodeskHook().get_subscriber(ADA)["id"]
    vendors.clear_faults()
    return found


def entering(who: Any = ADA, **options: Any) -> FlodeskAddToWorkflowOperator:
    return FlodeskAddToWorkflowOperator(
        task_id="enter", **{"workflow_id": "wf_welcome", "id_or_email": who, "retries": 2, **options}
    )


def joining(who: Any = ADA, segments: Any = ("seg_vips", "seg_buyers")) -> FlodeskAddToSegmentsOperator:
    return FlodeskAddToSegmentsOperator(task_id="join", id_or_email=who, segment_ids=segments)


def leaving(who: Any = ADA) -> FlodeskUnsubscribeOperator:
    return FlodeskUnsubscribeOperator(task_id="leave", id_or_email=who)


def entries(vendors: Sandbox) -> int:
    return len(vendors.ledger("flodesk", "workflow.entered"))


@pytest.mark.parametrize("by", ["address", "id"])
def test_segments(by: str, ada: str, vendors: Sandbox, task: Task) -> None:
    for _ in range(2):
        result = joining(ADA if by == "address" else ada).execute(task.context)
        task.retry()
        assert result["subscriber_id"] == ada
        assert result["status"] == "active"
        assert set(result["segment_ids"]) == {"seg_news", "seg_vips", "seg_buyers"}
    assert len(vendors.ledger("flodesk", "subscriber.added_to_segments")) == 1


@pytest.mark.parametrize("fault", ["drop_after", "drop_before", "malformed"])
def test_lost_answers_are_repeated(fault: str, ada: str, vendors: Sandbox, task: Task) -> None:
    vendors.fault(SEGMENTS, fault)
    vendors.fault(UNSUBSCRIBE, fault)
    assert joining().execute(task.context)["subscriber_id"] == ada
    assert leaving().execute(task.context) == {"subscriber_id": ada, "status": "unsubscribed"}
    assert len(vendors.ledger("flodesk", "subscriber.unsubscribed")) == 1


def test_segments_that_the_answer_does_not_show(ada: str, vendors: Sandbox, task: Task) -> None:
    vendors.fault(
        SEGMENTS, "status", status=200, body={"id": ada, "status": "active", "segments": [{"id": "seg_vips"}]}
    )
    with pytest.raises(ApiError, match=f"does not show the subscriber {ada} in the segments seg_buyers") as caught:
        joining().execute(task.context)
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "default"
    vendors.fault(SEGMENTS, "status", status=200, body={"id": ada, "status": "active"})
    assert joining().execute(task.context)["segment_ids"] is None


@pytest.mark.parametrize(
    ("segments", "problem"),
    [("seg_vips", "segment_ids must be a list"), ([], "segment_ids is empty"), (["None"], "a template had nothing")],
)
def test_bad_segments(segments: Any, problem: str, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError, match=problem):
        joining(segments=segments).execute(task.context)
    assert vendors.requests() == []


def test_segments_that_are_numbers_are_ids_too(vendors: Sandbox, task: Task) -> None:
    body = {"id": "sub_1", "status": "active", "segments": [{"id": "6"}]}
    vendors.fault(SEGMENTS, "status", status=200, body=body)
    with pytest.raises(ApiError, match="in the segments 5"):
        joining(segments=[5, 6]).execute(task.context)


@pytest.mark.parametrize("status", ["active", "unconfirmed"])
def test_unsubscribing_that_the_answer_denies(status: str, ada: str, vendors: Sandbox, task: Task) -> None:
    vendors.fault(UNSUBSCRIBE, "status", status=200, body={"id": ada, "status": status})
    with pytest.raises(ApiError, match=f"shows the subscriber {ada} as {status}, not as unsubscribed"):
        leaving().execute(task.context)


def test_unsubscribing_somebody_whose_mail_bounces_is_no_error(vendors: Sandbox, task: Task) -> None:
    assert leaving("di@example.com").execute(task.context)["status"] == "bounced"


@pytest.mark.parametrize("make", [joining, leaving, entering])
@pytest.mark.parametrize("who", ["", "  ", None, 5, ["ada@example.com"], f"{'a' * 250}@example.com"])
def test_odd_names_are_refused_and_not_quoted(make: Any, who: Any, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError, match="id_or_email must be a subscriber's id or e-mail address") as caught:
        make(who).execute(task.context)
    assert "@" not in str(caught.value)
    assert vendors.requests() == []


@pytest.mark.parametrize("make", [joining, leaving, entering])
def test_unknown_people(make: Any, vendors: Sandbox, task: Task, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(NotFoundError) as caught:
        make("nobody.here@example.com").execute(task.context)
    assert "nobody.here" not in str(caught.value) + repr(caught.value.__dict__) + caplog.text
    assert task.store.values == {}


def test_rendering(vendors: Sandbox, task: Task) -> None:
    operator = joining("{{ person }}@example.com", segments=["seg_vips"])
    assert operator.execute({**task.context, "person": "ada"})["status"] == "active"
    assert operator.id_or_email == "{{ person }}@example.com"  # type: ignore[attr-defined]


@pytest.mark.parametrize("by", ["address", "id"])
def test_entry(by: str, ada: str, vendors: Sandbox, task: Task, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        result = entering(ADA if by == "address" else ada).execute(task.context)
    assert result == {"subscriber_id": ada, "workflow_id": "wf_welcome"}
    assert entries(vendors) == 1
    stored = json.dumps(task.store.values) + caplog.text
    assert ada in stored
    assert "ada@" not in stored
    assert task.record["reference"] == f"subscriber {ada} in workflow wf_welcome"


@pytest.mark.parametrize("begin", ["retry", "clear"])
def test_second_try_attaches(begin: str, ada: str, vendors: Sandbox, task: Task) -> None:
    first = entering().execute(task.context)
    getattr(task, begin)()
    # She has completed it, and could enter again.
    vendors.advance(1_000)
    assert entering(workflow_id="wf_welcome").execute(task.context) == first
    assert entries(vendors) == 1


def test_clearing_may_submit_anew(ada: str, vendors: Sandbox, task: Task) -> None:
    entering(workflow_id="wf_viewing").execute(task.context)
    vendors.advance(1_000)
    task.clear()
    entering(workflow_id="wf_viewing", resubmit=True).execute(task.context)
    assert entries(vendors) == 2


@pytest.mark.parametrize(("fault", "made"), [("drop_after", 1), ("reset_after", 1), ("drop_before", 0)])
def test_lost_entries_are_a_persons_business(fault: str, made: int, ada: str, vendors: Sandbox, task: Task) -> None:
    vendors.fault(ENTER, fault)
    for _ in range(3):
        with pytest.raises(OutcomeUnknownError) as caught:
            entering(workflow_id="wf_viewing").execute(task.context)
        assert f"Look at Flodesk for the reference 'subscriber {ada} in workflow wf_viewing'" in str(caught.value)
        assert "ada@" not in str(caught.value) + json.dumps(task.store.values)
        assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "fail"
        task.clear()
        vendors.advance(1_000)
    assert entries(vendors) == made


@pytest.mark.slow
def test_entry_that_never_left_is_sent_again(ada: str, vendors: Sandbox, task: Task) -> None:
    vendors.fault(ENTER, "rate_limit", retry_after=1)
    assert entering().execute(task.context)["subscriber_id"] == ada
    assert entries(vendors) == 1


def test_killed_before_it_left(ada: str, vendors: Sandbox, task: Task) -> None:
    def die(moment: str, value: Any) -> None:
        if (moment, step_of(value)) == ("after", "intent"):
            raise WorkerDiedError

    task.store.interrupt = die
    with pytest.raises(WorkerDiedError):
        entering().execute(task.context)
    task.store.interrupt = None
    task.retry()
    assert entering().execute(task.context)["subscriber_id"] == ada
    assert entries(vendors) == 1


@pytest.mark.parametrize(("when", "step", "made"), [("after", "leaving", 0), ("before", "submitted", 1)])
def test_killed(*, when: str, step: str, made: int, ada: str, vendors: Sandbox, task: Task) -> None:
    def die(moment: str, value: Any) -> None:
        if (moment, step_of(value)) == (when, step):
            raise WorkerDiedError

    task.store.interrupt = die
    with pytest.raises(WorkerDiedError):
        entering().execute(task.context)
    task.store.interrupt = None
    task.retry()
    with pytest.raises(OutcomeUnknownError, match="the task died before an answer was recorded"):
        entering().execute(task.context)
    assert entries(vendors) == made


def test_refused_entries_may_be_repeated(ada: str, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError, match="cannot be added to this workflow"):
        entering(workflow_id="wf_paused").execute(task.context)
    assert task.record["state"] == "refused"
    task.clear()
    entering().execute(task.context)
    assert entries(vendors) == 1


def test_another_subscriber_is_not_a_second_order(ada: str, vendors: Sandbox, task: Task) -> None:
    entering().execute(task.context)
    task.retry()
    with pytest.raises(ValidationError, match="these fields differ: id"):
        entering("bo@example.com").execute(task.context)
    assert entries(vendors) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"id": "sub_9", "email": "bo@example.com"},
        {"id": "sub_9"},
        {"id": "sub_9", "email": 5},
        {"id": "ada@example.com", "email": "ada@example.com"},
    ],
)
def test_vendor_that_names_somebody_else(answer: Any, vendors: Sandbox, task: Task) -> None:
    vendors.fault(READ, "status", status=200, body=answer)
    with pytest.raises(MalformedResponseError, match="another subscriber than was asked for"):
        entering().execute(task.context)
    assert task.store.values == {}
    assert entries(vendors) == 0


def test_vendor_that_cannot_be_asked_who_it_is(vendors: Sandbox, task: Task) -> None:
    vendors.fault(READ, "status", status=503, count=None)
    with pytest.raises(ServerError):
        entering().execute(task.context)
    assert task.store.values == {}
    vendors.clear_faults()
    task.retry()
    entering().execute(task.context)
    assert entries(vendors) == 1
