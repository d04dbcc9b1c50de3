# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What Airflow's own database has of a launch: the record of its submission, its task, and who did what about it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from airflow._shared.state import TaskScope
from airflow.models import Log
from airflow.models.task_state_store import TaskStateStoreModel
from airflow.models.taskinstance import TaskInstance
from airflow.state.metastore import MetastoreBackend
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_provider_mkt.control.settling import Instance, numbers
from airflow_provider_mkt.pages.permissions import Permissions
from airflow_provider_mkt.state.launches.approvals import Approval
from airflow_provider_mkt.state.launches.launch import Launch
from airflow_provider_mkt.submission.summary import read

EVENT = "mkt_"
"""Beginning of the events that pages write into Airflow's audit log."""
MAX_ENTRIES = 50


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
            return {key: json.loads(value) for key, value in session.execute(statement)}

    def set_state(self, instance: Instance, key: str, value: Any) -> None:
        """Write an entry that never expires."""
        scope = TaskScope(*instance[:3], map_index=instance.map_index)
        MetastoreBackend().set(scope, key, json.dumps(value))


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


def entries(launch: Launch) -> list[Log]:
    """Return what people have done about a launch on these pages, the latest first."""
    statement = (
        select(Log)
        .where(Log.dag_id == launch.dag_id, Log.run_id == launch.run_id, Log.event.startswith(EVENT, autoescape=True))
        .order_by(Log.id.desc())
        .limit(MAX_ENTRIES)
    )
    with create_session() as session:
        found = list(session.scalars(statement))
        session.expunge_all()
    return [each for each in found if each.task_id in (None, launch.task_id)]


def note(may: Permissions, event: str, launch: Launch | Approval | None = None, **extra: Any) -> None:
    """Write into Airflow's audit log what a person does.

    :param event: what, without the beginning
    :param launch: about which launch, or which request that is to become one
    :param extra: what else there is to know
    """
    place: dict[str, Any] = {}
    if launch is not None:
        place = {"dag_id": launch.dag_id, "run_id": launch.run_id, "task_id": launch.task_id}
        place["map_index"] = launch.map_index
        if launch.launch:
            extra["launch"] = launch.launch
    with create_session() as session:
        session.add(
            Log(
                f"{EVENT}{event}",
                owner=may.name,
                owner_display_name=may.name,
                extra=json.dumps(extra),
                **place,
            )
        )


def of_instance(model: Any, instance: Instance) -> list[Any]:
    """Return the conditions for the rows of a task instance.

    :param model: with a column for each of its names
    """
    return [getattr(model, name) == value for name, value in instance._asdict().items()]
