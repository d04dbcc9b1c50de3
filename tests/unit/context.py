# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What Airflow hands to a running task, in memory: tries, clears, and a task state store that outlives them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType, TaskDeferred
from airflow.sdk.execution_time.comms import ErrorResponse
from airflow.triggers.base import TriggerEvent

from airflow_provider_mkt.clock import Clock

FIRST_LOOK = 10.0
"""Seconds before a trigger's first look, on the clock of :class:`Waits`."""
SHORTENED = 0.1
"""Seconds up to which a wait is a backoff that the fixture ``no_waits`` has shortened."""
SCHEDULED = "scheduled__2026-06-08T00:00:00+00:00"


def step_of(value: dict[str, Any]) -> str:
    """Name the step of a submission that writes this record: "intent", "leaving", "submitted" …"""
    return "leaving" if value["state"] == "intent" and value["sent"] else str(value["state"])


class WorkerDiedError(BaseException):
    """The process ends here: nothing below it in the code gets to run."""


@dataclass
class Store:
    """Airflow's task state store: JSON values by key.

    :param interrupt: called with "before" and "after" around each write, and may end the process
    """

    values: dict[str, str] = field(default_factory=dict)
    retentions: list[Any] = field(default_factory=list)
    interrupt: Callable[[str, Any], None] | None = None

    def get(self, key: str, default: Any = None) -> Any:
        """Return a fresh copy, as after a round trip to the database."""
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        """Write; values that are not JSON are refused."""
        text = json.dumps(value, allow_nan=False)
        if self.interrupt:
            self.interrupt("before", value)
        self.values[key] = text
        self.retentions.append(retention)
        if self.interrupt:
            self.interrupt("after", value)


@dataclass
class TryStore:
    """The task state store as one try reaches it: under the id that the task instance had when the try began.

    Airflow refuses writes under an id that it has replaced, and its SDK gives reads under it as "nothing there".
    """

    task: Task
    ti_id: int

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of ``key``."""
        return self.task.store.get(key, default) if self.ti_id == self.task.ti_id else default

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        """Write the value of ``key``."""
        if self.ti_id != self.task.ti_id:
            detail = {"status_code": 404, "message": "Task Instance not found"}
            raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail=detail))
        self.task.store.set(key, value, retention=retention)


@dataclass
class Task:
    """One task instance across its tries.

    :param state: its state at Airflow's server
    :param ti_id: its id there: a new one with every retry and clear
    """

    dag_id: str = "launch"
    run_id: str = SCHEDULED
    task_id: str = "publish"
    map_index: int | None = -1
    retries: int = 2
    conf: dict[str, Any] | None = None
    store: Store = field(default_factory=Store)
    first_reschedule: datetime | None = None
    state: str = "running"
    ti_id: int = 0

    def __post_init__(self) -> None:
        self.try_number = 1
        self.max_tries = self.retries

    @property
    def context(self) -> dict[str, Any]:
        """What the running try is given."""
        names = ("dag_id", "run_id", "task_id", "map_index", "try_number", "max_tries")
        ti = SimpleNamespace(**{name: getattr(self, name) for name in names})
        ti.get_first_reschedule_date = lambda context: self.first_reschedule
        ti.get_task_states = lambda *_, **__: {self.run_id: {self.task_id: self.state}}
        return {
            "ti": ti,
            "task_instance": ti,
            "dag_run": SimpleNamespace(conf=self.conf, run_id=self.run_id),
            "task_state_store": TryStore(self, self.ti_id),
        }

    def retry(self) -> dict[str, Any]:
        """Begin the next try, as Airflow does by itself."""
        self.try_number += 1
        self.ti_id += 1
        return self.context

    def clear(self) -> dict[str, Any]:
        """Begin the next try after a user has cleared the task."""
        self.max_tries = self.try_number + self.retries
        return self.retry()

    @property
    def record(self) -> dict[str, Any]:
        """The submission's record."""
        record: dict[str, Any] = self.store.get("mkt.submission.0")
        return record


class TimeIsUpError(Exception):
    """The triggerer ends a trigger whose time is over."""


@dataclass
class Waits(Clock):
    """A clock that only waiting moves.

    :param passed: seconds waited for so far
    :param each: the waits
    :param happenings: what happens during the first wait, the second …
    :param deadline: when the triggerer ends the running trigger
    """

    passed: float = 0.0
    each: list[float] = field(default_factory=list)
    happenings: list[Callable[[], Any]] = field(default_factory=list)
    deadline: float | None = None

    def sleep(self, seconds: float) -> None:
        if seconds <= SHORTENED:
            return
        self.each.append(seconds)
        self.passed += seconds
        if self.deadline is not None and self.passed > self.deadline:
            raise TimeIsUpError
        if self.happenings:
            self.happenings.pop(0)()

    async def asleep(self, seconds: float) -> None:
        await asyncio.to_thread(self.sleep, seconds)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        await self.asleep(seconds)

    def monotonic(self) -> float:
        return time.monotonic() + self.passed

    def now(self) -> float:
        return time.time() + self.passed

    def utcnow(self) -> datetime:
        return datetime.now(timezone.utc) + timedelta(seconds=self.passed)


def deferral(execute: Callable[[dict[str, Any]], Any], context: dict[str, Any]) -> TaskDeferred:
    """Run a task that must defer, and return the deferral."""
    with pytest.raises(TaskDeferred) as caught:
        execute(context)
    return caught.value


def fired(trigger: Any) -> TriggerEvent:
    """Run a trigger until it fires."""

    async def first() -> TriggerEvent:
        async for event in trigger.run():
            return event
        raise AssertionError("the trigger ended without an event")

    async def in_time() -> TriggerEvent:
        return await asyncio.wait_for(first(), 20)

    return asyncio.run(in_time())


def resumed(operator: Any, deferred: TaskDeferred, context: dict[str, Any]) -> Any:
    """Let the trigger of a deferral fire, and resume the task as Airflow's task runner does."""
    event = json.loads(json.dumps(fired(deferred.trigger).payload))
    return operator.resume_execution(deferred.method_name, {**(deferred.kwargs or {}), "event": event}, context)
