# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The record of a submission: what a later try makes of what an earlier one left behind."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import NEVER_EXPIRE
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from airflow_provider_mkt.client.endpoint import Call, Endpoint, Safety
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
from airflow_provider_mkt.submission.record import ADOPTED, INTENT, SUBMITTED, Record, fingerprint
from airflow_provider_mkt.submission.request import ABSENT, SubmissionRequest, TaskKey
from airflow_provider_mkt.submission.submit import KEY_TRUSTED, SETTLED, Submission
from tests.unit.context import Store, Task, WorkerDiedError

KEYED = Endpoint("POST", "/things", Safety.KEYED)
ONCE = Endpoint("POST", "/things", Safety.ONCE)
LIST = Endpoint("GET", "/things", Safety.READ)
HOUR = 3600.0


@dataclass
class Vendor:
    """A vendor that carries out what reaches it, and answers as the script says.

    :param conclusive: whether its list shows everything, so that what is not there did not happen
    :param script: for each request: "ok", or an error, and whether it was carried out before that error
    :param executed: idempotency key and body of everything that was carried out
    :param kept: first answers by idempotency key
    """

    keyed: bool = True
    traceable: bool = False
    conclusive: bool = False
    script: list[tuple[bool, BaseException | None]] = field(default_factory=list)
    executed: list[tuple[str, Any]] = field(default_factory=list)
    sent: list[Call] = field(default_factory=list)
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)

    def send(self, call: Call) -> Any:
        if call.endpoint is LIST:
            return [{"id": f"id_{number}", "key": key} for number, (key, _) in enumerate(self.executed, 1)]
        self.sent.append(call)
        executes, error = self.script.pop(0) if self.script else (True, None)
        key = str(call.idempotency_key)
        if executes and not (self.keyed and key in self.kept):
            self.executed.append((key, call.body))
            self.kept[key] = {"id": f"id_{len(self.executed)}"}
        if error:
            raise error
        return self.kept[key]

    def ids(self, key: str) -> list[str]:
        """Return the ids of what was carried out under ``key``."""
        return [f"id_{number}" for number, (known, _) in enumerate(self.executed, 1) if known == key]

    def run(self, talk: Generator[Call, Any, Any]) -> Any:
        try:
            call = next(talk)
            while True:
                call = talk.send(self.send(call))
        except StopIteration as end:
            return end.value

    def request(self, body: Any = None, **parts: Any) -> SubmissionRequest:
        endpoint = KEYED if self.keyed else ONCE

        def trace(record: Record) -> Generator[Call, Any, dict[str, Any] | None]:
            rows = yield LIST()
            found = next(({"id": row["id"]} for row in rows if row["key"] == record.key), None)
            return found or (ABSENT if self.conclusive else None)

        return SubmissionRequest(
            vendor="Vendor",
            what="thing",
            body={"name": "a", "size": 1} if body is None else body,
            call=lambda frozen, key: endpoint(body=frozen, idempotency_key=key),
            receipt=lambda answer: {"id": answer["id"]},
            reference="launch/run/publish",
            id_field="id",
            trace=trace if self.traceable else None,
            **parts,
        )


@dataclass
class Clock:
    now: float = 1_780_000_000.0

    def __call__(self) -> float:
        return self.now


def task_key(task: Task) -> TaskKey:
    return TaskKey.of(task.context, "vendor_default")  # type: ignore[arg-type]


def submit(
    task: Task, vendor: Vendor, request: SubmissionRequest | None = None, *, resubmit: bool = False, clock: Any = None
) -> Record:
    submission = Submission(task.store, task_key(task), clock=clock or Clock())
    return submission.submit(request or vendor.request(), vendor.send, vendor.run, resubmit=resubmit)


def poll(task: Task, vendor: Vendor) -> Record:
    """Settle what nobody could know, as a person does: hand over the id of what is there, forget what is not."""
    submission = Submission(task.store, task_key(task))
    record = submission.record()
    assert record is not None
    ids = vendor.ids(record.key)
    return submission._save(record.adopt(ids) if ids else record.forget())


def unknown(message: str = "the connection was reset") -> OutcomeUnknownError:
    return OutcomeUnknownError(message, vendor="Vendor", method="POST", path="/things")


