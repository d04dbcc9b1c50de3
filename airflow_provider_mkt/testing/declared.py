# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a task declares, mapped or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Declared:
    """A task as its DAG declares it.

    :param task: the task
    :param kind: class of its operator
    :param fields: its templated fields, as far as they are known
    """

    task: Any
    kind: type
    fields: Mapping[str, Any]

    @property
    def task_id(self) -> str:
        """The task's id."""
        return str(self.task.task_id)

    @property
    def conn_id(self) -> str | None:
        """The connection to the vendor, as it is declared; None where there is none."""
        from airflow_provider_mkt.tasks.authored_templates import parameter_of

        vendor = getattr(self.kind, "vendor", None)
        default = vendor.default_conn_id if vendor else None
        given: str | None = self.get(parameter_of(self.kind, "conn_id"), default)
        return given

    @property
    def launches(self) -> bool:
        """Whether it starts something at a vendor, once."""
        from airflow_provider_mkt.operators.submitting import RecordingOperator

        return issubclass(self.kind, RecordingOperator) and self.get("dry_run") is not True

    @property
    def waits(self) -> bool:
        """Whether it only waits for a vendor."""
        from airflow_provider_mkt.sensors.base import WatchSensor

        return issubclass(self.kind, WatchSensor)

    def get(self, name: str, default: Any = None) -> Any:
        """Return an argument of the task."""
        if hasattr(self.task, "partial_kwargs"):
            given: Any = self.task.partial_kwargs.get(name, default)
            return getattr(self.task, name, default) if given is default else given
        return getattr(self.task, name, default)

    def texts(self) -> Iterator[tuple[str, Any]]:
        """Yield all values of the templated fields, also those within lists and dictionaries."""
        for name, value in self.fields.items():
            yield from ((name, each) for each in _leaves(value))


def declared(task: Any) -> Declared:
    """Return what a task declares."""
    kind = task.operator_class if hasattr(task, "partial_kwargs") else type(task)
    names = [name for name in getattr(kind, "template_fields", ()) if not name.endswith("_conn_id")]
    if hasattr(task, "partial_kwargs"):
        expanded = getattr(task.expand_input, "value", None)
        given = {**task.partial_kwargs, **(expanded if isinstance(expanded, Mapping) else {})}
        fields = {name: given[name] for name in names if name in given}
    else:
        fields = {name: getattr(task, name, None) for name in names}
    return Declared(task, kind, {name: value for name, value in fields.items() if value not in (None, "", [], {})})


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _leaves(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _leaves(each)
    else:
        yield value
