# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Airflow's audit log: who did what about a launch on these pages."""

from __future__ import annotations

import json
from typing import Any

from airflow.models import Log
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_provider_mkt.pages.permissions import Permissions
from airflow_provider_mkt.state.launches.approvals import Approval
from airflow_provider_mkt.state.launches.launch import Launch

EVENT = "mkt_"
"""Beginning of the events that pages write into Airflow's audit log."""
MAX_ENTRIES = 50


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
