# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What waits for a person before it is launched. The answer is given on the task's page in Airflow, which shows all."""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple
from urllib.parse import quote

from airflow_provider_mkt.pages.visit import Visit
from airflow_provider_mkt.state.launches.approvals import WAITING, Approval, Approvals
from airflow_provider_mkt.submission.deployment import deployment
from airflow_provider_mkt.submission.question import total_of

MOST = 50


class Question(NamedTuple):
    """One question, which may be about several requests.

    :param first: its first request
    :param more: how many others it is about
    :param costs: what they cost together, for people
    :param address: where it is answered
    """

    first: Approval
    more: int
    costs: str
    address: str


def questions(visit: Visit) -> list[Question]:
    """Return what waits for an answer, of the DAGs that a person may see, the oldest first."""
    here = deployment()
    rows = [each for each in Approvals().find([WAITING]) if each.deployment == here]
    readable = visit.may.readable({each.dag_id for each in rows})
    asked = [list(group) for _, group in groupby(rows, key=lambda each: each.ask)]
    return [
        Question(each[0], len(each) - 1, total_of(each), _address(visit, each[0]))
        for each in asked[:MOST]
        if each[0].dag_id in readable
    ]


def _address(visit: Visit, asked: Approval) -> str:
    dag, run, task = (quote(part, safe="") for part in (asked.dag_id, asked.run_id, asked.task_id))
    mapped = f"/mapped/{asked.map_index}" if asked.map_index >= 0 else ""
    return f"{visit.airflow}/dags/{dag}/runs/{run}/tasks/{task}{mapped}/required_actions"
