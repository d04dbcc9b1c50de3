# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Running a task of a test's DAG, and the trigger that it leaves its waiting to, in this process."""

from __future__ import annotations

import contextlib
import io
import logging
import traceback
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

from airflow_provider_mkt.testing.movable_clock import DeadlineError

if TYPE_CHECKING:
    from airflow.sdk import DAG
    from sqlalchemy.orm import Session

    from airflow_provider_mkt.testing.movable_clock import MovableClock

LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class Tasks:
    """The tasks of one run.

    :param dag: the DAG, with its functions
    :param supervisor: what runs tasks and triggers in this process
    :param clock: the test's clock
    """

    def __init__(self, dag: DAG, supervisor: Any, clock: MovableClock) -> None:
        self._dag, self._supervisor, self._clock = dag, supervisor, clock
        self.logs: dict[tuple[str, int], str] = defaultdict(str)
        self.errors: dict[tuple[str, int], BaseException] = {}

    def run(self, instance: Any, session: Session) -> None:
        """Run a task instance that is scheduled, and the trigger that it leaves its waiting to."""
        from airflow.models.taskinstance import TaskInstance as Instance
        from airflow.sdk.serde import deserialize
        from airflow.utils.state import TaskInstanceState
        from sqlalchemy import select

        instance.set_state(TaskInstanceState.QUEUED, session=session)
        session.commit()
        here = instance.task_id, instance.map_index
        described = _described(instance)
        self.errors.pop(here, None)
        with self._logged(here):
            ended = self._supervisor.start(what=described, task=self._dag.task_dict[instance.task_id])
        if ended.error is not None:
            self.errors[here] = ended.error
            self.logs[here] += "".join(traceback.format_exception(ended.error))
        # The next try has another id, so the instance is looked up by its name.
        session.expire_all()
        named = {"task_id": here[0], "map_index": here[1], "dag_id": described.dag_id, "run_id": described.run_id}
        current = session.scalars(select(Instance).filter_by(**named)).one()
        if current.state == TaskInstanceState.DEFERRED:
            left: Any = ended.msg
            with self._logged(here):
                self._trigger(current, left.classpath, deserialize(left.trigger_kwargs), session)

    def begin_in_triggerer(self, instance: Any, session: Session) -> None:
        """Run the trigger of a task instance that the scheduler has left to the triggerer (``start_from_trigger``)."""
        from airflow.serialization.decoders import smart_decode_trigger_kwargs

        arguments = {name: smart_decode_trigger_kwargs(value) for name, value in instance.trigger.kwargs.items()}
        with self._logged((instance.task_id, instance.map_index)):
            self._trigger(instance, instance.trigger.classpath, arguments, session)

    def _trigger(self, instance: Any, classpath: str, arguments: Any, session: Session) -> None:
        """Run the trigger until it has something to tell, and hand that on as the triggerer does."""
        from airflow.models.trigger import TriggerFailureReason, handle_event_submit
        from airflow.sdk._shared.module_loading import import_string
        from airflow.utils.state import TaskInstanceState

        trigger = import_string(classpath)(**arguments)
        deadline = instance.trigger_timeout
        self._clock.deadline = deadline.timestamp() if deadline else None
        try:
            event = self._supervisor.run_trigger_in_process(trigger=trigger, ti=_described(instance))
        except DeadlineError:
            instance.next_method, instance.next_kwargs = "__fail__", {"error": TriggerFailureReason.TRIGGER_TIMEOUT}
            instance.trigger_id, instance.state = None, TaskInstanceState.SCHEDULED
        else:
            handle_event_submit(event, task_instance=instance, session=session)
        finally:
            self._clock.deadline = None
        session.commit()

    @contextlib.contextmanager
    def _logged(self, here: tuple[str, int]) -> Iterator[None]:
        """Keep what is logged and printed."""
        text = io.StringIO()
        handler = logging.StreamHandler(text)
        handler.setFormatter(logging.Formatter(LINE))
        root, level = logging.getLogger(), logging.getLogger().level
        root.addHandler(handler)
        root.setLevel(min(level, logging.INFO))
        try:
            with contextlib.redirect_stdout(text), _masks_of_its_own():
                yield
        finally:
            root.removeHandler(handler)
            root.setLevel(level)
            self.logs[here] += text.getvalue()


@contextlib.contextmanager
def _masks_of_its_own() -> Iterator[None]:
    """Forget the secrets that a task has masked, as the end of its process does.

    Airflow compiles one pattern of all secrets whenever there is a new one: over a year of tokens, most of the work.
    """
    from airflow.sdk._shared.secrets_masker import _secrets_masker

    masker = _secrets_masker()
    before = masker.patterns, masker.replacer
    masker.patterns = set(masker.patterns)
    try:
        yield
    finally:
        masker.patterns, masker.replacer = before


def _described(instance: Any) -> Any:
    """Return a task instance as Airflow describes it to those who run it."""
    from airflow.sdk.api.datamodels._generated import TaskInstance

    return TaskInstance(
        id=UUID(str(instance.id)),
        task_id=instance.task_id,
        dag_id=instance.dag_id,
        run_id=instance.run_id,
        try_number=instance.try_number,
        map_index=instance.map_index,
        dag_version_id=UUID(str(instance.dag_version_id)),
    )
