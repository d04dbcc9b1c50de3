# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Freezes and stops under a real scheduler: SIGSTOP of task and supervisor, clears and marks during a budget wait."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest

from tests.chaos.freezes import REAL, TABLE, WITH_ANALYTICS, Where
from tests.chaos.subjects import SUBJECTS
from tests.chaos.test_real_matrix import submissions
from tests.integration.airflow import Airflow, Run, until

pytestmark = pytest.mark.timeout(900)
TIMEOUT = 300.0
REFERENCES = {"flow_social": {"three homes"}, "flow_social_batch": {"one", "two", "three"}}
"""What the ledger knows a launch by, where the effect is not that task's only."""


def frozen(airflow: Airflow) -> dict[str, list[int]]:
    """Return the processes that stand still, by task."""
    notes = {path.name.removeprefix("frozen-"): path.read_text() for path in airflow.layout.airflow.glob("frozen-*")}
    return {task_id: [int(pid) for pid in pids.split()] for task_id, pids in notes.items() if pids}


def thaw(processes: dict[str, list[int]]) -> None:
    """Let all of them go on, the supervisors too."""
    for pid in (pid for pids in processes.values() for pid in pids):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def standing_still(airflow: Airflow) -> Iterator[Run]:
    """The run of the freezes, from when everything stands still."""
    vendors = airflow.sandbox
    vendors.reset()
    vendors.limits({"*": None})
    SUBJECTS["flodesk_workflow"].before(vendors)
    airflow.api.add_connections({WITH_ANALYTICS: vendors.connections["flow_living_default"]})
    run = airflow.run("chaos_freeze", "freezes")
    try:
        until("all to stand still", lambda: frozen(airflow).keys() == REAL.keys(), TIMEOUT)
        yield run
    finally:
        thaw(frozen(airflow))


@pytest.fixture(scope="module")
def run(standing_still: Run) -> Run:
    """The run in which everything stood still once: after its end, and after all have gone on."""
    airflow = standing_still.airflow
    standing_still.finished(TIMEOUT)
    green = {task_id for task_id, task in standing_still.tasks().items() if task.state == "success"}
    assert {task_id for task_id in green if not happened(airflow, task_id)} == set(), "green, and never happened"
    thaw(frozen(airflow))
    tasks = [pids[0] for pids in frozen(airflow).values()]
    until("those that stood still to end", lambda: not any(map(_runs, tasks)))
    return standing_still


@pytest.fixture(scope="module")
def stopping(standing_still: Run) -> Run:
    """A run whose launches wait for their rate budget, while Airflow waits for the frozen ones."""
    run = standing_still.airflow.run("chaos_stop", "stop")
    until("both to wait", lambda: len(list(run.airflow.layout.airflow.glob("waiting-*"))) == 2, TIMEOUT)
    return run


def _runs(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def happened(airflow: Airflow, task_id: str) -> list[str]:
    """Return the references of what the ledger has of a task."""
    name = REAL[task_id][0]
    found = [entry["reference"] for entry in SUBJECTS[name].happened(airflow.sandbox)]
    if name.startswith("flow_living"):
        return [each for each in found if each.endswith(f"/{task_id}")]
    return [each for each in found if each in REFERENCES.get(name, {each})]


def published(run: Run, task_id: str) -> int:
    return len(run.airflow.sandbox.ledger("flow_living", "campaign.published", task_id))


def test_forgotten_while_it_waits(stopping: Run) -> None:
    said = submissions(stopping, "forget", stopping.run_id, "cleared", "--yes", refused=True)
    assert "The task cleared is running" in said


def test_cleared_while_it_waits(stopping: Run) -> None:
    """Nothing had left: the next try sends it by itself, and nobody has to look."""
    stopping.airflow.api.clear(stopping, "cleared")
    stopping.wait_for("cleared", {"success"}, more_than=1)
    record = stopping.record("cleared")
    assert published(stopping, "cleared") == 1
    assert (record["state"], record["doubtful"], record["generation"]) == ("submitted", False, 1)
    assert "It is unknown whether" not in stopping.log("cleared")


def test_marked_as_failed_while_it_waits(stopping: Run) -> None:
    process = stopping.process("marked")
    stopping.airflow.api.fail(stopping, "marked")
    until("its end", lambda: not _runs(process.pid))
    record = stopping.record("marked")
    assert (record["state"], record["sent"], record["doubtful"]) == ("intent", False, False)
    assert published(stopping, "marked") == 0
    assert stopping.tasks()["marked"].state == "failed"

    stopping.airflow.api.clear(stopping, "marked")
    stopping.wait_for("marked", {"success"}, more_than=1)
    assert published(stopping, "marked") == 1


@pytest.mark.parametrize("task_id", REAL)
def test_given_up_while_it_stood_still(task_id: str, run: Run) -> None:
    found, task, log = happened(run.airflow, task_id), run.tasks()[task_id], run.log(task_id)
    assert len(found) == len(set(found)) == SUBJECTS[REAL[task_id][0]].parts, log
    assert task.state == "success", log
    assert task.tries > 1, log
    where = REAL[task_id][1]
    if list(Where).index(where) < list(Where).index(Where.RECORDED):
        assert "It is unknown whether" not in log


def test_no_operator_is_missing() -> None:
    assert {name for name, _ in REAL.values()} == set(SUBJECTS)
    assert {where for _, where in REAL.values()} == set(TABLE)
