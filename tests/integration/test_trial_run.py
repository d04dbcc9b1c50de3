# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow tasks test`` and ``airflow dags test`` on what has launched already, with Airflow's own database."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.submission import record_file, trial_run

DAG = """
from airflow.sdk import DAG
from airflow_provider_mkt.operators.flow_living import FlowLivingPublishCampaignOperator

with DAG("trial", schedule=None, default_args={"retries": 1, "retry_delay": 0}):
    FlowLivingPublishCampaignOperator(
        task_id="publish",
        plan_ref="facebookv2",
        listing_external_ids=["listing_1001"],
        branch_id="branch_harbour",
        wait_for_completion=False,
    )
"""
DATE = datetime(2026, 6, 8, tzinfo=timezone.utc)


@pytest.fixture
def dag(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.utils.db import initdb

    monkeypatch.delenv(trial_run.SWITCH, raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    initdb()
    folder = Path(os.environ["AIRFLOW_HOME"]) / "dags"
    folder.mkdir(exist_ok=True)
    file = folder / "trial.py"
    file.write_text(DAG, encoding="utf-8")
    bag = DagBag(file)
    assert not bag.import_errors
    yield bag.dags["trial"]
    monkeypatch.setenv(trial_run.SWITCH, "yes")
    file.unlink()
    deleted()


def deleted() -> None:
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        for run in session.scalars(select(DagRun).where(DagRun.dag_id == "trial")):
            session.delete(run)


def another_process() -> None:
    """Forget what this process has written: from here on it is another one."""
    record_file.WRITERS.clear()


def refused(dag: Any) -> str:
    """Test the DAG for the date again, which must be refused, and return how."""
    from airflow import settings

    with pytest.raises(ValidationError, match="would be deleted with the records of what it launched") as caught:
        dag.test(logical_date=DATE)
    settings.Session().rollback()
    return str(caught.value)


def published(sandbox: Sandbox) -> int:
    return len(sandbox.ledger("flow_living", "campaign.published"))


def state_after_test(run_id: str) -> str:
    """Run ``airflow tasks test``, and return the state of the task after it."""
    from airflow.cli import cli_parser
    from airflow.cli.commands.task_command import task_test
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    task_test(cli_parser.get_parser().parse_args(["tasks", "test", "trial", "publish", run_id]))
    with create_session() as session:
        return str(session.scalar(select(TaskInstance.state).where(TaskInstance.run_id == run_id)))


def test_a_fresh_dag_is_tested_without_questions(sandbox: Sandbox, dag: Any) -> None:
    assert dag.test(logical_date=DATE).state == "success"
    assert published(sandbox) == 1
    # Again in the same process: what it launched itself is no news to it.
    assert dag.test(logical_date=DATE).state == "success"


def test_a_run_that_has_launched_is_not_replaced_unasked(
    sandbox: Sandbox, dag: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``airflow dags test`` deletes the run of the date, and with it the record."""
    run = dag.test(logical_date=DATE)
    another_process()
    told = refused(dag)
    assert run.run_id in told
    assert trial_run.SWITCH in told
    assert published(sandbox) == 1
    monkeypatch.setenv(trial_run.SWITCH, "yes")
    assert dag.test(logical_date=DATE).state == "success"
    assert published(sandbox) == 2


def test_a_task_that_has_launched_is_not_tested_unasked(
    sandbox: Sandbox, dag: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = dag.test(logical_date=DATE)
    another_process()
    assert state_after_test(run.run_id) != "success"
    assert published(sandbox) == 1
    monkeypatch.setenv(trial_run.SWITCH, "yes")
    assert state_after_test(run.run_id) == "success"
    assert published(sandbox) == 1


def test_a_person_at_the_terminal_is_asked(
    sandbox: Sandbox, dag: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dag.test(logical_date=DATE)
    for answer in ("no", "", "yes"):
        another_process()
        terminal = io.StringIO(f"{answer}\n")
        terminal.isatty = lambda: True  # type: ignore[method-assign]
        monkeypatch.setattr("sys.stdin", terminal)
        if answer == "yes":
            assert dag.test(logical_date=DATE).state == "success"
        else:
            refused(dag)
        assert "Go on? [yes/no]" in capsys.readouterr().err