# What is written, and when


def test_intent_then_request_then_receipt(task: Task) -> None:
    seen: list[Any] = []
    vendor = Vendor()
    task.store.interrupt = lambda when, value: seen.append((when, value["state"], len(vendor.executed)))
    record = submit(task, vendor)
    assert seen == [
        ("before", "intent", 0),
        ("after", "intent", 0),
        ("before", "submitted", 1),
        ("after", "submitted", 1),
    ]
    assert record.receipt == {"id": "id_1"}
    assert record.generation == 1
    assert task.store.retentions == [NEVER_EXPIRE, NEVER_EXPIRE]
    assert task.record["body"] == {"name": "a", "size": 1}


def test_frozen_body_and_key_are_what_is_sent_again(task: Task) -> None:
    vendor = Vendor(script=[(True, unknown())])
    with pytest.raises(OutcomeUnknownError):
        submit(task, vendor)
    task.retry()
    assert submit(task, vendor).receipt == {"id": "id_1"}
    first, second = vendor.sent
    assert (first.idempotency_key, first.body) == (second.idempotency_key, second.body)
    assert len(vendor.executed) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"dag_id": "other"},
        {"run_id": "other"},
        {"task_id": "other"},
        {"map_index": 1},
    ],
)
def test_key_names_the_task(task: Task, other: dict[str, Any]) -> None:
    keys = set()
    for each in (Task(), Task(**other)):
        keys.add(submit(each, Vendor()).key)
    assert len(keys) == 2


def test_key_depends_on_connection_operation_and_vendor_not_on_try_or_body(task: Task) -> None:
    vendor = Vendor()
    first = submit(task, vendor).key
    again = Task(retries=7)
    again.try_number = 5
    assert submit(again, vendor, vendor.request({"other": "body"})).key == first
    other_connection = Submission(Store(), TaskKey.of(task.context, "second"))  # type: ignore[arg-type]
    other_operation = Submission(Store(), task_key(task), operation=1)
    keys = {each.submit(vendor.request(), vendor.send, vendor.run).key for each in (other_connection, other_operation)}
    assert len({first, *keys}) == 3


def test_operations_have_records_of_their_own(task: Task) -> None:
    vendor = Vendor()
    for number in range(3):
        Submission(task.store, task_key(task), number).submit(vendor.request(), vendor.send, vendor.run)
    assert len(vendor.executed) == 3
    for number in range(3):
        Submission(task.store, task_key(task), number).submit(vendor.request(), vendor.send, vendor.run)
    assert len(vendor.executed) == 3


def test_keys_never_change(task: Task) -> None:
    """An unfinished launch of an earlier version must not look new to the vendor."""
    assert submit(task, Vendor()).key == "679a094e-eca3-5a0d-9097-2d0e227de7dc"
    vendor = Vendor(script=[(False, ValidationError("no"))])
    submission = Submission(task.store, task_key(task), "3.1", clock=Clock())
    with pytest.raises(ValidationError):
        submission.submit(vendor.request(), vendor.send, vendor.run)
    assert submission.submit(vendor.request(), vendor.send, vendor.run).key == "e693bfc5-5662-523c-bbce-e5d78b0933d2"
    assert "mkt.submission.3.1" in task.store.values


def test_a_record_that_follows_another_one_is_void(task: Task) -> None:
    vendor = Vendor()
    submission = Submission(task.store, task_key(task), "0.1", clock=Clock())
    first = submission.submit(vendor.request(follows="a"), vendor.send, vendor.run)
    assert submission.current(follows="a") == first
    assert submission.current(follows="b") is None
    assert submission.submit(vendor.request(follows="a"), vendor.send, vendor.run) == first
    second = submission.submit(vendor.request(follows="b"), vendor.send, vendor.run)
    assert (second.generation, second.follows) == (2, "b")
    assert [key for key, _ in vendor.executed] == [first.key, second.key]


@pytest.mark.parametrize("state", ["intent", "submitted", "refused", "failed"])
def test_what_the_next_try_goes_by(task: Task, state: str) -> None:
    record = submit(task, Vendor())
    submission = Submission(task.store, task_key(task))
    submission._save(replace(record, state=state))
    current = state in ("intent", "submitted")
    assert (submission.current() is not None) is current
    # Anew means: after a clear, and once.
    assert (submission.current(resubmit=True) is not None) is current
    task.clear()
    cleared = Submission(task.store, task_key(task))
    assert (cleared.current() is not None) is current
    assert cleared.current(resubmit=True) is None


