# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a later try makes of what an earlier one left behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import (
    ApiError,
    AuthenticationError,
    MalformedResponseError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitError,
    ValidationError,
)
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.submission.intent import KEY_TRUSTED
from tests.unit.context import Task, WorkerDiedError
from tests.unit.submission.vendor import Clock, Vendor, submission, submit, task_key, unknown


def test_receipt_is_attached_to(task: Task) -> None:
    vendor = Vendor()
    first = submit(task, vendor)
    task.retry()
    assert submit(task, vendor) == first
    task.clear()
    assert submit(task, vendor) == first
    assert len(vendor.sent) == 1


def test_refused_is_sent_again_under_the_next_key(task: Task) -> None:
    vendor = Vendor(script=[(False, ValidationError("no such plan"))])
    with pytest.raises(ValidationError, match="no such plan"):
        submit(task, vendor)
    assert task.record["state"] == "refused"
    task.retry()
    record = submit(task, vendor, vendor.request({"name": "corrected"}))
    assert record.generation == 2
    assert next(call.idempotency_key for call in vendor.sent) != record.key
    assert vendor.executed == [(record.key, {"name": "corrected"})]


def test_failed_at_the_vendor_is_sent_again_under_the_next_key(task: Task) -> None:
    vendor = Vendor()
    first = submit(task, vendor)
    submission(task).fail(first)
    task.retry()
    second = submit(task, vendor)
    assert (first.generation, second.generation) == (1, 2)
    assert first.key != second.key


@pytest.mark.parametrize("error", [NotSentError("no route"), RateLimitError("429", retry_after=5)])
def test_not_executed_leaves_no_doubt(task: Task, error: ApiError) -> None:
    vendor = Vendor(keyed=False, script=[(False, error)])
    with pytest.raises(type(error)):
        submit(task, vendor)
    task.retry()
    assert submit(task, vendor).receipt == {"id": "id_1"}


def test_changed_request_is_an_error_that_names_the_fields(task: Task) -> None:
    vendor = Vendor()
    submit(task, vendor)
    task.retry()
    with pytest.raises(ValidationError, match="these fields differ: extra, size") as caught:
        submit(task, vendor, vendor.request({"name": "a", "size": 2, "extra": "x"}))
    assert "airflow mkt submissions forget" in str(caught.value)
    assert "Vendor" in str(caught.value)
    assert len(vendor.sent) == 1


def test_changed_request_is_an_error_for_a_doubtful_one_too(task: Task) -> None:
    vendor = Vendor(script=[(True, unknown())])
    with pytest.raises(OutcomeUnknownError):
        submit(task, vendor)
    task.retry()
    with pytest.raises(ValidationError, match="these fields differ: size"):
        submit(task, vendor, vendor.request({"name": "a", "size": 2}))
    assert len(vendor.sent) == 1


def test_preparation_happens_before_anything_is_recorded(task: Task) -> None:
    def refuse() -> dict[str, Any]:
        raise ValidationError("start_date is in the past")

    vendor = Vendor()
    with pytest.raises(ValidationError, match="in the past"):
        submit(task, vendor, vendor.request(prepare=refuse))
    assert task.store.values == {}
    assert vendor.sent == []
    submit(task, vendor, vendor.request(prepare=lambda: {"was": 1}))
    task.retry()
    # What can only be refused at first is not asked of a try that attaches.
    assert submit(task, vendor, vendor.request(prepare=refuse)).baseline == {"was": 1}


# Keyed


@pytest.mark.parametrize("error", [unknown(), MalformedResponseError("half a body", executed=True), WorkerDiedError()])
@pytest.mark.parametrize("executes", [True, False])
def test_keyed_is_settled_by_the_next_try(task: Task, error: BaseException, executes: bool) -> None:
    vendor = Vendor(script=[(executes, error)])
    with pytest.raises(type(error)) as caught:
        submit(task, vendor)
    if isinstance(error, ApiError):
        assert caught.value.resolvable  # type: ignore[attr-defined]
        assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "default"
    task.retry()
    assert submit(task, vendor).receipt == {"id": "id_1"}
    assert len(vendor.executed) == 1


