# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Records from which nothing can be concluded: of a later version, damaged, or without what they should hold."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import NEVER_EXPIRE

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.submission.record import VERSION, Record
from tests.unit.context import Task
from tests.unit.submission.vendor import Vendor, submit

ODD: dict[str, tuple[dict[str, Any], str]] = {
    "a state of a later version": ({"state": "reserved"}, "a state that this version does not know"),
    "no state at all": ({"state": ""}, "a state that this version does not know"),
    "a later version": ({"version": VERSION + 1}, "a later version of this package wrote it"),
    "a receipt without ids": ({"receipt": {"status": "queued"}}, "has no id"),
    "a receipt with an empty id": ({"receipt": {"id": ""}}, "has no id"),
    "no receipt": ({"receipt": {}}, "has no id"),
    "a receipt that is none": ({"receipt": None}, "is damaged (receipt)"),
    "a state that is none": ({"state": ["submitted"]}, "is damaged (state)"),
    "a moment in words": ({"intent_at": "yesterday"}, "is damaged (intent_at)"),
    "a version in words": ({"version": "3"}, "is damaged (version)"),
}


def kept(task: Task, value: Any) -> None:
    task.store.set("mkt.submission.0", value, retention=NEVER_EXPIRE)


@pytest.mark.parametrize("resubmit", [False, True])
@pytest.mark.parametrize("case", ODD)
def test_nothing_is_sent_over_a_record_that_cannot_be_read(case: str, resubmit: bool, task: Task) -> None:
    change, why = ODD[case]
    vendor = Vendor()
    submit(task, vendor)
    kept(task, {**task.record, **change})
    before = task.record
    for following in (task.retry, task.clear):
        following()
        with pytest.raises(ValidationError) as caught:
            submit(task, vendor, resubmit=resubmit)
        assert why in str(caught.value)
        assert "Nothing was sent" in str(caught.value)
        assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "fail"
    assert len(vendor.executed) == 1
    assert task.record == before


@pytest.mark.parametrize("value", ["submitted", 7, [], ["intent"], {}, {"state": "intent"}])
def test_nothing_is_sent_over_what_is_no_record(value: Any, task: Task) -> None:
    vendor = Vendor()
    kept(task, value)
    with pytest.raises(ValidationError, match="is not the record of a submission"):
        submit(task, vendor)
    assert vendor.executed == []


def test_records_of_earlier_versions_stay_readable(task: Task) -> None:
    """They lack what was added since, and have fields under former names."""
    vendor = Vendor()
    submit(task, vendor)
    later = {"sent", "sent_at", "deployment", "writer", "evidence", "version", "accepted_at", "clear_count"}
    former = {name: part for name, part in task.record.items() if name not in later}
    kept(task, {**former, "round": task.max_tries, "gone": True})
    record = Record.of(task.record)
    assert (record.version, record.sent, record.clear_count) == (1, True, task.max_tries)
    task.retry()
    assert submit(task, vendor).receipt == record.receipt
    assert len(vendor.executed) == 1
