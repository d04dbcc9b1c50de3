# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One way to run a sensor whatever its mode."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)

from airflow_provider_mkt.exceptions import ApiError
from airflow_provider_mkt.triggers import watch
from tests.unit.context import Task, TimeIsUpError, Waits, fired

MODES = ("poke", "reschedule", "deferrable")
TRIGGER_TIMEOUT = "Trigger timeout"


@pytest.fixture
def outcome(task: Task, waits: Waits) -> Callable[[Any], tuple[str, Any]]:
    """Run a sensor to its end as Airflow would, and tell how it ended."""

    def run(sensor: Any) -> tuple[str, Any]:
        begun = waits.utcnow()
        proceed: Callable[[], Any] = lambda: sensor.execute(task.context)  # noqa: E731
        while True:
            try:
                return "success", proceed()
            except AirflowRescheduleException as rescheduled:
                assert sensor.mode == "reschedule"
                task.first_reschedule = begun
                waits.sleep((rescheduled.reschedule_date - waits.utcnow()).total_seconds())
            except TaskDeferred as deferred:
                assert sensor.deferrable
                proceed = _after(sensor, deferred, task, waits)
            except AirflowSkipException as skip:
                return "skipped", type(skip.__cause__).__name__ if skip.__cause__ else "timeout"
            except AirflowSensorTimeout:
                return "timeout", None
            except AirflowFailException as failure:
                return "failed", str(failure)
            except ApiError as error:
                return type(error).__name__, str(error)

    return run


def _after(sensor: Any, deferred: TaskDeferred, task: Task, waits: Waits) -> Callable[[], Any]:
    assert isinstance(deferred.timeout, timedelta)
    waits.deadline = waits.passed + deferred.timeout.total_seconds()
    # The scheduler hands over JSON, and the triggerer builds the trigger from what was serialized.
    _, kwargs = json.loads(json.dumps(deferred.trigger.serialize()))
    try:
        event = fired(watch.WatchTrigger(**kwargs)).payload
    except TimeIsUpError:
        return lambda: sensor.resume_execution("__fail__", {"error": TRIGGER_TIMEOUT}, task.context)
    finally:
        waits.deadline = None
    given = {**json.loads(json.dumps(deferred.kwargs or {})), "event": json.loads(json.dumps(event))}
    return lambda: sensor.resume_execution(deferred.method_name, given, task.context)
