# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The fault matrix under a real scheduler and triggerer: at every step a real task process is killed."""

from __future__ import annotations

import json
import re
import subprocess
import time

import pytest

from airflow_provider_mkt.cli.submissions_view import UNSETTLED
from scripts.demo import services
from tests.chaos.steps import Step
from tests.chaos.subjects import SUBJECTS, End, Left
from tests.integration.airflow import Airflow, Run, until

CELLS = {
    "before_intent": (Step.BEFORE_INTENT, "flokit", Left.NOTHING),
    "after_intent": (Step.AFTER_INTENT, "flow_living", Left.NOTHING),
    "connected": (Step.CONNECTED, "flow_social", Left.NOTHING),
    "leaving": (Step.LEAVING, "flow_living", Left.DOUBT),
    "sent": (Step.SENT, "flow_living", Left.DOUBT),
    "processed": (Step.PROCESSED, "flow_social", Left.DONE),
    "first_byte": (Step.FIRST_BYTE, "flinque", Left.DONE),
    "answered": (Step.ANSWERED, "flow_living", Left.DONE),
    "receipt": (Step.RECEIPT, "flow_living", Left.RECEIPT),
    "deferring": (Step.DEFERRING, "flinque", Left.RECEIPT),
    "trigger": (Step.TRIGGER, "flow_living", Left.RECEIPT),
    "resumed": (Step.RESUMED, "flow_living", Left.RECEIPT),
    "batch": (Step.ANSWERED, "flow_social_batch", Left.DONE),
    "media": (Step.CONNECTED, "flow_social_media", Left.NOTHING),
    "campaign": (Step.RECEIPT, "flinque_campaign", Left.RECEIPT),
    "workflow": (Step.SENT, "flodesk_workflow", Left.DOUBT),
    "upsert": (Step.FIRST_BYTE, "flodesk_upsert", Left.DONE),
    "webhook": (Step.ANSWERED, "flinque_webhook", Left.DONE),
    "segment": (Step.BEFORE_RECEIPT, "flodesk_segment", Left.DONE),
}
"""The first try of each task is interrupted at this step."""
ALONE = {"flow_social_media", "flodesk_workflow", "flodesk_upsert", "flinque_webhook", "flodesk_segment"}
"""Launched by one task only: all that the ledger has of it is that task's."""
REFERENCES = {"flokit": {"int_adjust"}, "flow_social_batch": {"one", "two", "three"}}
"""What the ledger knows a launch by, where that is not the name of its task."""
UNLIKE = {
    "flow_living_with_analytics": "the connections of this Airflow lack the analytics host",
    "flow_social_webhook": "the same operator as flinque_webhook, for another vendor",
    "flodesk_webhook": "the same operator as flinque_webhook, for another vendor",
}
"""Subjects that are not launched here, with the reason."""
pytestmark = pytest.mark.timeout(900)
TIMEOUT = 300.0


@pytest.fixture(scope="module")
def run(airflow: Airflow) -> Run:
    """The run in which everything dies once, after its end."""
    vendors = airflow.sandbox
    vendors.reset()
    vendors.limits({"*": None})
    vendors.fault(SUBJECTS["flow_living"].route, "drop_before")
    vendors.fault(SUBJECTS["flow_social"].route, "delay", when="after", seconds=60)
    vendors.fault(SUBJECTS["flinque"].route, "slow_body", seconds=30)
    vendors.fault(SUBJECTS["flodesk_upsert"].route, "slow_body", seconds=30)
    vendors.fault(SUBJECTS["flodesk_workflow"].route, "drop_before")
    SUBJECTS["flodesk_workflow"].before(vendors)
    run = airflow.run("chaos_matrix", "matrix")

    until("the post", lambda: vendors.ledger("flow_social", "post.created", "processed"), TIMEOUT)
    run.process("processed").kill()
    run.wait_for("trigger", {"deferred"}, TIMEOUT)
    airflow.kill_triggerer()
    airflow.start_triggerer()
    run.finished(TIMEOUT)
    return run


@pytest.mark.parametrize("task_id", CELLS)
def test_cell(task_id: str, run: Run) -> None:
    step, name, left = CELLS[task_id]
    subject = SUBJECTS[name]
    ours = REFERENCES.get(name, {task_id})
    found = [each["reference"] for each in subject.happened(run.airflow.sandbox)]
    happened = [each for each in found if name in ALONE or each in ours]
    end, task, log = subject.ends[left], run.tasks()[task_id], run.log(task_id)

    assert len(happened) == len(set(happened)) == (0 if end is End.UNKNOWN_NOT_DONE else subject.parts), log
    assert task.state == ("success" if end is End.ONCE else "failed"), log
    assert task.tries == (1 if step is Step.TRIGGER else 2), log
    assert ("SIGKILL" in log) == (step is not Step.TRIGGER), log
    if end is not End.ONCE:
        assert "It is unknown whether the " in log
        assert "Look at " in log
        assert ("for the reference 'subscriber sub_" if name == "flodesk_workflow" else f"reference '{task_id}'") in log
    elif left is Left.RECEIPT and step is not Step.TRIGGER:
        assert "attaching to" in log


def submissions(run: Run, command: str, *words: str, refused: bool = False) -> str:
    """Run ``airflow mkt submissions`` as somebody on call does, and return what it prints."""
    line = (services.AIRFLOW, "mkt", "submissions", command, run.dag_id, *words)
    environment = services.environment(run.airflow.layout, run.airflow.extra)

    def settled() -> subprocess.CompletedProcess[str] | None:
        done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False, timeout=120)
        if early := re.search(r"Check it in (\d+) s", done.stderr):
            time.sleep(int(early[1]))
        return None if early else done

    done = until(f"submissions {command}", settled, TIMEOUT)
    expected = {1} if refused else {UNSETTLED} if "--unsettled" in words else {0}
    assert done.returncode in expected, done.stdout + done.stderr
    return done.stderr if refused else done.stdout


def test_a_person_settles_what_nobody_could_know(run: Run) -> None:
    """Comes last: what it settles is no longer as the cells left it."""

    def unsettled() -> set[str]:
        return {each["task"] for each in json.loads(submissions(run, "list", "--unsettled", "--output", "json"))}

    def happened(reference: str) -> list[list[str]]:
        ledger = run.airflow.sandbox.ledger("flow_living", "campaign.published")
        return [entry["ids"] for entry in ledger if entry["reference"] == reference]

    unknown = {name for name, (_, subject, left) in CELLS.items() if SUBJECTS[subject].ends[left] is not End.ONCE}
    assert unsettled() == unknown
    (ids,) = happened("answered")
    assert happened("leaving") == []

    assert "Clear the task" in submissions(run, "adopt", run.run_id, "answered", "--ids", *ids)
    assert "Clear the task" in submissions(run, "forget", run.run_id, "leaving", "--yes")
    assert unsettled() == unknown - {"answered", "leaving"}
    run.airflow.api.clear(run, "answered", "leaving")
    run.finished(TIMEOUT)

    assert [run.tasks()[name].state for name in ("answered", "leaving")] == ["success", "success"]
    assert f"attaching to {{'campaign_tracking_ids': {ids}" in run.log("answered")
    assert happened("answered") == [ids]
    assert len(happened("leaving")) == 1


def test_no_column_is_empty() -> None:
    assert {step for step, _, _ in CELLS.values()} == set(Step)
    assert {name for _, name, _ in CELLS.values()} | set(UNLIKE) == set(SUBJECTS)
    assert all((step, True) not in SUBJECTS[name].apply_not for step, name, _ in CELLS.values())