def test_keyed_is_not_sent_again_with_a_key_that_may_have_been_forgotten(task: Task) -> None:
    clock = Clock()
    vendor = Vendor(script=[(True, unknown())])
    with pytest.raises(OutcomeUnknownError):
        submit(task, vendor, clock=clock)
    clock.now += KEY_TRUSTED - 1
    vendor.script = [(True, unknown())]
    with pytest.raises(OutcomeUnknownError):
        submit(task, vendor, clock=clock)
    assert len(vendor.sent) == 2
    clock.now += 2
    with pytest.raises(OutcomeUnknownError) as caught:
        submit(task, vendor, clock=clock)
    assert len(vendor.sent) == 2
    assert not caught.value.resolvable


def test_a_rate_limit_leaves_the_doubt_and_is_told_as_it_is(task: Task) -> None:
    limit = RateLimitError("429", retry_after=900)
    vendor = Vendor(script=[(True, unknown()), (False, limit)])
    with pytest.raises(OutcomeUnknownError):
        submit(task, vendor)
    task.retry()
    with pytest.raises(RateLimitError) as caught:
        submit(task, vendor)
    assert caught.value is limit
    assert (task.record["state"], task.record["doubtful"]) == ("intent", True)
    assert submit(task, vendor).receipt == {"id": "id_1"}
    assert len(vendor.executed) == 1


def test_a_later_refusal_does_not_hide_that_the_first_try_did_happen(task: Task) -> None:
    confirmed = MalformedResponseError("the body is HTML", executed=True)
    vendor = Vendor(script=[(True, confirmed), (False, ValidationError("no", status=400))])
    for _ in range(2):
        with pytest.raises(MalformedResponseError, match="was submitted at") as caught:
            submit(task, vendor)
        assert caught.value.executed
        task.retry()
    assert submit(task, vendor).receipt == {"id": "id_1"}


@pytest.mark.parametrize("refusal", [AuthenticationError("401"), ValidationError("scheduledFor is in the past")])
def test_a_later_refusal_does_not_hide_that_the_first_try_may_have_happened(task: Task, refusal: ApiError) -> None:
    vendor = Vendor(script=[(True, unknown()), (False, refusal)])
    with pytest.raises(OutcomeUnknownError):
        submit(task, vendor)
    task.retry()
    with pytest.raises(OutcomeUnknownError) as caught:
        submit(task, vendor)
    assert caught.value.reference == "launch/run/publish"
    assert str(refusal) in str(caught.value)
    task.retry()
    assert submit(task, vendor).receipt == {"id": "id_1"}
    assert len(vendor.executed) == 1


# Adopted by a person


def test_adopted_ids_are_attached_to(task: Task) -> None:
    vendor = Vendor(keyed=False, script=[(True, unknown())])
    with pytest.raises(OutcomeUnknownError):
        submit(task, vendor)
    record = submission(task).record()
    assert record is not None
    submission(task)._file.overwrite(record.adopt(["id_7"]))
    task.clear()
    assert submit(task, vendor).receipt["id"] == "id_7"
    assert len(vendor.sent) == 1


def test_adopted_ids_are_attached_to_once_even_when_asked_to_submit_anew(task: Task) -> None:
    vendor = Vendor(keyed=False, script=[(True, unknown())])
    with pytest.raises(OutcomeUnknownError):
        submit(task, vendor)
    record = submission(task).record()
    assert record is not None
    submission(task)._file.overwrite(record.adopt(["id_7"]))
    task.clear()
    assert submit(task, vendor, resubmit=True).receipt["id"] == "id_7"
    task.retry()
    assert submit(task, vendor, resubmit=True).receipt["id"] == "id_7"
    assert len(vendor.sent) == 1
    task.clear()
    assert submit(task, vendor, resubmit=True).generation == 2


