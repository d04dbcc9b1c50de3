# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What is written of a submission, and when; keys and references."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from airflow.sdk import NEVER_EXPIRE

from airflow_provider_mkt.exceptions import (
    OutcomeUnknownError,
    ValidationError,
)
from airflow_provider_mkt.submission.record import fingerprint
from tests.unit.context import Task
from tests.unit.submission.vendor import Vendor, submission, submit, task_key, unknown


def test_intent_then_fence_then_request_then_receipt(task: Task) -> None:
    seen: list[Any] = []
    vendor = Vendor()
    task.store.interrupt = lambda when, value: seen.append((when, value["state"], value["sent"], len(vendor.executed)))
    record = submit(task, vendor)
    assert seen == [
        ("before", "intent", False, 0),
        ("after", "intent", False, 0),
        ("before", "intent", True, 0),
        ("after", "intent", True, 0),
        ("before", "submitted", True, 1),
        ("after", "submitted", True, 1),
    ]
    assert record.receipt == {"id": "id_1"}
    assert record.generation == 1
    assert task.store.retentions == [NEVER_EXPIRE] * 3
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
    other_connection = submission(Task(), key=replace(task_key(task), conn_id="second"))  # type: ignore[arg-type]
    other_operation = submission(Task(), 1)
    keys = {each.submit(vendor.request(), vendor.send, vendor.run).key for each in (other_connection, other_operation)}
    assert len({first, *keys}) == 3


def test_operations_have_records_of_their_own(task: Task) -> None:
    vendor = Vendor()
    for number in range(3):
        submission(task, number).submit(vendor.request(), vendor.send, vendor.run)
    assert len(vendor.executed) == 3
    for number in range(3):
        submission(task, number).submit(vendor.request(), vendor.send, vendor.run)
    assert len(vendor.executed) == 3


def test_keys_never_change(task: Task) -> None:
    """An unfinished launch of an earlier version must not look new to the vendor."""
    key = replace(task_key(task), deployment="")
    vendor = Vendor()
    assert (
        submission(task, key=key).submit(vendor.request(), vendor.send, vendor.run).key
        == "679a094e-eca3-5a0d-9097-2d0e227de7dc"
    )
    vendor = Vendor(script=[(False, ValidationError("no"))])
    ours = submission(task, "3.1", key=key)
    with pytest.raises(ValidationError):
        ours.submit(vendor.request(), vendor.send, vendor.run)
    assert ours.submit(vendor.request(), vendor.send, vendor.run).key == "e693bfc5-5662-523c-bbce-e5d78b0933d2"
    assert "mkt.submission.3.1" in task.store.values


def test_a_record_that_follows_another_one_is_void(task: Task) -> None:
    vendor = Vendor()
    ours = submission(task, "0.1")
    first = ours.submit(vendor.request(follows="a"), vendor.send, vendor.run)
    assert ours.current(follows="a") == first
    assert ours.current(follows="b") is None
    assert ours.submit(vendor.request(follows="a"), vendor.send, vendor.run) == first
    second = ours.submit(vendor.request(follows="b"), vendor.send, vendor.run)
    assert (second.generation, second.follows) == (2, "b")
    assert [key for key, _ in vendor.executed] == [first.key, second.key]


@pytest.mark.parametrize("state", ["intent", "submitted", "refused", "failed"])
def test_what_the_next_try_goes_by(task: Task, state: str) -> None:
    record = submit(task, Vendor())
    ours = submission(task)
    ours._file.overwrite(replace(record, state=state))
    current = state in ("intent", "submitted")
    assert (ours.current() is not None) is current
    # Anew means: after a clear, and once.
    assert (ours.current(resubmit=True) is not None) is current
    task.clear()
    cleared = submission(task)
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
    [
        (-1, "tests/launch/r1/publish"),
        (None, "tests/launch/r1/publish"),
        (0, "tests/launch/r1/publish/0"),
        (7, "tests/launch/r1/publish/7"),
    ],
)
def test_reference_is_readable(map_index: int | None, expected: str) -> None:
    assert task_key(Task(run_id="r1", map_index=map_index)).reference == expected


def test_long_references_stay_different_and_within_255_characters() -> None:
    references = [task_key(Task(dag_id="d" * 200, run_id="r" * 200, map_index=index)).reference for index in range(50)]
    assert {len(each) for each in references} == {255}
    assert len(set(references)) == 50
    exact = Task(dag_id="d" * (255 - len("tests//r1/publish")), run_id="r1")
    assert task_key(exact).reference.endswith("/publish")
