# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Mistakes of whole DAGs that launch something."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from airflow_provider_mkt.testing.declared import Declared

if TYPE_CHECKING:
    from airflow.sdk import DAG

Found = Iterator[tuple[str, str]]


def _launch(tasks: list[Declared]) -> bool:
    return any(each.launches for each in tasks)


def catchup(dag: DAG, tasks: list[Declared]) -> Found:
    """The first start would launch for all of the past."""
    if dag.catchup and dag.schedule is not None and _launch(tasks):
        yield dag.dag_id, "launches once for every interval of the past. Set catchup=False."


def fail_fast(dag: DAG, tasks: list[Declared]) -> Found:
    """Another task's failure looks like a person's stop."""
    if dag.fail_fast and _launch(tasks):
        yield dag.dag_id, "with fail_fast a launch that waits is given up when another task fails. Remove it."


def no_callback(dag: DAG, tasks: list[Declared]) -> Found:
    """Nobody is told of a refusal."""
    told = dag.on_failure_callback or all(each.get("on_failure_callback") for each in tasks if each.launches)
    if _launch(tasks) and not told:
        yield dag.dag_id, "tells nobody when a launch is refused. Set on_failure_callback, for example to a notifier."


def no_preflight(dag: DAG, tasks: list[Declared]) -> Found:
    """The second launch may be refused after the first one happened."""
    from airflow_provider_mkt.operators import PreflightOperator

    asks = any(issubclass(each.kind, PreflightOperator) for each in tasks)
    if sum(each.launches for each in tasks) > 1 and not asks:
        why = "has several launches and asks for none of them first. Put a PreflightOperator before them."
        yield dag.dag_id, why