def test_forgotten_is_sent_under_the_next_key(task: Task) -> None:
    vendor = Vendor(script=[(True, unknown())])
    with pytest.raises(OutcomeUnknownError):
        submit(task, vendor)
    ours = submission(task)
    record = ours.record()
    assert record is not None
    ours._file.overwrite(record.forget())
    task.clear()
    again = submit(task, vendor, vendor.request({"name": "b", "size": 2}))
    assert (again.generation, again.receipt) == (2, {"id": "id_2"})
    assert len({call.idempotency_key for call in vendor.sent}) == 2


def test_an_open_submission_is_not_taken_to_another_account(task: Task) -> None:
    vendor = Vendor(script=[(True, unknown())])
    with pytest.raises(OutcomeUnknownError):
        submit(task, vendor)
    elsewhere = submission(task, key=replace(task_key(task), conn_id="other"))
    with pytest.raises(ValidationError, match="'vendor_default'; now it is 'other'"):
        elsewhere.submit(vendor.request(), vendor.send, vendor.run)
    assert len(vendor.sent) == 1
    # A record of an earlier version does not say where it was sent.
    task.store.set("mkt.submission.0", {name: value for name, value in task.record.items() if name != "conn_id"})
    assert elsewhere.submit(vendor.request(), vendor.send, vendor.run).receipt == {"id": "id_1"}
    # With a receipt there is nothing to be sent.
    assert submit(task, vendor).receipt == {"id": "id_1"}


@pytest.mark.parametrize("ids", [[], ["id_1", "id_2"]])
def test_adopting_takes_one_id_where_there_is_one(task: Task, ids: list[str]) -> None:
    record = submit(task, Vendor())
    with pytest.raises(ValueError, match="id takes exactly one id"):
        record.adopt(ids)
    several = replace(record, id_field="campaign_tracking_ids")
    if ids:
        assert several.adopt(ids).receipt["campaign_tracking_ids"] == ids


@pytest.mark.parametrize("odd", ["", " ", "id_1 id_2", "id_1\n", "\x1b[2J", "-"])
def test_what_is_no_id_is_not_adopted(task: Task, odd: str) -> None:
    """An empty variable of a shell (``--ids "$ID"``) is no proof of a launch."""
    record = submit(task, Vendor())
    with pytest.raises(ValueError, match=r"an id is a word without blanks|this is no batch"):
        record.adopt([odd])


# Submitted again on purpose


def test_anew_counts_once_per_clear(task: Task) -> None:
    vendor = Vendor()
    assert submit(task, vendor, resubmit=True).generation == 1
    task.retry()
    assert submit(task, vendor, resubmit=True).generation == 1
    task.clear()
    assert submit(task, vendor, resubmit=True).generation == 2
    task.retry()
    assert submit(task, vendor, resubmit=True).generation == 2
    task.clear()
    assert submit(task, vendor, resubmit=True).generation == 3
    assert len({key for key, _ in vendor.executed}) == 3


def test_anew_takes_the_changed_request(task: Task) -> None:
    vendor = Vendor()
    submit(task, vendor)
    task.clear()
    record = submit(task, vendor, vendor.request({"name": "b"}), resubmit=True)
    assert record.body == {"name": "b"}
    task.retry()
    with pytest.raises(ValidationError, match="differ: name"):
        submit(task, vendor, vendor.request({"name": "c"}), resubmit=True)


def test_anew_is_the_way_on_after_an_unknown_outcome(task: Task) -> None:
    vendor = Vendor(keyed=False, script=[(False, unknown())])
    with pytest.raises(OutcomeUnknownError):
        submit(task, vendor, resubmit=True)
    task.retry()
    with pytest.raises(OutcomeUnknownError):
        submit(task, vendor, resubmit=True)
    task.clear()
    assert submit(task, vendor, resubmit=True).generation == 2


def test_anew_that_is_refused_at_once_keeps_what_is_recorded(task: Task) -> None:
    def refuse() -> dict[str, Any]:
        raise ValidationError("start_date is in the past")

    vendor = Vendor()
    first = submit(task, vendor)
    task.clear()
    with pytest.raises(ValidationError):
        submit(task, vendor, vendor.request(prepare=refuse), resubmit=True)
    task.retry()
    assert submit(task, vendor).receipt == first.receipt
