# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Airflow's Required Actions, from within its API server: what a task shows there, and a person's answer.

The answer is written by Airflow's own route: with its locks, its checks of who may answer, and the task's resumption.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from fastapi import HTTPException
from sqlalchemy import select

from airflow_provider_mkt.control.answering import AnsweringError
from airflow_provider_mkt.control.records import AirflowDatabase, of_instance
from airflow_provider_mkt.control.settling import Instance


class Given(NamedTuple):
    """An answer that Airflow has.

    :param option: what was chosen
    :param by: who chose it
    """

    option: str
    by: str


class RequiredActions(AirflowDatabase):
    """What tasks ask, as :class:`.answering.Airflow` wants it.

    :param user: who answers, as Airflow's auth manager knows them
    """

    def __init__(self, user: Any) -> None:
        self._user = user

    def options(self, instance: Instance) -> list[str]:
        """Return the answers that Airflow shows for the question of a task instance; none when it asks nothing."""
        found = _detail(instance)
        return [] if found is None else [str(each) for each in found.options]

    def given(self, instance: Instance) -> Given | None:
        """Return the answer that the task was given; None while it waits for one."""
        found = _detail(instance)
        if found is None or found.responded_at is None:
            return None
        return Given(", ".join(found.chosen_options or ()), (found.responded_by or {}).get("name", "nobody"))

    def answer(self, instance: Instance, option: str, reason: str) -> None:
        """Answer the question of a task instance: the task goes on.

        :raises AnsweringError: when Airflow does not take the answer
        """
        try:
            with create_session() as session:
                update_hitl_detail(
                    dag_id=instance.dag_id,
                    dag_run_id=instance.run_id,
                    task_id=instance.task_id,
                    map_index=instance.map_index,
                    update_hitl_detail_payload=UpdateHITLDetailPayload(
                        chosen_options=[option], params_input={"reason": reason or None}
                    ),
                    user=self._user,
                    session=session,
                )
        except HTTPException as error:
            given = self.given(instance)
            raise AnsweringError(
                f"{given.by} has answered it already: {given.option}." if given else str(error.detail)
            ) from None


def _detail(instance: Instance) -> Any:
    columns = (HITLDetail.options, HITLDetail.chosen_options, HITLDetail.responded_by, HITLDetail.responded_at)
    joined = select(*columns).join(TaskInstance, HITLDetail.ti_id == TaskInstance.id)
    with create_session() as session:
        return session.execute(joined.where(*of_instance(TaskInstance, instance))).one_or_none()
