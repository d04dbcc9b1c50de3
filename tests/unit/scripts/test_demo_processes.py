# Licensed under the Apache License, Version 2.0; see LICENSE.
from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from scripts.demo import processes
from scripts.demo.layout import Layout
from scripts.demo.record import Instance, Started, describe

# Ignores SIGTERM, and starts a process that leaves its parent, its session and its group behind.
STUBBORN_WITH_RUNAWAY = """
import os, pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
runaway = "import os, pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(60)"
if os.fork() == 0:
    os.setsid()
    subprocess.Popen([sys.executable, "-c", runaway, sys.argv[1]], start_new_session=True)
    os._exit(0)
os.wait()
pathlib.Path(sys.argv[2]).write_text("ready")
time.sleep(60)
"""
SLEEP = "import time; time.sleep(60)"


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Layout]:
    monkeypatch.setattr(processes, "GENTLE_SECONDS", 0.5)
    made = Layout.of(tmp_path)
    made.start_clean()
    yield made
    processes.stop_all(made, None)


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.02)


def _start(layout: Layout, name: str, code: str, *arguments: str) -> Started:
    env = processes.marked_environment(layout, {})
    child = processes.start(name, [sys.executable, "-c", code, *arguments], layout, env)
    return describe(name, child.pid)


def _instance(*services: Started) -> Instance:
    return Instance("demo", describe("runner"), "http://a", "http://b", services=list(services))


@pytest.mark.slow
def test_stop_ends_stubborn_and_runaway_processes(layout: Layout) -> None:
    pid_file, ready = layout.home / "pid", layout.home / "ready"
    service = _start(layout, "service", STUBBORN_WITH_RUNAWAY, str(pid_file), str(ready))
    _until(lambda: ready.exists() and pid_file.exists() and pid_file.read_text() != "")
    runaway = psutil.Process(int(pid_file.read_text()))
    assert runaway.ppid() != service.pid

    assert processes.stop_all(layout, _instance(service)) == 2

    assert service.alive() is None
    assert not runaway.is_running() or runaway.status() == psutil.STATUS_ZOMBIE


def test_stop_finds_processes_without_any_record(layout: Layout) -> None:
    service = _start(layout, "service", SLEEP)
    assert processes.stop_all(layout, None) == 1
    assert service.alive() is None


def test_stop_spares_strangers(layout: Layout, tmp_path: Path) -> None:
    other = Layout.of(tmp_path / "other")
    other.project.mkdir()
    other.start_clean()
    with subprocess.Popen([sys.executable, "-c", SLEEP]) as stranger:
        neighbour = _start(other, "service", SLEEP)
        # The pid is in use, but by a process that began at another time.
        reused = Started("service", stranger.pid, describe("stranger", stranger.pid).created - 100)
        try:
            assert processes.stop_all(layout, _instance(reused)) == 0
            assert stranger.poll() is None
            assert neighbour.alive() is not None
        finally:
            stranger.kill()
            processes.stop_all(other, None)


def test_environment_leaves_out_the_users_own_airflow(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", "/somewhere")
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql://production")
    monkeypatch.setenv("AIRFLOW_CONN_FLOKIT_DEFAULT", "flokit://production")
    monkeypatch.setenv("NO_PROXY", "example.com")
    env = processes.marked_environment(layout, {"AIRFLOW_HOME": "ours"})
    assert {name: value for name, value in env.items() if name.startswith("AIRFLOW")} == {"AIRFLOW_HOME": "ours"}
    assert env["NO_PROXY"] == "example.com,127.0.0.1,localhost"


def test_free_ports_are_different() -> None:
    ports = processes.free_ports(5)
    assert len(set(ports)) == 5


def test_tail_returns_the_end(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    assert processes.tail(log) == []
    log.write_text("".join(f"line {number}\n" for number in range(100)))
    assert processes.tail(log, 2) == ["line 98", "line 99"]
