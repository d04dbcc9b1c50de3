# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The fault matrix under a real scheduler and triggerer: at every step a real task process is killed."""

from __future__ import annotations

import pytest

from tests.chaos.matrix import SUBJECTS, End, Left
from tests.chaos.steps import Step
from tests.integration.airflow import Airflow, Run, until

CELLS = {
    Step.BEFORE_INTENT: ("flokit", "before_intent", Left.NOTHING),
    Step.AFTER_INTENT: ("flow_living", "after_intent", Left.DOUBT),
    Step.CONNECTED: ("flow_social", "connected", Left.DOUBT),
    Step.SENT: ("flow_living", "sent", Left.DOUBT),
    Step.PROCESSED: ("flow_social", "processed", Left.DONE),
    Step.FIRST_BYTE: ("flinque", "first_byte", Left.DONE),
    Step.ANSWERED: ("flow_living", "answered", Left.DONE),
    Step.RECEIPT: ("flow_living", "receipt", Left.RECEIPT),
    Step.DEFERRING: ("flinque", "deferring", Left.RECEIPT),
    Step.TRIGGER: ("flow_living", "trigger", Left.RECEIPT),
    Step.RESUMED: ("flow_living", "resumed", Left.RECEIPT),
}
TIMEOUT = 150.0


@pytest.fixture(scope="module")
def run(airflow: Airflow) -> Run:
    """The run in which everything dies once, after its end."""
    vendors = airflow.sandbox
    vendors.reset()
    vendors.limits({"*": None})
    vendors.fault(SUBJECTS["flow_living"].route, "drop_before")
    vendors.fault(SUBJECTS["flow_social"].route, "delay", when="after", seconds=60)
    vendors.fault(SUBJECTS["flinque"].route, "slow_body", seconds=30)
    run = airflow.run("chaos_matrix", "matrix")

    until("the post", lambda: vendors.ledger("flow_social", "post.created", "processed"))
    run.process("processed").kill()
    run.wait_for("trigger", {"deferred"}, TIMEOUT)
    airflow.kill_triggerer()
    airflow.start_triggerer()
    run.finished(TIMEOUT)
    return run


@pytest.mark.parametrize("step", Step)
def test_cell(step: Step, run: Run) -> None:
    vendor, task_id, left = CELLS[step]
    subject = SUBJECTS[vendor]
    vendors = run.airflow.sandbox
    reference = "int_adjust" if vendor == "flokit" else task_id
    happened = len(vendors.ledger(vendor, subject.effect, reference))
    end, task, log = subject.ends[left], run.tasks()[task_id], run.log(task_id)

    assert happened == (0 if end is End.UNKNOWN_NOT_DONE else 1), log
    assert task.state == ("success" if end is End.ONCE else "failed"), log
    assert task.tries == (1 if step is Step.TRIGGER else 2), log
    assert ("SIGKILL" in log) == (step is not Step.TRIGGER), log
    if end is not End.ONCE:
        assert "Nobody can know whether the campaign was submitted to Flow Living" in log
        assert f"Look at Flow Living for the reference '{task_id}'" in log
    elif left is Left.RECEIPT and step is not Step.TRIGGER:
        assert "attaching to" in log
