# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Whether a task that is being stopped was given up by a user.

Airflow asks a task to stop for many reasons: a user marks it as failed, as successful, or clears it; a worker or a
triggerer goes down. Only the first is a wish to stop what goes on at the vendor. After a clear the next try attaches to
it, after "success" somebody was content with it, and a worker that goes down has no say.
"""

from __future__ import annotations

from typing import Any


def states_of(ti: Any) -> set[str]:
    """Ask Airflow's server for the state of a task instance.

    :param ti: the task instance, as operators and triggers know it
    :return: its state; empty when Airflow does not know the task instance
    """
    index = -1 if ti.map_index is None else ti.map_index
    states = _server(ti)(ti.dag_id, index, [ti.task_id], run_ids=[ti.run_id])
    return {str(getattr(state, "value", state)) for state in states.get(ti.run_id, {}).values()}


def marked_failed(ti: Any) -> bool:
    """Ask Airflow whether a task instance has been marked as failed.

    :param ti: the task instance, as operators and triggers know it
    :return: False also when Airflow does not know the task instance
    """
    return "failed" in states_of(ti)


def _server(ti: Any) -> Any:
    """Return what asks Airflow's server. In a trigger, task instances have no such method."""
    if (ask := getattr(ti, "get_task_states", None)) is not None:
        return ask
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance  # not while parsing DAGs

    return RuntimeTaskInstance.get_task_states
