# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Mistakes in tasks that launch something, or wait for what was launched."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt import clock
from airflow_provider_mkt.testing.declared import Declared, declared

if TYPE_CHECKING:
    from airflow.sdk import DAG

Found = Iterator[tuple[str, str]]

MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(?P<zone>Z|[+-]\d\d:?\d\d)?")
CHANGING = re.compile(r"\{\{[^}]*(\bnow\(|utcnow\(|try_number|macros\.(uuid|random|time\.time))")
ALL_BEFORE = ("all_success", "none_failed", "none_failed_min_one_success", "all_done_min_one_success")
MIN_INTERVAL = 10.0
LONG = 3_600.0
"""Seconds."""


def _launches(tasks: list[Declared]) -> list[Declared]:
    return [each for each in tasks if each.launches]


def _content(each: Declared, known: dict[str, str]) -> str:
    """Return a digest of what a task does, and of what those do that its values come from, without their names."""
    if each.task_id not in known:
        function = each.get("python_callable")
        name = function and f"{function.__module__}.{function.__qualname__}"
        source = getattr(getattr(each.task, "expand_input", None), "value", None)
        told = [each.kind.__name__, each.conn_id, name, _nameless(each.fields, known), _nameless(source, known)]
        known[each.task_id] = sha256(json.dumps(told, default=str, sort_keys=True).encode()).hexdigest()
    return known[each.task_id]


