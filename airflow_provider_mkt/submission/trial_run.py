# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow tasks test``, ``airflow dags test`` and ``dag.test()``: a launch of theirs is a real one.

Airflow runs the task in the command's own process then, under the id that the task instance has. ``dag.test()`` also
deletes the run of the same date, with the records of what it launched. Both are asked about first, once there are
records that another process has written; a first launch is nobody's business to question.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.submission.record import PREFIX, Record, UnreadableRecordError
from airflow_provider_mkt.submission.record_file import WRITERS
from airflow_provider_mkt.tasks.state_store import Store

log = logging.getLogger(__name__)

SWITCH = "MKT_TEST_LAUNCH"
"""Environment variable that answers the question with yes."""
YES = frozenset({"1", "true", "yes"})
IN_PROCESS = "InProcessSupervisorComms"
"""Name of the class by which Airflow's SDK talks to the server from such a process."""
TEMPORARY = "__airflow_temporary_run_"
"""Beginning of the ids of runs that ``airflow tasks test`` makes and deletes by itself."""

ANSWERED: ContextVar[bool] = ContextVar("mkt_answered", default=False)


def check_trial_run(store: Store, what: str) -> None:
    """Return when the running task may go on: it is no trial, has no record of another process, or somebody said yes.

    :param store: the task state store
    :param what: names the task, for people
    :raises ValidationError: when it must not
    """
    if is_trial() and (told := _foreign([store.get(f"{PREFIX}0")])):
        _ask(f"{what} has launched already: {told}. A test of it goes on from there, and may launch for real.")


def keep_records() -> None:
    """Have ``dag.test()`` ask before it deletes a run that has launched something.

    Airflow's models are there only where it works on its own database; a worker never loads them.
    """
    dagrun = sys.modules.get("airflow.models.dagrun")
    if dagrun is None or not hasattr(dagrun, "DagRun"):
        return
    from sqlalchemy import event  # loaded by Airflow's models

    if not event.contains(dagrun.DagRun, "before_delete", _before_delete):
        event.listen(dagrun.DagRun, "before_delete", _before_delete)


def is_trial() -> bool:
    """Tell whether the running task is run by a command or a script of its own, in whose process it is."""
    runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    return type(getattr(runner, "SUPERVISOR_COMMS", None)).__name__ == IN_PROCESS


def waits_for_people() -> bool:
    """Tell whether a task may wait for a person: somebody, or a test, answers it."""
    return not is_trial() or ANSWERED.get()


@contextmanager
def answered() -> Iterator[None]:
    """Have tasks wait for people for as long as the block lasts, since whoever runs them also answers."""
    token = ANSWERED.set(True)
    try:
        yield
    finally:
        ANSWERED.reset(token)


def _before_delete(_: Any, connection: Any, run: Any) -> None:
    """Refuse to delete a run with records, unless somebody says yes."""
    if str(run.run_id).startswith(TEMPORARY):
        return
    from airflow.models.task_state_store import TaskStateStoreModel as Kept
    from sqlalchemy import select

    rows = connection.execute(select(Kept.value).where(Kept.dag_run_id == run.id, Kept.key.startswith(PREFIX)))
    if told := _foreign(json.loads(value) for (value,) in rows):
        _ask(f"The run {run.run_id} of {run.dag_id} would be deleted with the records of what it launched: {told}.")


def _foreign(values: Iterable[Any]) -> str:
    """Return in words what other processes have recorded; "" when there is nothing of theirs."""
    told = []
    for value in values:
        if value is None:
            continue
        try:
            record = Record.of(value)
        except UnreadableRecordError as error:
            told.append(str(error))
            continue
        if record.writer not in WRITERS:
            told.append(f"{record.reference!r} of {record.time} ({record.state})")
    return ", ".join(told[:3]) + (f" and {len(told) - 3} more" if len(told) > 3 else "")


def _ask(question: str) -> None:
    """Return after a yes.

    :raises ValidationError: after anything else, and where nobody can be asked
    """
    if os.environ.get(SWITCH, "").strip().lower() in YES:
        log.warning("%s Going on, as %s says.", question, SWITCH)
        return
    if sys.stdin is not None and sys.stdin.isatty():
        print(f"{question} Go on? [yes/no] ", end="", file=sys.stderr, flush=True)  # noqa: T201 - a question
        if sys.stdin.readline().strip().lower() == "yes":
            return
    raise ValidationError(
        f"{question} Nothing was sent, and nothing deleted. To go on all the same, set {SWITCH}=yes in the environment "
        "of the command."
    )