def test_parts_of_a_batch_are_adopted_one_by_one(task: Task) -> None:
    record = submit(task, Vendor(), Vendor().request(parts=3))
    adopted = replace(record, id_field="post_ids").adopt(["a", "-", "c"])
    assert adopted.receipt == {"post_ids": ["a", None, "c"], "status": "adopted"}
    for ids in ([], ["a"], ["a", "b", "c", "d"]):
        with pytest.raises(ValueError, match=rf"takes 3 ids, one for each part of the batch.*got {len(ids)}"):
            record.adopt(ids)


def test_fingerprint_is_of_the_content() -> None:
    assert fingerprint({"a": 1, "b": [1, 2]}) == fingerprint({"b": [1, 2], "a": 1})
    assert fingerprint({"a": [1, 2]}) != fingerprint({"a": [2, 1]})


# Reference


@pytest.mark.parametrize(
    ("map_index", "expected"),
    [(-1, "launch/r1/publish"), (None, "launch/r1/publish"), (0, "launch/r1/publish/0"), (7, "launch/r1/publish/7")],
)
def test_reference_is_readable(map_index: int | None, expected: str) -> None:
    assert task_key(Task(run_id="r1", map_index=map_index)).reference == expected


def test_long_references_stay_different_and_within_255_characters() -> None:
    references = [task_key(Task(dag_id="d" * 200, run_id="r" * 200, map_index=index)).reference for index in range(50)]
    assert {len(each) for each in references} == {255}
    assert len(set(references)) == 50
    exact = Task(dag_id="d" * (255 - len("/r1/publish")), run_id="r1")
    assert task_key(exact).reference.endswith("/publish")


# What a later try does


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
    Submission(task.store, task_key(task)).fail(first)
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


# Once, and nobody can know


def test_once_unknown_stays_unknown_for_ever(task: Task) -> None:
    vendor = Vendor(keyed=False, script=[(True, unknown())])
    messages = []
    for turn in range(4):
        with pytest.raises(OutcomeUnknownError) as caught:
            submit(task, vendor)
        messages.append(str(caught.value))
        assert caught.value.reference == "launch/run/publish"
        assert not caught.value.resolvable
        assert DEFAULT.evaluate(caught.value, turn, 2).action.value == "fail"
        task.clear() if turn == 2 else task.retry()
    assert len(vendor.sent) == len(vendor.executed) == 1
    assert "the connection was reset" in messages[0]
    assert len(set(messages[1:])) == 1
    for each in messages:
        assert "Vendor" in each
        assert "'launch/run/publish'" in each
        assert "2026-" in each
        assert "airflow mkt submissions adopt" in each.replace("\n", " ")
        assert "airflow mkt submissions forget" in each


def test_once_after_a_lost_worker_is_unknown(task: Task) -> None:
    vendor = Vendor(keyed=False, script=[(True, WorkerDiedError())])
    with pytest.raises(WorkerDiedError):
        submit(task, vendor)
    task.retry()
    with pytest.raises(OutcomeUnknownError, match="the task died before an answer was recorded"):
        submit(task, vendor)
    assert len(vendor.executed) == 1


def test_unreadable_success_is_reported_as_executed(task: Task) -> None:
    vendor = Vendor(keyed=False, script=[(True, MalformedResponseError("the body is HTML", executed=True))])
    with pytest.raises(MalformedResponseError, match="was submitted at") as caught:
        submit(task, vendor)
    assert caught.value.executed
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "fail"
    task.retry()
    with pytest.raises((OutcomeUnknownError, MalformedResponseError)):
        submit(task, vendor)
    assert len(vendor.sent) == 1


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


# Traceable


@pytest.mark.parametrize("error", [unknown(), WorkerDiedError()])
def test_traceable_is_found_at_the_vendor(task: Task, error: BaseException) -> None:
    vendor = Vendor(keyed=False, traceable=True, script=[(True, error)])
    with pytest.raises(type(error)):
        submit(task, vendor)
    task.retry()
    assert submit(task, vendor).receipt == {"id": "id_1"}
    assert len(vendor.sent) == 1
    assert task.record["state"] == "submitted"


