# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Segments: one of each name, whatever is lost on the way.

=====================================  ============================================================
one of that name is there               taken as it is, or an error; never a second one
the answer is lost, it was created      the next try finds it by its name
the answer is lost, it never arrived    created once enough time has passed that it cannot show up
killed before the answer is noted       as with a lost answer
two tasks of one name at once           they take turns; one is created, the other takes it
somebody else made one meanwhile        a person has to look
the list hides names                    nothing is concluded
=====================================  ============================================================
"""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import ApiError, OutcomeUnknownError, ValidationError
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.operators.flodesk import FlodeskCreateSegmentOperator
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state import exclusive
from tests.unit.context import Task, WorkerDiedError, step_of

CREATE = "POST /flodesk/v1/segments"
LIST = "GET /flodesk/v1/segments"
NAME = "Open house, June"


def creating(name: Any = NAME, **options: Any) -> FlodeskCreateSegmentOperator:
    return FlodeskCreateSegmentOperator(task_id="segment", name=name, **options)


def created(vendors: Sandbox) -> int:
    return len(vendors.ledger("flodesk", "segment.created"))


def settle(task: Task) -> None:
    """Let enough time pass for the vendor's list to be complete."""
    record = task.record
    task.store.set(
        "mkt.submission.0",
        {**record, **{name: record[name] - 1_000 for name in ("intent_at", "doubt_at") if record[name]}},
    )


def test_created_once(vendors: Sandbox, task: Task) -> None:
    color = next(iter(FlodeskHook().list_segment_colors()))
    first = creating(color=color).execute(task.context)
    assert first["created"] is True
    segment = FlodeskHook().get_segment(first["segment_id"])
    assert (segment["name"], segment["color"]) == (NAME, color)
    task.retry()
    assert creating(color=color).execute(task.context) == first
    task.clear()
    assert creating(color=color).execute(task.context) == first
    assert created(vendors) == 1


@pytest.mark.parametrize("name", ["VIPs", " VIPs "])
def test_one_that_is_there_is_taken(name: str, vendors: Sandbox, task: Task) -> None:
    for _ in range(2):
        assert creating(name).execute(task.context) == {"segment_id": "seg_vips", "created": False}
        task.retry()
    assert created(vendors) == 0
    assert task.store.values == {}


def test_one_that_is_there_may_be_an_error(vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError, match=r"name: Flodesk has a segment called 'VIPs' already \(seg_vips\)"):
        creating("VIPs", reuse=False).execute(task.context)
    assert created(vendors) == 0


def test_two_that_are_there_are_an_error(vendors: Sandbox, task: Task) -> None:
    for _ in range(2):
        FlodeskHook().create_segment(NAME)
    with pytest.raises(ValidationError, match="which one is meant cannot be told"):
        creating().execute(task.context)
    assert created(vendors) == 2


def test_submitting_anew_makes_no_second_one(vendors: Sandbox, task: Task) -> None:
    first = creating(resubmit=True).execute(task.context)
    task.clear()
    assert creating(resubmit=True).execute(task.context) == {**first, "created": False}
    assert created(vendors) == 1


def test_lost_answer_is_found_by_name(vendors: Sandbox, task: Task) -> None:
    vendors.fault(CREATE, "drop_after")
    with pytest.raises(OutcomeUnknownError) as caught:
        creating().execute(task.context)
    assert caught.value.resolvable
    task.retry()
    result = creating().execute(task.context)
    assert FlodeskHook().get_segment(result["segment_id"])["name"] == NAME
    assert created(vendors) == 1


def test_lost_request_is_repeated_when_it_cannot_arrive_any_more(vendors: Sandbox, task: Task) -> None:
    vendors.fault(CREATE, "drop_before")
    for _ in range(2):
        with pytest.raises(OutcomeUnknownError):
            creating().execute(task.context)
        task.retry()
    assert created(vendors) == 0
    settle(task)
    assert creating().execute(task.context)["created"] is True
    assert created(vendors) == 1


@pytest.mark.parametrize(("when", "step"), [("after", "intent"), ("after", "leaving"), ("before", "submitted")])
def test_killed(when: str, step: str, vendors: Sandbox, task: Task) -> None:
    def die(moment: str, value: Any) -> None:
        if (moment, step_of(value)) == (when, step):
            raise WorkerDiedError

    task.store.interrupt = die
    with pytest.raises(WorkerDiedError):
        creating().execute(task.context)
    task.store.interrupt = None
    task.retry()
    if step == "leaving":
        with pytest.raises(OutcomeUnknownError):
            creating().execute(task.context)
        settle(task)
        task.retry()
    creating().execute(task.context)
    assert created(vendors) == 1


def test_somebody_elses_of_that_name_is_a_persons_business(vendors: Sandbox, task: Task) -> None:
    vendors.fault(CREATE, "drop_after")
    with pytest.raises(OutcomeUnknownError):
        creating().execute(task.context)
    FlodeskHook().create_segment(NAME)
    settle(task)
    task.retry()
    with pytest.raises(OutcomeUnknownError, match=f"Look at Flodesk for the reference '{NAME}'"):
        creating().execute(task.context)
    assert created(vendors) == 2


def test_two_tasks_at_once_make_one(vendors: Sandbox, task: Task, caplog: pytest.LogCaptureFixture) -> None:
    """The second one looks after the first one has seen that there is none, and before it has created it."""
    other, results = Task(run_id="other"), []
    second = threading.Thread(target=lambda: results.append(creating().execute(other.context)))
    moved_on = threading.Event()

    class WaitsItsTurn(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            moved_on.set()

    def start_the_other(moment: str, value: Any) -> None:
        if (moment, step_of(value)) == ("after", "intent"):
            second.start()
            assert moved_on.wait(20)

    other.store.interrupt = lambda moment, value: moved_on.set() if value["state"] == "submitted" else None
    task.store.interrupt = start_the_other
    turns = logging.getLogger(exclusive.__name__)
    handler = WaitsItsTurn()
    turns.addHandler(handler)
    try:
        with caplog.at_level(logging.INFO, exclusive.__name__):
            first = creating().execute(task.context)
            second.join(20)
    finally:
        turns.removeHandler(handler)
    assert results == [{"segment_id": first["segment_id"], "created": False}]
    assert created(vendors) == 1


@pytest.mark.parametrize("name", ["", " ", "None", None])
def test_name_of_nothing(name: Any, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError, match="name must be non-empty text"):
        creating(name).execute(task.context)
    assert vendors.requests() == []


@pytest.mark.parametrize("reuse", ["False", "false", False])
def test_reuse_from_a_template(reuse: Any, vendors: Sandbox, task: Task) -> None:
    operator = creating("VIPs", reuse="{{ params.reuse }}")
    operator.render_template_fields({**task.context, "params": {"reuse": reuse}})
    with pytest.raises(ValidationError, match="has a segment called 'VIPs' already"):
        operator.execute(task.context)


@pytest.mark.parametrize("reuse", ["", "no", None, 1])
def test_reuse_that_is_neither(reuse: Any, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError, match="reuse must be true or false"):
        creating(reuse=reuse).execute(task.context)
    assert vendors.requests() == []


def test_list_without_names_proves_nothing(vendors: Sandbox, task: Task) -> None:
    vendors.fault(LIST, "status", status=200, body={"data": [{"id": "seg_1"}], "meta": {}})
    with pytest.raises(ApiError, match="shows no names"):
        creating().execute(task.context)
    assert created(vendors) == 0
    assert task.store.values == {}


def test_refused(vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError, match="color"):
        creating(color="mauve").execute(task.context)
    task.clear()
    assert creating().execute(task.context)["created"] is True
