# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What to show of a run that failed: which task, the end of its log, where the log is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.demo.airflow_api import TaskState
from scripts.demo.layout import Layout
from scripts.demo.problems import DemoError
from scripts.demo.processes import tail

LOG_LINES = 12
READ_LINES = 60
FOLDING = ("::group::", "::endgroup::")  # marks for the UI
MESSAGE_CHARACTERS = 600


def explain(layout: Layout, dag_id: str, run_id: str, states: Sequence[TaskState]) -> DemoError:
    """Return the error that names every failed task and shows the end of the first one's log."""
    failed = [one for one in states if one.state == "failed"]
    if not failed:
        return DemoError(f"{dag_id} failed although none of its tasks did; see {layout.logs / 'scheduler.log'}")
    names = ", ".join(_name(one) for one in failed)
    log = newest_log(layout, dag_id, run_id, failed[0])
    if log is None:
        return DemoError(
            f"{dag_id} failed in {names}, before it wrote a log",
            [f"see {layout.logs / 'scheduler.log'}"],
        )
    return DemoError(
        f"{dag_id} failed in {names}", [*readable(tail(log, READ_LINES))[-LOG_LINES:], f"whole log: {log}"]
    )


def newest_log(layout: Layout, dag_id: str, run_id: str, task: TaskState) -> Path | None:
    """Return the log file of the last try of a task."""
    folder = layout.task_logs / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task.task_id}"
    if task.map_index >= 0:
        folder = folder / f"map_index={task.map_index}"
    logs = sorted(folder.glob("attempt=*.log"), key=lambda path: path.stat().st_mtime)
    return logs[-1] if logs else None


def readable(lines: Sequence[str]) -> list[str]:
    """Turn Airflow's JSON log lines into plain ones; other lines stay as they are."""
    return [text for line in lines for text in _readable(line)]


def _readable(line: str) -> list[str]:
    try:
        entry = json.loads(line)
    except ValueError:
        return [line]
    if not isinstance(entry, dict):
        return [line]
    if str(entry.get("event", "")).startswith(FOLDING):
        return []
    text = f"{str(entry.get('timestamp', ''))[11:19]} {entry.get('level', '')}: {entry.get('event', '')}"
    return [text[:MESSAGE_CHARACTERS], *(_error(row) for row in entry.get("error_detail") or [])]


def _error(row: dict[str, Any]) -> str:
    return f"    {row.get('exc_type')}: {row.get('exc_value')}"[:MESSAGE_CHARACTERS]


def _name(task: TaskState) -> str:
    return task.task_id if task.map_index < 0 else f"{task.task_id}[{task.map_index}]"
