# Licensed under the Apache License, Version 2.0; see LICENSE.
from __future__ import annotations

import json
import os
from pathlib import Path

from scripts.demo import failure, taskview, webhooks
from scripts.demo.airflow_api import TaskState
from scripts.demo.layout import Layout


def _state(task_id: str, state: str, map_index: int = -1) -> TaskState:
    return TaskState(task_id, map_index, state, 1, None)


def test_tasks_follow_those_they_wait_for() -> None:
    order = taskview.in_order({"report": [], "publish": ["wait", "posts"], "wait": ["report"], "posts": ["report"]})
    assert order[0] == "publish"
    assert order[-1] == "report"
    assert sorted(order) == ["posts", "publish", "report", "wait"]


def test_mapped_tasks_are_counted() -> None:
    assert taskview.summary([]) == "waiting"
    assert taskview.summary([_state("a", "deferred")]) == "deferred"
    mapped = [_state("a", "success", 0), _state("a", "", 1), _state("a", "success", 2)]
    assert taskview.summary(mapped) == "2 success, 1 waiting"


def test_log_lines_become_readable() -> None:
    error = {
        "timestamp": "2026-01-02T03:04:05.6Z",
        "level": "error",
        "event": "Task failed with exception",
        "error_detail": [{"exc_type": "ValidationError", "exc_value": "budget: must be greater than 0"}],
    }
    lines = [json.dumps({"event": "::group::Pre Execute"}), json.dumps(error), "plain text", "17"]
    assert failure.readable(lines) == [
        "03:04:05 error: Task failed with exception",
        "    ValidationError: budget: must be greater than 0",
        "plain text",
        "17",
    ]


def test_failure_shows_the_last_try_of_the_task_that_failed(tmp_path: Path) -> None:
    layout = Layout.of(tmp_path)
    folder = layout.task_logs / "dag_id=launch" / "run_id=r" / "task_id=post" / "map_index=3"
    folder.mkdir(parents=True)
    for number, text in enumerate(("first", "second"), start=1):
        log = folder / f"attempt={number}.log"
        log.write_text(json.dumps({"level": "error", "event": text}) + "\n")
        os.utime(log, (number, number))
    error = failure.explain(layout, "launch", "r", [_state("a", "success"), _state("post", "failed", 3)])
    assert error.message == "launch failed in post[3]"
    assert "second" in error.details[0]
    assert error.details[-1] == f"whole log: {folder / 'attempt=2.log'}"


def test_failure_without_a_log_points_to_the_scheduler(tmp_path: Path) -> None:
    error = failure.explain(Layout.of(tmp_path), "launch", "r", [_state("post", "failed")])
    assert "post" in error.message
    assert "scheduler.log" in error.details[0]


def test_a_webhook_and_its_run_are_told_in_one_line() -> None:
    delivery = {
        "vendor": "flinque",
        "url": "https://airflow.example.com/hook",
        "event": "report.ready",
        "created_at": "2026-01-02T03:04:05.250Z",
    }
    line = webhooks.story(delivery, {"start_date": "2026-01-02T03:04:06.500000Z", "state": "success"})
    assert "flinque called https://airflow.example.com/hook with report.ready" in line
    assert "1.2 s later mkt_on_report_ready was running" in line