def _nameless(value: Any, known: dict[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _nameless(each, known) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_nameless(each, known) for each in value]
    if hasattr(value, "iter_references"):
        references = [[_content(declared(task), known), key] for task, key in value.iter_references()]
        return [type(value).__name__, references]
    return value


def same_launch(_: DAG, tasks: list[Declared]) -> Found:
    """Two tasks launch the same."""
    seen: dict[str, str] = {}
    known: dict[str, str] = {}
    for each in _launches(tasks):
        content = _content(each, known)
        if content in seen:
            yield each.task_id, f"launches the same as {seen[content]}, so it happens twice. Remove one of them."
        seen.setdefault(content, each.task_id)


def no_retries(_: DAG, tasks: list[Declared]) -> Found:
    """A lost answer is settled by the next try."""
    for each in _launches(tasks):
        if not each.get("retries"):
            yield each.task_id, "has no retries, so a lost answer is never settled. Set retries to at least 2."


def no_retry_policy(_: DAG, tasks: list[Declared]) -> Found:
    """Refusals are not worth a retry."""
    for each in _launches(tasks):
        if each.get("retry_policy") is None:
            yield each.task_id, "has retry_policy=None, so refusals are tried again in vain. Remove it."


def resubmit(_: DAG, tasks: list[Declared]) -> Found:
    """Launching again is a person's decision."""
    for each in _launches(tasks):
        if each.get("resubmit") is True:
            why = (
                "launches again whenever it is cleared. Remove resubmit=True; set mkt_resubmit in a run's conf instead."
            )
            yield each.task_id, why


def _moments(task: Declared) -> Iterator[tuple[str, datetime]]:
    for name, value in task.texts():
        if isinstance(value, datetime):
            yield name, value
        elif isinstance(value, str) and MOMENT.fullmatch(value):
            yield name, datetime.fromisoformat(value.replace("Z", "+00:00"))


def naive_time(_: DAG, tasks: list[Declared]) -> Found:
    """A time without a zone is another moment in each time zone."""
    for each in _launches(tasks):
        for name, moment in _moments(each):
            if moment.tzinfo is None:
                yield each.task_id, f"{name} {moment} has no time zone and is read as UTC. Add one: {moment}+01:00."


def past_time(_: DAG, tasks: list[Declared]) -> Found:
    """Vendors refuse what should have begun."""
    for each in _launches(tasks):
        for name, moment in _moments(each):
            if moment.timestamp() < clock.now():
                yield each.task_id, f"{name} {moment} is over, and the vendor will refuse it. Choose a later one."


def fixed_time(dag: DAG, tasks: list[Declared]) -> Found:
    """Every run of a schedule would be for the same moment."""
    if dag.schedule is None:
        return
    for each in _launches(tasks):
        for name, moment in _moments(each):
            why = f"every run of the schedule launches for {moment}. Build {name} from data_interval_end."
            yield each.task_id, why


def changing_template(_: DAG, tasks: list[Declared]) -> Found:
    """A retry has to send what the first try sent."""
    for each in _launches(tasks):
        for name, value in each.texts():
            if isinstance(value, str) and CHANGING.search(value):
                why = f"{name} differs from try to try, and a changed launch is refused. Use run_id or logical_date."
                yield each.task_id, why


def trigger_rule(_: DAG, tasks: list[Declared]) -> Found:
    """A launch goes ahead although a step before it failed."""
    for each in _launches(tasks):
        rule = str(getattr(each.get("trigger_rule"), "value", each.get("trigger_rule")))
        if each.task.upstream_task_ids and rule not in ALL_BEFORE:
            why = f"launches although a step before it failed (trigger_rule {rule}). Remove the rule."
            yield each.task_id, why


def unwatched(_: DAG, tasks: list[Declared]) -> Found:
    """Nobody learns that the vendor failed later."""
    watching = {before for each in tasks if each.waits for before in each.task.get_flat_relative_ids(upstream=True)}
    for each in _launches(tasks):
        if each.get("wait_for_completion", True) is False and each.task_id not in watching:
            why = "does not wait, and no sensor after it does: a later failure stays unknown. Add the sensor."
            yield each.task_id, why


def short_timeout(_: DAG, tasks: list[Declared]) -> Found:
    """Airflow would end the task while it waits."""
    for each in _launches(tasks):
        limit, wait = each.get("execution_timeout"), each.get("wait_timeout")
        if limit is None or wait is None or each.get("deferrable") or not each.get("wait_for_completion", True):
            continue
        seconds = wait.total_seconds() if hasattr(wait, "total_seconds") else float(wait)
        if limit.total_seconds() < seconds:
            yield each.task_id, f"is ended after {limit} but waits for up to {seconds:.0f} s. Lower wait_timeout."


def short_interval(_: DAG, tasks: list[Declared]) -> Found:
    """The rate budget is for launches."""
    for each in tasks:
        name = "poke_interval" if each.waits else "poll_interval"
        interval: Any = each.get(name) if each.waits or each.launches else None
        seconds = interval.total_seconds() if hasattr(interval, "total_seconds") else interval
        if seconds is not None and seconds < MIN_INTERVAL:
            yield each.task_id, f"asks every {seconds:g} s and uses up the rate limit. Raise {name} to 30 or more."


def held_worker(_: DAG, tasks: list[Declared]) -> Found:
    """A sensor that pokes holds a worker slot all the time."""
    for each in tasks:
        timeout: Any = each.get("timeout")
        seconds = timeout.total_seconds() if hasattr(timeout, "total_seconds") else timeout
        if each.waits and each.get("mode") == "poke" and not each.get("deferrable") and (seconds or 0) > LONG:
            why = "holds a worker slot for as long as it waits. Set deferrable=True, or mode='reschedule'."
            yield each.task_id, why


def _connections(tasks: list[Declared]) -> Iterator[tuple[Declared, str]]:
    for each in tasks:
        conn_id = each.conn_id
        if (each.launches or each.waits) and isinstance(conn_id, str) and "{" not in conn_id:
            yield each, conn_id


def no_connection(_: DAG, tasks: list[Declared]) -> Found:
    """The connection is none of this test's."""
    for each, conn_id in _connections(tasks):
        if f"AIRFLOW_CONN_{conn_id.upper()}" not in os.environ:
            yield each.task_id, f"there is no connection {conn_id!r} in the environment. Correct it, or define it."


def wrong_connection(_: DAG, tasks: list[Declared]) -> Found:
    """The connection is another vendor's."""
    for each, conn_id in _connections(tasks):
        text = os.environ.get(f"AIRFLOW_CONN_{conn_id.upper()}", "")
        kind = json.loads(text).get("conn_type") if text.startswith("{") else text.partition("://")[0]
        wanted = each.kind.__module__.partition("airflow_provider_mkt.")[2].split(".")[1:2]
        if kind and wanted and kind.replace("-", "_") != wanted[0]:
            yield each.task_id, f"the connection {conn_id!r} is of type {kind}, not {wanted[0]}. Name another one."
