# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A person answers what a task asks before it launches something.

An answer goes through Airflow, as one that is given in Required Actions: Airflow knows who gave it, and resumes the
task. Where Airflow shows what the task asked earlier, the answer is written to the shared store, and the task is told
to look there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from sqlalchemy import text

from airflow_provider_mkt.control.settling import Instance
from airflow_provider_mkt.state.database.shared import store
from airflow_provider_mkt.state.launches.approvals import APPROVED, NAMED, STATES, WAITING, Approval, Approvals
from airflow_provider_mkt.submission.question import AGAIN, no_to, yes_to

ASKING = frozenset({"running", "awaiting_input", "deferred"})
"""States of a task whose question can be answered: it has just asked, or waits."""
NAME = 8
"""Characters of a question's name that people see."""
WHOLE = re.compile(r"[0-9a-f]{32}")
MANY = 100_000
"""Requests of one question."""
_FORMER = text(
    "SELECT ask FROM mkt_approval WHERE deployment = :deployment AND dag_id = :dag_id AND task_id = :task_id "
    "AND map_index = :map_index AND (run_id = :run_id OR state = 'approved') "
    "AND id < (SELECT MIN(id) FROM mkt_approval WHERE ask = :ask) ORDER BY id DESC LIMIT 1"
)


class AnsweringError(Exception):
    """A question that cannot be answered now, or not so."""


class Airflow(Protocol):
    """Where tasks ask: Airflow's REST API, or its database."""

    def options(self, instance: Instance) -> list[str]:
        """Return the answers that Airflow shows for the question of a task instance; none when it asks nothing."""

    def answer(self, instance: Instance, option: str, reason: str) -> None:
        """Answer the question of a task instance: the task goes on."""

    def task_state(self, instance: Instance) -> str:
        """Return the state of a task instance; "" when it has none."""


class Answer(NamedTuple):
    """What a person says.

    :param state: :data:`.approvals.APPROVED` or :data:`.approvals.REFUSED`
    :param by: who, where Airflow does not know it
    :param reason: why
    :param source: by which means
    """

    state: str
    by: str
    reason: str
    source: str


def question(ask: str) -> list[Approval]:
    """Return the requests that a question is about; none when there is no such question.

    :param ask: its whole name
    :raises StoreError: when the shared store fails
    """
    # Part of a name would have all questions read whose names begin so, with their requests.
    return Approvals().find(STATES, MANY, ask) if WHOLE.fullmatch(ask) else []


def former_question(asked: Approval) -> list[Approval]:
    """Return the requests that the same task asked about before; none when there is nothing to compare with.

    Those are of the last question of the same run, or of one that was approved in an earlier run.

    :param asked: any request of the question
    :raises StoreError: when the shared store fails
    """
    values = {name: getattr(asked, name) for name in (*NAMED, "ask")}
    found = store().run(lambda connection: connection.execute(_FORMER, values).scalar())
    return question(str(found or ""))


def instance_of(asked: Approval) -> Instance:
    """Return the task instance that asks."""
    return Instance(asked.dag_id, asked.run_id, asked.task_id, asked.map_index)


def answer(airflow: Airflow, asked: Sequence[Approval], given: Answer) -> None:
    """Hand an answer to the task that asks.

    :param airflow: where it asks
    :param asked: the requests of its question, as they were read
    :param given: the answer
    :raises AnsweringError: when the question waits for no answer; nothing was changed
    :raises StoreError: when the shared store fails
    """
    first = asked[0]
    if first.state != WAITING:
        by = f" by {first.answered_by}" if first.answered_by else ""
        raise AnsweringError(f"{first.ask[:NAME]} is {first.state}{by}; it waits for no answer any more.")
    instance = instance_of(first)
    options, task_state = airflow.options(instance), airflow.task_state(instance)
    place = f"The task {first.task_id} of {first.dag_id}, run {first.run_id},"
    if not options:
        raise AnsweringError(f"{place} is not there any more. Nothing is sent.")
    if task_state not in ASKING:
        raise AnsweringError(
            f"{place} is {task_state or 'about to be scheduled'}: it waits for no answer. Nothing is sent."
        )
    option = yes_to(first.code) if given.state == APPROVED else no_to(first.code)
    if option in options:
        airflow.answer(instance, option, given.reason)
        return
    if not Approvals().answer(first.ask, given.state, given.by, given.reason, given.source):
        raise AnsweringError(f"{first.ask[:NAME]} was answered meanwhile.")
    try:
        airflow.answer(instance, AGAIN, "")
    except Exception:
        Approvals().take_back(first.ask)
        raise
