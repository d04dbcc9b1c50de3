# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Every benchmark still runs, on a small scale. What it measures then means nothing and is not looked at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SMALL: dict[str, tuple[str, list[str]]] = {
    "import_cost": ("--runs 1 --most 60000", ["every operator and sensor of this provider"]),
    "call_overhead": (
        "--calls 20 --rounds 1",
        ["SQLite", "PostgreSQL", "requests.Session.get", "FlowSocialHook.get_post", "ratio"],
    ),
    "state_cost": ("--number 20", ["SQLite ", "PostgreSQL", "p99"]),
    "fence": ("--launches 2", ["of which: the fence", "last answer to the last byte", "last look at the clock"]),
    "budget": (
        "--seconds 1 --requests 4 --processes 2",
        ["this provider, SQLite", "this provider, PostgreSQL", "urllib3 Retry", "HttpHook", "HttpOperator"],
    ),
    "posts_batch": ("--posts 120 --batch-speedup 60", ["batches", "HttpOperator"]),
    "webhooks": ("--reports 0 --deliveries 64", ["the same app", "the receiver, SQLite", "the receiver, PostgreSQL"]),
    "waiting": (
        "--social --living 20 --living-seconds 20 --listed 4 --http 2 --seconds 4 --lead 6 --interval 1",
        ["Flow Living (no list)", "FloKit (a list)", "Flinque reports (a list)", "HttpSensor", "calls a minute"],
    ),
    "triggerers": (
        "--triggerers 2 --tasks 8 --seconds 4 --interval 2 --lead 12 --kill",
        ["2, one killed | 8", "| 4 | 0 | 0 |"],
    ),
    "api_server": ("--runs 1 --most 60000", ["CPU until it answers", "memory, every page opened"]),
    "export": ("--orders 300", ["orders.jsonl", "orders.parquet", "a list"]),
}
"""Arguments, and what the output has to name."""
TIMEOUT = 280.0
"""Seconds for one of them on a busy machine; one brings up an Airflow."""
NEED_POSTGRES = {"call_overhead", "state_cost", "budget", "webhooks"}
RUN_ELSEWHERE = {
    "launches_vs_http_operator": "the soak of tests/chaos with another number of launches",
    "hostile_webhooks": "beside a package that is not among the requirements",
}
NO_BENCHMARKS = {"contenders", "waits", "waiting_plot", "waiting_runs"}


@pytest.mark.parametrize("name", SMALL)
def test_runs(name: str, request: pytest.FixtureRequest) -> None:
    arguments, named = SMALL[name]
    database = ["--postgres", request.getfixturevalue("postgres")] if name in NEED_POSTGRES else []
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments.split(), *database]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=TIMEOUT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [each for each in named if each not in done.stdout] == []


def test_none_is_missing() -> None:
    there = {path.stem for path in (ROOT / "benchmarks").glob("*.py")} - {"__init__"}
    assert there == SMALL.keys() | RUN_ELSEWHERE.keys() | NO_BENCHMARKS
