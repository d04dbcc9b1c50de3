# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Sensors that begin to wait in the triggerer, without a worker before.

Airflow's scheduler hands the trigger what is in the DAG file: it renders no template, reads no other task, and maps
nothing. So this is for values that are written out, and whoever wants it says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.triggers.base import StartTriggerArgs

TEMPLATE_SIGNS = ("{{", "{%", "{#")


class StartArgs:
    """What Airflow starts the trigger with; read when a DAG is serialized. A class, and so a mapped task, has none."""

    def __get__(self, sensor: Any, owner: type[Any]) -> StartTriggerArgs | None:
        """Return the arguments of a sensor that begins in the triggerer.

        :raises ValueError: when it cannot, naming the parameter
        """
        # Airflow asks after each constructor of the hierarchy, those of subclasses come last.
        if sensor is None or not sensor.start_from_trigger or not all(map(vars(sensor).__contains__, _fields(sensor))):
            return None
        return _args(sensor)


def _fields(sensor: Any) -> tuple[str, ...]:
    return (*sensor.template_fields, "start_from_trigger")


def _args(sensor: Any) -> StartTriggerArgs:
    from datetime import timedelta

    from airflow.triggers.base import StartTriggerArgs

    _check(sensor)
    watch = sensor.watch()
    if watch is None:
        raise _refused(sensor, "there is nothing to follow")
    path, arguments = sensor.trigger(watch).serialize()
    return StartTriggerArgs(
        trigger_cls=path,
        trigger_kwargs=arguments,
        next_method="execute_complete",
        timeout=timedelta(seconds=max(1.0, float(sensor.timeout))),
    )


def _check(sensor: Any) -> None:
    from airflow_provider_mkt.tasks.private_fields import PrivateFields

    if not sensor.deferrable:
        raise _refused(sensor, "it is not deferrable")
    if sensor.silent_fail:
        raise _refused(sensor, "silent_fail needs the moment of its first poll, which no worker has made")
    if isinstance(sensor, PrivateFields):
        raise _refused(sensor, "a personal value would be stored with the DAG")
    for name in sensor.template_fields:
        if not _written_out(getattr(sensor, name)):
            raise _refused(sensor, f"{name} is a template or comes from another task")


def _refused(sensor: Any, why: str) -> ValueError:
    return ValueError(
        f"{type(sensor).__name__} {sensor.task_id!r}: start_from_trigger is not possible, because {why}. Leave it out: "
        "the sensor then polls once on a worker before it defers."
    )


def _written_out(value: Any) -> bool:
    """Tell whether a value of a DAG file is what the sensor will work with."""
    if isinstance(value, str):
        return not any(sign in value for sign in TEMPLATE_SIGNS)
    if isinstance(value, Mapping):
        return all(map(_written_out, value.values()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(map(_written_out, value))
    return not hasattr(value, "resolve")
