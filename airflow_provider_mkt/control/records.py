# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What Airflow's own database has of a launch: the record of its submission, and its task."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow._shared.state import TaskScope
from airflow.models.task_state_store import TaskStateStoreModel
from airflow.models.taskinstance import TaskInstance
from airflow.state.metastore import MetastoreBackend
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_provider_mkt.control.settling import Instance, numbers
from airflow_provider_mkt.state.launches.launch import Launch
from airflow_provider_mkt.submission.record import PREFIX
from airflow_provider_mkt.submission.summary import read

AT_ONCE = 500
"""Records that are held in memory together: each has the body of a request."""


class AirflowDatabase:
    """Records in the database, as :class:`.settling.Airflow` wants them."""

    def task_state(self, instance: Instance) -> str:
        """Return the state of a task instance; "" when it has none, or is gone."""
        statement = select(TaskInstance.state).where(*of_instance(TaskInstance, instance))
        with create_session() as session:
            return str(session.scalar(statement) or "")

    def state(self, instance: Instance) -> dict[str, Any]:
        """Return what the task state store holds for a task instance."""
        statement = select(TaskStateStoreModel.key, TaskStateStoreModel.value).where(
            *of_instance(TaskStateStoreModel, instance)
        )
        with create_session() as session:
            return {key: _parsed(value) for key, value in session.execute(statement)}

    def set_state(self, instance: Instance, key: str, value: Any) -> None:
        """Write an entry that never expires."""
        scope = TaskScope(*instance[:3], map_index=instance.map_index)
        MetastoreBackend().set(scope, key, json.dumps(value))

    def submissions(self, since: datetime, dag_id: str = "", run_id: str = "") -> Iterator[tuple[Instance, str, Any]]:
        """Yield the records of all tasks: the task instance, the number within it, and the record.

        :param since: only what was written since then
        :param dag_id: only of this DAG; "" for all
        :param run_id: only of this run; "" for all
        """
        of = TaskStateStoreModel
        statement = select(of.dag_id, of.run_id, of.task_id, of.map_index, of.key, of.value).where(
            of.key.startswith(PREFIX, autoescape=True), of.updated_at >= since
        )
        for column, name in ((of.dag_id, dag_id), (of.run_id, run_id)):
            if name:
                statement = statement.where(column == name)
        with create_session() as session:
            for row in session.execute(statement.execution_options(yield_per=AT_ONCE)):
                yield Instance(*row[:4]), row.key.removeprefix(PREFIX), _parsed(row.value)


def _parsed(value: str) -> Any:
    """Return what is kept as JSON. What is none is no record either, and must not hide those beside it."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


@dataclass(frozen=True)
class Kept:
    """What Airflow still has of a launch.

    :param instance: the task instance
    :param number: number of the submission within the task
    :param value: its record, as it is in the store; None when it is gone, or of another launch
    :param task_state: the task's state; "" when the run was deleted
    """

    instance: Instance
    number: str
    value: Any
    task_state: str


def kept(launch: Launch) -> Kept:
    """Return what Airflow still has of a launch."""
    instance = Instance(launch.dag_id, launch.run_id, launch.task_id, launch.map_index)
    database = AirflowDatabase()
    value = numbers(database, instance).get(launch.number)
    record = read(value)
    # A record goes over to the next generation, and the launch before is history.
    own = record is None or record.key == launch.launch
    return Kept(instance, launch.number, value if own else None, database.task_state(instance))


def of_instance(model: Any, instance: Instance) -> list[Any]:
    """Return the conditions for the rows of a task instance.

    :param model: with a column for each of its names
    """
    return [getattr(model, name) == value for name, value in instance._asdict().items()]
