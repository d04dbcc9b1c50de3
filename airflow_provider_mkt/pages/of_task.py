# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The launches of one task: the tab on the task's own page in Airflow."""

from __future__ import annotations

from airflow_provider_mkt.pages.rendering import NAMED
from airflow_provider_mkt.pages.visit import GoTo, RefusedError, Shown, Visit
from airflow_provider_mkt.state.launches.listing import UNSETTLED
from airflow_provider_mkt.state.launches.register import Register
from airflow_provider_mkt.submission.deployment import deployment

NOT_MAPPED = ("", "-1", "{MAP_INDEX}")
"""What Airflow's UI puts in for a task that is not mapped."""
MOST = 200


def show(visit: Visit) -> Shown | GoTo:
    """Show the launches of a task; its only one at once."""
    dag_id, run_id, task_id = (visit.asked(name) for name in ("dag", "run", "task"))
    if not visit.may.may_see(dag_id):
        raise RefusedError(404, "There is no such task, or you may not see its launches.")
    index = None if visit.asked("index") in NOT_MAPPED else visit.number("index")
    map_index = -1 if index is None else index
    found = Register().find(limit=MOST, dag_id=dag_id, run_id=run_id, task_id=task_id)
    here = deployment()
    launches = [each for each in found if each.map_index == map_index and each.deployment == here]
    if len(launches) == 1:
        return GoTo(f"/launches/{launches[0].launch}")
    record = f"{visit.task_page(dag_id, run_id, task_id, map_index)}/task-state-store"
    return Shown(
        "of_task.html",
        {"launches": launches, "named": NAMED, "unsettled": UNSETTLED, "task_id": task_id, "record": record},
    )
