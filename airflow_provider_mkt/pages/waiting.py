# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What waits for a person before it is launched, above the list of launches."""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

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
    :param may_answer: whether the person may answer it
    """

    first: Approval
    more: int
    costs: str
    may_answer: bool


def questions(visit: Visit) -> list[Question]:
    """Return what waits for an answer, of the DAGs that a person may see, the oldest first."""
    here = deployment()
    rows = [each for each in Approvals().find([WAITING]) if each.deployment == here]
    readable = visit.may.readable({each.dag_id for each in rows})
    asked = [list(group) for _, group in groupby(rows, key=lambda each: each.ask)]
    return [
        Question(each[0], len(each) - 1, total_of(each), visit.may.may_answer(each[0].dag_id))
        for each in asked[:MOST]
        if each[0].dag_id in readable
    ]
