# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What came of a run: states, values, logs, errors, and what really happened at the vendors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.sdk import DAG
    from sqlalchemy.orm import Session

    from airflow_provider_mkt.testing.tasks import Tasks
    from airflow_provider_mkt.testing.vendors import Happened


@dataclass(frozen=True)
class DagResult:
    """What came of a run.

    :param dag: the DAG
    :param run_id: id of the run
    :param state: ``success`` or ``failed``
    :param states: states by task; a mapped task's instances are ``task[0]``, ``task[1]`` …
    :param tries: how often each was tried
    :param errors: the last error of each that has failed
    :param ledger: what happened at the vendors during the run, in order
    :param requests: all requests that the vendors got during the run
    """

    dag: DAG = field(repr=False)
    run_id: str
    state: str
    states: Mapping[str, str]
    tries: Mapping[str, int] = field(repr=False)
    errors: Mapping[str, BaseException] = field(repr=False)
    ledger: list[dict[str, Any]] = field(repr=False)
    requests: list[dict[str, Any]] = field(repr=False)
    _logs: Mapping[str, str] = field(repr=False)
    _values: Mapping[tuple[str, str], Any] = field(repr=False)

    @classmethod
    def of(cls, run: DagRun, dag: DAG, tasks: Tasks, happened: Happened, session: Session) -> DagResult:
        """Gather what came of a run that has ended."""
        found = run.get_task_instances(session=session)
        return cls(
            dag=dag,
            run_id=run.run_id,
            state=str(run.state),
            states={_name(each.task_id, each.map_index): str(each.state) for each in found},
            tries={_name(each.task_id, each.map_index): each.try_number for each in found},
            errors={_name(*here): error for here, error in tasks.errors.items()},
            ledger=happened.ledger(),
            requests=happened.requests(),
            _logs={_name(*here): text for here, text in tasks.logs.items()},
            _values=_values(run, session),
        )

    def xcom(self, task: str, key: str = "return_value") -> Any:
        """Return a value that a task has handed on.

        :param task: task id; ``task[0]`` for an instance of a mapped task
        :param key: name of the value
        :raises KeyError: when there is none
        """
        if (task, key) not in self._values:
            keys = ", ".join(sorted(name for each, name in self._values if each == self._known(task)))
            raise KeyError(f"{task} has handed on no {key!r}, but: {keys or 'nothing'}")
        return self._values[task, key]

    def log(self, task: str) -> str:
        """Return what a task has logged and printed, in all its tries; "" when it did not run.

        :param task: task id; ``task[0]`` for an instance of a mapped task
        :raises KeyError: when there is no such task
        """
        return self._logs.get(self._known(task), "")

    def _known(self, task: str) -> str:
        if task not in self.states:
            raise KeyError(f"there is no task {task!r}; there are {', '.join(sorted(self.states))}")
        return task

    def happened(self, effect: str) -> list[dict[str, Any]]:
        """Return the entries of the ledger of one kind, such as ``campaign.published``."""
        return [each for each in self.ledger if each["effect"] == effect]


def _name(task_id: str, map_index: int) -> str:
    return task_id if map_index < 0 else f"{task_id}[{map_index}]"


def _values(run: DagRun, session: Session) -> dict[tuple[str, str], Any]:
    from airflow.models.xcom import XComModel
    from airflow.sdk.serde import deserialize
    from sqlalchemy import select

    rows = session.scalars(select(XComModel).where(XComModel.dag_id == run.dag_id, XComModel.run_id == run.run_id))
    return {
        (_name(each.task_id, each.map_index), each.key): deserialize(XComModel.deserialize_value(each)) for each in rows
    }
