# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A lost answer: what nobody is told, what the vendor shows, and what is left to people."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import (
    MalformedResponseError,
    NotSentError,
    OutcomeUnknownError,
)
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.submission.submit import SETTLED
from tests.unit.context import Task, WorkerDiedError
from tests.unit.submission.vendor import Clock, Vendor, submission, submit, unknown


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
        submission(task).submit(vendor.request(), vendor.send, deaf)
    assert submit(task, vendor).receipt == {"id": "id_1"}
    assert len(vendor.sent) == 1
