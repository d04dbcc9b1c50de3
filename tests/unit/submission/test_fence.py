# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The fence, on its own: what it lets through, what it stops, and what the record says afterwards.

Whatever stops a request must leave ``sent: false``, or another one's record as it is: nothing left, and a later try may
rely on that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRuntimeError, AirflowTaskTimeout, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from airflow_provider_mkt.exceptions import ApiError, StoppedError
from airflow_provider_mkt.submission.fence import FRESH, MAX_ROUNDS, Fence
from airflow_provider_mkt.submission.record import Record
from airflow_provider_mkt.submission.record_file import RecordFile
from airflow_provider_mkt.tasks.guard import Guard
from tests.unit.context import Task, step_of
from tests.unit.submission.vendor import KEYED, ONCE

INTENT = Record("key", 1, "intent", "f", {"a": 1}, "r", "id", 1_000.0, 0, sent=False, version=2)


class Try:
    """One try of a task at its fence.

    :param during: what happens while Airflow is asked for the task's state, the first time, the second time …
    :param seconds: how long each round takes
    """

    def __init__(self, task: Task, *, once: bool = True, confirm: Callable[[], None] = lambda: None) -> None:
        self.task, self.stopped, self.now = task, False, 0.0
        self.during: list[Callable[[], Any]] = []
        self.seconds: list[float] = []
        context: Any = task.context
        ask = context["ti"].get_task_states

        def states(*args: Any, **options: Any) -> Any:
            answer = ask(*args, **options)
            if self.during:
                self.during.pop(0)()
            self.now += self.seconds.pop(0) if self.seconds else 0.0
            return answer

        context["ti"].get_task_states = states
        self.file = RecordFile(context["task_state_store"], 0, "this try")
        self.file.read()
        self.record = self.file.write(INTENT)
        guard = Guard(context["ti"], lambda: self.stopped)
        self.fence = Fence(
            self.file,
            self.record,
            guard,
            confirm,
            ONCE() if once else KEYED(idempotency_key="key"),
            clock=lambda: 2_000.0,
            elapsed=lambda: self.now,
        )

    def signal(self) -> None:
        """Have Airflow ask this try to end."""
        self.stopped = True


def test_it_says_that_the_request_leaves(task: Task) -> None:
    this = Try(task)
    assert task.record["sent"] is False
    this.fence()
    assert (task.record["sent"], task.record["sent_at"]) == (True, 2_000.0)
    assert this.fence.passed
    assert this.fence.record.sent


@pytest.mark.parametrize("following", ["retry", "clear"])
def test_a_try_that_was_given_up_is_stopped(task: Task, following: str) -> None:
    this = Try(task)
    getattr(task, following)()
    with pytest.raises(StoppedError):
        this.fence()
    assert task.record["sent"] is False
    assert not this.fence.passed


@pytest.mark.parametrize("following", ["retry", "clear"])
def test_a_try_that_is_given_up_between_reading_and_writing_is_stopped(task: Task, following: str) -> None:
    this = Try(task)
    real = task.store.get

    def get(key: str, default: Any = None) -> Any:
        value = real(key, default)
        task.store.get = real  # type: ignore[method-assign]
        getattr(task, following)()
        return value

    task.store.get = get  # type: ignore[method-assign]
    with pytest.raises(StoppedError, match="Airflow has given this try up"):
        this.fence()
    assert task.record["sent"] is False


@pytest.mark.parametrize("state", ["failed", "success", "deferred", "restarting", "up_for_retry", "removed", "None"])
def test_a_task_that_keeps_its_id_but_not_its_state_is_stopped(task: Task, state: str) -> None:
    this = Try(task)
    task.state = state
    with pytest.raises(StoppedError, match=f"Airflow has this task as {state}, not as running"):
        this.fence()
    assert task.record["sent"] is False


def test_a_record_that_somebody_else_wrote_is_left_alone(task: Task) -> None:
    this = Try(task)
    theirs = {**task.record, "writer": "another try"}
    task.store.set("mkt.submission.0", theirs)
    with pytest.raises(StoppedError, match="changed by another try or a person"):
        this.fence()
    assert task.record == theirs


@pytest.mark.parametrize("change", ["forgotten", "gone", "adopted"])
def test_a_record_that_a_person_changed_is_left_alone(task: Task, change: str) -> None:
    this = Try(task)
    record = Record.of(task.record)
    if change == "gone":
        task.store.values.clear()
    else:
        changed = record.forget() if change == "forgotten" else record.adopt(["id_1"])
        task.store.set("mkt.submission.0", vars(changed))
    before = dict(task.store.values)
    with pytest.raises(StoppedError):
        this.fence()
    assert task.store.values == before


