# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Running a DAG in a test: the scheduler's decisions, without a scheduler, on the test's clock."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.submission.trial_run import answered
from airflow_provider_mkt.testing.approvals import Approvals, Approve
from airflow_provider_mkt.testing.parsed import load, register
from airflow_provider_mkt.testing.results import DagResult
from airflow_provider_mkt.testing.tasks import Tasks
from airflow_provider_mkt.testing.vendors import Happened

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.sdk import DAG
    from sqlalchemy.orm import Session

    from airflow_provider_mkt.testing.movable_clock import MovableClock
    from airflow_provider_mkt.testing.vendors import Vendors

MAX_DURATION = timedelta(days=400)
"""How long a run may take on the test's clock."""


class StuckRunError(AssertionError):
    """The run cannot go on, and would not end for ever."""


class DagRunner:
    """Runs DAGs.

    :param vendors: the simulated vendors
    :param clock: the test's clock
    :param supervisor: what runs tasks and triggers in this process
    """

    def __init__(self, vendors: Vendors, clock: MovableClock, supervisor: Any) -> None:
        self._vendors, self._clock, self._supervisor = vendors, clock, supervisor
        self._known: dict[str, tuple[DAG, Any]] = {}

    def __call__(
        self,
        dag: DAG | str | Path,
        *,
        conf: Mapping[str, Any] | None = None,
        dag_id: str | None = None,
        logical_date: datetime | None = None,
        approve: Approve = None,
    ) -> DagResult:
        """Run a DAG to its end and return what came of it.

        :param dag: the DAG, or the file that makes it
        :param conf: the run's configuration; its keys also set the DAG's params
        :param dag_id: which DAG of a file that makes several
        :param logical_date: the run's date; by default now, on the test's clock
        :param approve: the answer to tasks that ask a person: True, False, an option, or one of these by task id
        :raises DagImportError: when the file makes no DAG, or cannot be imported
        :raises UnansweredError: when a task asks a person, and ``approve`` says nothing of it
        :raises StuckRunError: when the run cannot go on
        """
        from airflow import settings

        parsed = load(dag, dag_id)
        happened = Happened(self._vendors)
        sessions: Any = settings.Session
        session = sessions()
        try:
            run = self._created(parsed, logical_date, json.loads(json.dumps(conf or {})), session)
            tasks = Tasks(parsed, self._supervisor, self._clock)
            with answered():
                self._to_the_end(run, tasks, Approvals(approve), session)
            return DagResult.of(run, parsed, tasks, happened, session)
        finally:
            session.close()

    def _created(self, dag: DAG, logical_date: datetime | None, conf: dict[str, Any], session: Session) -> DagRun:
        from airflow.sdk import timezone
        from airflow.serialization.encoders import coerce_to_core_timetable
        from airflow.utils.state import DagRunState
        from airflow.utils.types import DagRunTriggeredByType, DagRunType

        if dag.dag_id not in self._known or self._known[dag.dag_id][0] is not dag:
            self._known[dag.dag_id] = dag, register(dag, session)
        scheduled = self._known[dag.dag_id][1]
        date = timezone.coerce_datetime(logical_date or self._clock.utcnow())
        kind = DagRunType.MANUAL if logical_date is None else DagRunType.SCHEDULED
        run: DagRun = scheduled.create_dagrun(
            run_id=f"{kind.value}__{date.isoformat()}",
            logical_date=date,
            data_interval=coerce_to_core_timetable(dag.timetable).infer_manual_data_interval(run_after=date),
            run_after=date,
            conf=conf,
            run_type=kind,
            state=DagRunState.RUNNING,
            triggered_by=DagRunTriggeredByType.TEST,
            triggering_user_name="test",
            start_date=timezone.utcnow(),
            session=session,
        )
        session.commit()
        return run

    def _to_the_end(self, run: DagRun, tasks: Tasks, approvals: Approvals, session: Session) -> None:
        from airflow.utils.state import DagRunState, TaskInstanceState

        latest = self._clock.now() + MAX_DURATION.total_seconds()
        before: dict[Any, Any] = {}
        while True:
            session.expire_all()
            ready, _ = run.update_state(session=session)
            if run.state != DagRunState.RUNNING:
                session.commit()
                return
            run.schedule_tis(ready, session=session)
            session.commit()
            session.expire_all()
            found = run.get_task_instances(session=session)
            begun = [each for each in found if each.state == TaskInstanceState.DEFERRED]
            for each in sorted(begun, key=lambda one: (one.trigger_timeout is None, one.trigger_timeout)):
                tasks.begin_in_triggerer(each, session)
            scheduled = [each for each in found if each.state == TaskInstanceState.SCHEDULED]
            for each in sorted(scheduled, key=lambda one: (one.task_id, one.map_index)):
                tasks.run(each, session)
            found = run.get_task_instances(session=session)
            states = {(each.task_id, each.map_index): each.state for each in found}
            if states == before and not approvals.answer(found, session):
                self._wait(run, found, session)
            before = states
            if self._clock.now() > latest:
                raise StuckRunError(f"{run.dag_id} has not ended after {MAX_DURATION.days} days: {_told(found)}")

    def _wait(self, run: DagRun, found: list[Any], session: Session) -> None:
        """Let the time pass until a task can go on."""
        from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

        moments = [moment for each in found if (moment := _goes_on_at(each, run, session)) is not None]
        if not moments:
            raise StuckRunError(f"no task of {run.dag_id} can go on: {_told(found)}")
        self._clock.sleep(min(moments).timestamp() - self._clock.now() + 0.001)
        sweep: Any = SchedulerJobRunner.check_awaiting_input_timeouts
        sweep(SimpleNamespace(log=run.log), session=session)
        session.commit()


def _goes_on_at(instance: Any, run: DagRun, session: Session) -> datetime | None:
    """Return when a task instance that waits can go on; None when it waits for no moment."""
    from airflow.models.taskreschedule import TaskReschedule
    from airflow.utils.state import TaskInstanceState

    if instance.state == TaskInstanceState.UP_FOR_RETRY:
        instance.task = run.get_dag().get_task(instance.task_id)
        moment: datetime | None = instance.next_retry_datetime()
        return moment
    if instance.state == TaskInstanceState.UP_FOR_RESCHEDULE:
        latest = TaskReschedule.stmt_for_task_instance(instance, descending=True)
        return session.scalar(latest.with_only_columns(TaskReschedule.reschedule_date).limit(1))
    if instance.state == TaskInstanceState.AWAITING_INPUT:
        deadline: datetime | None = instance.trigger_timeout
        return deadline
    return None


def _told(found: list[Any]) -> str:
    return ", ".join(f"{each.task_id} is {each.state or 'not started'}" for each in found)
