# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The live view of a run: a table that redraws itself on a terminal, one line per change elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from graphlib import TopologicalSorter

from rich.live import Live
from rich.table import Table
from rich.text import Text

from scripts.demo.airflow_api import AirflowApi, TaskState
from scripts.demo.console import Screen
from scripts.demo.problems import DemoError

STYLES = {
    "success": "green",
    "running": "bold yellow",
    "failed": "bold red",
    "upstream_failed": "red",
    "up_for_retry": "magenta",
    "up_for_reschedule": "cyan",
    "deferred": "cyan",
    "queued": "yellow",
    "skipped": "dim",
}
WAITING = "waiting"
FINISHED_RUNS = ("success", "failed")
POLL_SECONDS = 0.7


def in_order(following: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the tasks so that each comes after those it waits for; ties keep the DAG's own order."""
    sorter: TopologicalSorter[str] = TopologicalSorter({task: [] for task in following})
    for task, later in following.items():
        for one in later:
            sorter.add(one, task)
    return list(sorter.static_order())


def summary(states: Sequence[TaskState]) -> str:
    """Describe the instances of one task: its state, or how many of the mapped ones are in which."""
    if not states:
        return WAITING
    if len(states) == 1:
        return states[0].state or WAITING
    counts = Counter(one.state or WAITING for one in states)
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))


def watch(
    api: AirflowApi, dag_id: str, run_id: str, screen: Screen, *, timeout: float, check: Callable[[], None]
) -> str:
    """Show a run until it ends.

    :param timeout: seconds that the run may take
    :param check: called between two looks; raises :class:`DemoError` when the end cannot come any more
    :return: ``success`` or ``failed``
    :raises DemoError: the run takes too long
    """
    order = in_order(api.task_order(dag_id))
    began = time.monotonic()
    shown: dict[str, str] = {}
    live = Live(console=screen.console, auto_refresh=False, transient=False) if screen.terminal else None
    if live:
        live.start()
    try:
        while True:
            check()
            run_state = api.run_state(dag_id, run_id)
            by_task = _by_task(api.task_states(dag_id, run_id))
            seconds = time.monotonic() - began
            if live:
                live.update(_table(f"{dag_id} · {run_state} · {seconds:.0f} s", order, by_task), refresh=True)
            else:
                shown = _report_changes(screen, order, by_task, shown)
            if run_state in FINISHED_RUNS:
                return run_state
            if seconds > timeout:
                raise DemoError(f"the run of {dag_id} did not end within {timeout:.0f} s")
            time.sleep(POLL_SECONDS)
    finally:
        if live:
            live.stop()


def _by_task(states: Sequence[TaskState]) -> dict[str, list[TaskState]]:
    grouped: dict[str, list[TaskState]] = {}
    for one in states:
        grouped.setdefault(one.task_id, []).append(one)
    return grouped


def _table(title: str, order: Sequence[str], by_task: Mapping[str, Sequence[TaskState]]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("task", no_wrap=True)
    table.add_column("state", min_width=18)
    table.add_column("try", justify="right")
    table.add_column("seconds", justify="right")
    for task in order:
        states = by_task.get(task, [])
        tries = max((one.tries for one in states), default=0)
        seconds = max((one.seconds or 0 for one in states), default=0)
        table.add_row(task, _styled(summary(states)), str(tries) if tries else "", f"{seconds:.1f}" if seconds else "")
    return table


def _styled(text: str) -> Text:
    for state, style in STYLES.items():
        if text == state:
            return Text(text, style=style)
    return Text(text, style="red" if "failed" in text else "dim" if text == WAITING else "")


def _report_changes(
    screen: Screen, order: Sequence[str], by_task: Mapping[str, Sequence[TaskState]], shown: Mapping[str, str]
) -> dict[str, str]:
    now = {task: summary(by_task.get(task, [])) for task in order}
    for task, text in now.items():
        if text != shown.get(task, WAITING):
            screen.say(f"{task}: {text}")
    return now
