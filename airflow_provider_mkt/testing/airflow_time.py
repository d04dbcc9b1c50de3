# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Airflow's own readings of the clock follow a test's: retry delays, rescheduling, timeouts of sensors and triggers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

from airflow_provider_mkt.testing.movable_clock import MovableClock


@contextmanager
def airflow_goes_by(clock: MovableClock) -> Iterator[None]:
    """Have Airflow, in this process, go by ``clock`` for as long as the ``with`` block lasts."""
    from airflow._shared.timezones import timezone as core
    from airflow.sdk._shared.timezones import timezone as sdk
    from airflow.sdk.bases import sensor
    from airflow.sdk.execution_time import supervisor, task_runner

    shown = _datetime(clock)
    # ``utcnow`` is imported by name in many places, and a default of many columns: what it reads is replaced.
    library = SimpleNamespace(**{**vars(dt), "datetime": shown})
    waits = SimpleNamespace(sleep=clock.sleep, monotonic=clock.monotonic)
    places: list[tuple[ModuleType, str, Any]] = [
        (core, "dt", library),
        (sdk, "dt", library),
        (sensor, "time", waits),
        (supervisor, "datetime", shown),
        (task_runner, "datetime", shown),
    ]
    with ExitStack() as stack:
        for module, name, value in places:
            stack.enter_context(mock.patch.object(module, name, value))
        yield


def _datetime(clock: MovableClock) -> type[dt.datetime]:
    """Return ``datetime`` whose ``now`` is the clock's. Every moment is an instance of it."""

    class Moments(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, dt.datetime)

    class Shown(dt.datetime, metaclass=Moments):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
            return dt.datetime.fromtimestamp(clock.now(), tz)

    return Shown