# Standing still inside


@pytest.mark.parametrize("seconds", [FRESH * 2, 3_600.0])
def test_what_took_long_is_asked_again(task: Task, seconds: float) -> None:
    this = Try(task)
    this.seconds = [seconds, seconds]
    this.fence()
    assert task.record["sent"] is True
    assert this.seconds == []


@pytest.mark.parametrize("following", ["retry", "clear"])
def test_given_up_while_it_stood_still_behind_its_own_record(task: Task, following: str) -> None:
    """The record says that the request leaves, and it never does. The next try has to ask, or a person has to."""
    this = Try(task)

    def stand_still(when: str, value: dict[str, Any]) -> None:
        if (when, step_of(value)) == ("after", "leaving"):
            this.now += 3_600.0
            getattr(task, following)()

    task.store.interrupt = stand_still
    with pytest.raises(StoppedError, match="stood still"):
        this.fence()
    assert not this.fence.passed


@pytest.mark.parametrize("state", ["failed", "success"])
def test_marked_while_it_stood_still_behind_its_own_record(task: Task, state: str) -> None:
    """It keeps its id, so it can still take back what it wrote."""
    this = Try(task)

    def stand_still(when: str, value: dict[str, Any]) -> None:
        if (when, step_of(value)) == ("after", "leaving"):
            this.now += 3_600.0
            task.state = state

    task.store.interrupt = stand_still
    with pytest.raises(StoppedError, match=f"Airflow has this task as {state}"):
        this.fence()
    assert task.record["sent"] is False


def test_an_api_that_is_always_slow_ends_it(task: Task) -> None:
    this = Try(task)
    this.seconds = [FRESH * 2] * MAX_ROUNDS
    with pytest.raises(StoppedError, match="took longer than"):
        this.fence()
    assert task.record["sent"] is False


# Being stopped


def test_a_signal_before_it(task: Task) -> None:
    this = Try(task)
    this.signal()
    with pytest.raises(StoppedError, match="asked this try to end"):
        this.fence()
    assert task.record["sent"] is False


def test_a_signal_after_everything_was_confirmed(task: Task) -> None:
    this = Try(task)
    task.store.interrupt = lambda when, value: this.signal() if step_of(value) == "leaving" else None
    with pytest.raises(StoppedError, match="asked this try to end"):
        this.fence()
    assert task.record["sent"] is False
    assert not this.fence.passed


def test_running_out_of_time_inside(task: Task) -> None:
    this = Try(task)

    def timeout(when: str, value: dict[str, Any]) -> None:
        if (when, step_of(value)) == ("after", "leaving"):
            task.store.interrupt = None
            raise AirflowTaskTimeout

    task.store.interrupt = timeout
    with pytest.raises(AirflowTaskTimeout):
        this.fence()
    # What it wrote may have arrived or not: then it is not known to be ours, and left alone.
    assert not this.fence.passed


def test_what_else_does_not_hold(task: Task) -> None:
    def refuse() -> None:
        raise ApiError("another task took over")

    this = Try(task, confirm=refuse)
    with pytest.raises(ApiError, match="took over"):
        this.fence()
    assert task.record["sent"] is False


def test_airflow_out_of_reach(task: Task) -> None:
    this = Try(task)

    def fail() -> None:
        raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={"status_code": 503}))

    this.during = [fail]
    with pytest.raises(AirflowRuntimeError):
        this.fence()
    assert task.record["sent"] is False


# Again, after a refusal that is not final


@pytest.mark.parametrize(("once", "sent"), [(True, False), (False, True)])
def test_stopped_before_it_leaves_again(task: Task, once: bool, sent: bool) -> None:
    """A launch leaves again only when it certainly was not executed; what has a key may have been."""
    this = Try(task, once=once)
    this.fence()
    this.signal()
    with pytest.raises(StoppedError):
        this.fence()
    assert task.record["sent"] is sent


def test_what_was_in_doubt_before_stays_so(task: Task) -> None:
    this = Try(task)
    doubtful = this.file.write(replace(this.record, sent=True, doubtful=True))
    this.fence._before = doubtful
    task.store.interrupt = lambda when, value: this.signal()
    with pytest.raises(StoppedError):
        this.fence()
    assert (task.record["sent"], task.record["doubtful"]) == (True, True)