def test_traceable_that_the_vendor_does_not_show_is_not_guessed(task: Task) -> None:
    vendor = Vendor(keyed=False, traceable=True, script=[(False, unknown())])
    for _ in range(3):
        with pytest.raises(OutcomeUnknownError) as caught:
            submit(task, vendor)
        assert caught.value.resolvable
        task.retry()
    assert len(vendor.sent) == 1


def test_traceable_that_the_vendor_certainly_does_not_have_is_sent_again(task: Task) -> None:
    vendor, clock = Vendor(keyed=False, traceable=True, conclusive=True, script=[(False, unknown())]), Clock()
    with pytest.raises(OutcomeUnknownError):
        submit(task, vendor, clock=clock)
    clock.now += SETTLED - 1
    # The vendor may still be at work on it.
    with pytest.raises(OutcomeUnknownError) as caught:
        submit(task, vendor, clock=clock)
    decision = DEFAULT.evaluate(caught.value, 1, 2)
    assert decision.retry_delay == timedelta(seconds=1)
    clock.now += 1
    record = submit(task, vendor, clock=clock)
    assert (record.generation, record.receipt) == (2, {"id": "id_1"})
    assert len(vendor.executed) == 1


def test_failing_to_ask_the_vendor_changes_nothing(task: Task) -> None:
    vendor = Vendor(keyed=False, traceable=True, script=[(True, unknown())])
    with pytest.raises(OutcomeUnknownError):
        submit(task, vendor)
    task.retry()

    def deaf(talk: Any) -> Any:
        raise NotSentError("no route")

    with pytest.raises(NotSentError):
        Submission(task.store, task_key(task)).submit(vendor.request(), vendor.send, deaf)
    assert submit(task, vendor).receipt == {"id": "id_1"}
    assert len(vendor.sent) == 1


# Adopted by a person


def test_adopted_ids_are_attached_to(task: Task) -> None:
    vendor = Vendor(keyed=False, script=[(True, unknown())])
    with pytest.raises(OutcomeUnknownError):
        submit(task, vendor)
    record = Submission(task.store, task_key(task)).record()
    assert record is not None
    Submission(task.store, task_key(task))._save(record.adopt(["id_7"]))
    task.clear()
    assert submit(task, vendor).receipt["id"] == "id_7"
    assert len(vendor.sent) == 1


def test_adopted_ids_are_attached_to_once_even_when_asked_to_submit_anew(task: Task) -> None:
    vendor = Vendor(keyed=False, script=[(True, unknown())])
    with pytest.raises(OutcomeUnknownError):
        submit(task, vendor)
    record = Submission(task.store, task_key(task)).record()
    assert record is not None
    Submission(task.store, task_key(task))._save(record.adopt(["id_7"]))
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
    submission = Submission(task.store, task_key(task))
    record = submission.record()
    assert record is not None
    submission._save(record.forget())
    task.clear()
    again = submit(task, vendor, vendor.request({"name": "b", "size": 2}))
    assert (again.generation, again.receipt) == (2, {"id": "id_2"})
    assert len({call.idempotency_key for call in vendor.sent}) == 2


def test_an_open_submission_is_not_taken_to_another_account(task: Task) -> None:
    vendor = Vendor(script=[(True, unknown())])
    with pytest.raises(OutcomeUnknownError):
        submit(task, vendor)
    elsewhere = Submission(task.store, replace(task_key(task), conn_id="other"), clock=Clock())
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


# Anew


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


# Any sequence of tries, crashes, clears and answers


class Attempts(RuleBasedStateMachine):
    """One task, one vendor, anything that may happen to them; three kinds of vendors."""

    keyed = True
    traceable = False
    conclusive = False

    def __init__(self) -> None:
        super().__init__()
        self.task = Task(retries=3)
        self.vendor = Vendor(self.keyed, self.traceable, self.conclusive)
        self.clock = Clock()
        self.resubmit = False
        self.changed = False
        self.handed: Record | None = None  # what a person has made of the record, until a try goes by it
        self.wanted = 1  # how many effects there may be
        self.first_key_use: dict[str, float] = {}

    @property
    def state(self) -> str | None:
        return (self.task.store.get("mkt.submission.0") or {}).get("state")

    def request(self) -> SubmissionRequest:
        return self.vendor.request({"name": "b" if self.changed else "a"})

    def effects(self, key: str) -> int:
        return len(self.vendor.ids(key))

    @rule(
        executes=st.booleans(),
        error=st.sampled_from(["ok", "unknown", "malformed", "died"]),
        crash=st.sampled_from(
            [None, ("before", "intent"), ("after", "intent"), ("before", "submitted"), ("after", "submitted")]
        ),
        doubtful_crash=st.sampled_from([None, "before", "after"]),
    )
    def attempt(self, executes: bool, error: str, crash: tuple[str, str] | None, doubtful_crash: str | None) -> None:
        """One try whose request may get through, get lost, or lose its answer; the worker may die at any write."""
        errors: dict[str, BaseException] = {
            "unknown": unknown(),
            "malformed": MalformedResponseError("unreadable", executed=True),
            "died": WorkerDiedError(),
        }
        # A readable or unreadable success was executed; only a lost answer leaves that open.
        script = (executes or error in ("ok", "malformed"), errors.get(error))
        self._try(script, crash, doubtful_crash)

    @rule(error=st.sampled_from(["refused", "denied", "not sent", "throttled"]))
    def refused_attempt(self, error: str) -> None:
        """One try whose request was certainly not executed."""
        errors = {
            "refused": ValidationError("400"),
            "denied": AuthenticationError("401"),
            "not sent": NotSentError("refused"),
            "throttled": RateLimitError("429", retry_after=1.0),
        }
        self._try((False, errors[error]), None, None)

    def _try(self, script: Any, crash: tuple[str, str] | None, doubtful_crash: str | None) -> None:
        before = self.task.store.get("mkt.submission.0")
        self.vendor.script = [script]
        self.task.store.interrupt = self._interrupt(crash, doubtful_crash)
        # A vendor forgets keys after a day.
        for key, begun in list(self.first_key_use.items()):
            if self.clock.now - begun > 24 * HOUR:
                self.vendor.kept.pop(key, None)
                del self.first_key_use[key]
        error: BaseException | None = None
        record: Record | None = None
        sent = len(self.vendor.sent)
        try:
            record = submit(self.task, self.vendor, self.request(), resubmit=self.resubmit, clock=self.clock)
        except (ApiError, WorkerDiedError) as caught:
            error = caught
        finally:
            self.task.store.interrupt = None
        for call in self.vendor.sent[sent:]:
            self.first_key_use.setdefault(str(call.idempotency_key), self.clock.now)
        self._judge(before, record, error)
        if self.handed is not None:
            self._judge_handed(self.handed, record, error, self.vendor.sent[sent:])
        self.task.retry()

    def _interrupt(self, crash: tuple[str, str] | None, doubtful_crash: str | None) -> Callable[[str, Any], None]:
        def interrupt(when: str, value: dict[str, Any]) -> None:
            doubt = value["state"] == "intent" and value["doubtful"]
            if (doubt and when == doubtful_crash) or (not doubt and (when, value["state"]) == crash):
                raise WorkerDiedError

        return interrupt

    def _judge(self, before: dict[str, Any] | None, record: Record | None, error: BaseException | None) -> None:
        after = self.task.store.get("mkt.submission.0")
        if record is not None:
            assert self.vendor.ids(record.key) == [record.receipt["id"]], "success means that it happened, once"
            assert after["receipt"], "a success can be attached to"
        elif error is not None and not isinstance(error, WorkerDiedError) and before is not None:
            same = after["generation"] == before["generation"]
            if before["state"] == "intent" and same and not self._changed_refusal(error):
                assert after["state"] == "intent"
                known = (OutcomeUnknownError, MalformedResponseError, RateLimitError)
                assert isinstance(error, known), f"doubt is hidden by {error!r}"
        new_generation = before is not None and after["generation"] > before["generation"]
        if new_generation and before is not None:
            absent = before["state"] == "intent" and self.conclusive
            settled = before["state"] in ("refused", "failed") or absent
            asked = self.resubmit and before["clear_count"] not in (after["clear_count"], ADOPTED)
            assert settled or asked
            self.wanted += asked and before["state"] in ("intent", "submitted")
            if before["state"] == "refused" or (absent and not asked):
                assert self.effects(before["key"]) == 0, "sent again although it had happened"

    def _judge_handed(
        self, handed: Record, record: Record | None, error: BaseException | None, sent: list[Call]
    ) -> None:
        """The first try after a person has looked goes by what that person said, unless it dies or the DAG changed."""
        after = Record.of(self.task.store.get("mkt.submission.0"))
        if handed.state == SUBMITTED:
            assert not sent, "what a person handed over is attached to"
            assert after.key == handed.key
            assert record is not None or isinstance(error, WorkerDiedError) or self._changed_refusal(error)
        else:
            assert sent or isinstance(error, WorkerDiedError), "what a person had forgotten is submitted anew"
            assert handed.key not in {call.idempotency_key for call in sent}
        if record is not None or after != handed:
            self.handed = None

    @staticmethod
    def _changed_refusal(error: BaseException | None) -> bool:
        return isinstance(error, ValidationError) and "was recorded at" in str(error)

    @rule()
    def clear(self) -> None:
        """A user clears the task."""
        self.task.clear()

    @rule(value=st.booleans())
    def ask_for_resubmission(self, value: bool) -> None:
        """The author sets, or removes, ``resubmit=True``."""
        self.resubmit = value

    @rule(value=st.booleans())
    def change(self, value: bool) -> None:
        """The author changes the DAG, or changes it back."""
        self.changed = value

    @rule(hours=st.sampled_from([1, 19, 23]))
    def wait(self, hours: int) -> None:
        """Time passes between tries."""
        self.clock.now += hours * HOUR

    @precondition(lambda self: self.state == SUBMITTED and self.handed is None)
    @rule()
    def fails_at_the_vendor(self) -> None:
        """The vendor confirms that nothing came of it."""
        submission = Submission(self.task.store, task_key(self.task))
        record = submission.record()
        assert record is not None
        submission.fail(record)
        self.wanted += 1

    @precondition(lambda self: self.state == INTENT)
    @rule()
    def poll(self) -> None:
        """A person looks at the vendor, adopts what is there, and forgets what is not."""
        self.handed = poll(self.task, self.vendor)
        event(f"a person settles it as {self.handed.state}")

    @invariant()
    def never_twice(self) -> None:
        """No generation has more than one effect, and there is one launch, unless it failed or a person wants more."""
        for key in {key for key, _ in self.vendor.executed}:
            assert self.effects(key) == 1
        assert len(self.vendor.executed) <= self.wanted

    @invariant()
    def never_stuck(self) -> None:
        """From here, tried on a copy, a person who looks and clears gets what is there, or what was missing."""
        values = dict(self.task.store.values)
        task = replace(self.task, store=Store(values))
        vendor = replace(self.vendor, script=[], executed=[*self.vendor.executed], kept={**self.vendor.kept}, sent=[])
        task.try_number, task.max_tries = self.task.try_number, self.task.max_tries
        record = Submission(task.store, task_key(task)).record()
        if record is not None and record.state == INTENT:
            record = poll(task, vendor)
        task.clear()
        there = record is not None and record.state == SUBMITTED
        done = submit(task, vendor, vendor.request(record.body if record else {"name": "a"}), clock=self.clock)
        assert vendor.ids(done.key) == [done.receipt["id"]]
        assert len(vendor.executed) == len(self.vendor.executed) + (not there)


class KeyedAttempts(Attempts):
    pass


class OnceAttempts(Attempts):
    keyed = False


class TraceableAttempts(Attempts):
    keyed = False
    traceable = True


class ConclusiveAttempts(TraceableAttempts):
    conclusive = True


QUICK = settings(
    max_examples=100,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestKeyed = KeyedAttempts.TestCase
TestOnce = OnceAttempts.TestCase
TestTraceable = TraceableAttempts.TestCase
TestConclusive = ConclusiveAttempts.TestCase
TestKeyed.settings = TestOnce.settings = TestTraceable.settings = TestConclusive.settings = QUICK
