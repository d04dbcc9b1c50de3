# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Private fields: templates work, and nothing that Airflow writes holds the value."""

from __future__ import annotations

import json
import os
import sqlite3
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator

from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.operators.flodesk import FlodeskAddToSegmentsOperator, FlodeskUnsubscribeOperator
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task

ADDRESS = "poppy.lane@example.com"
DAG_FILE = """
    import os

    from airflow.sdk import DAG
    from airflow_provider_mkt.operators.flodesk import (
        FlodeskAddToSegmentsOperator,
        FlodeskAddToWorkflowOperator,
        FlodeskUnsubscribeOperator,
    )
    from airflow_provider_mkt.sensors.flodesk import FlodeskSubscriberStatusSensor

    names = {"person": lambda: os.environ["PERSON"], "segment": lambda: os.environ["SEGMENT"]}
    with DAG("private_fields", schedule=None, user_defined_macros=names):
        who = {"id_or_email": "{{ person() }}"}
        (
            FlodeskAddToSegmentsOperator(task_id="join", segment_ids=["{{ segment() }}"], **who)
            >> FlodeskAddToWorkflowOperator(task_id="enter", workflow_id="wf_welcome", **who)
            >> FlodeskSubscriberStatusSensor(task_id="wait", **who)
            >> FlodeskUnsubscribeOperator(task_id="leave", **who)
        )
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """Airflow's home of this test session, with a database and a folder for DAGs."""
    from airflow.utils.db import initdb

    initdb()
    home = Path(os.environ["AIRFLOW_HOME"])
    (home / "dags").mkdir(exist_ok=True)
    yield home
    (home / "dags" / "private.py").unlink()


def everything_in(database: Path) -> str:
    with sqlite3.connect(database) as base:
        return "\n".join(base.iterdump())


@pytest.mark.slow
def test_nothing_that_airflow_writes_holds_an_address(
    vendors: Sandbox,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    from airflow.dag_processing.dagbag import DagBag

    FlodeskHook().upsert_subscriber({"email": ADDRESS})
    caplog.clear()
    monkeypatch.setenv("PERSON", ADDRESS)
    monkeypatch.setenv("SEGMENT", "seg_vips")
    file = home / "dags" / "private.py"
    file.write_text(textwrap.dedent(DAG_FILE))
    bag = DagBag(file)
    assert not bag.import_errors
    run = bag.dags["private_fields"].test()
    assert run.state == "success"
    assert FlodeskHook().get_subscriber(ADDRESS)["status"] == "unsubscribed"

    logs = [path.read_text(errors="replace") for path in (home / "logs").rglob("*") if path.is_file()]
    captured = capfd.readouterr()
    stored = everything_in(home / "airflow.db")
    # Public fields, results and the record of the entry are found by this search: so would be an address.
    assert "seg_vips" in stored
    assert "in workflow wf_welcome" in stored
    assert "workflow entry" in caplog.text
    assert "poppy.lane" not in "\n".join([stored, *logs, captured.out, captured.err, caplog.text])


def test_not_a_part_of_the_stored_dag() -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    with DAG("a", schedule=None) as dag:
        FlodeskUnsubscribeOperator(task_id="leave", id_or_email=ADDRESS)
        FlodeskAddToSegmentsOperator(task_id="join", id_or_email=ADDRESS, segment_ids=["seg_vips"])
    stored = json.dumps(DagSerialization.to_dict(dag))
    assert "seg_vips" in stored
    assert "poppy" not in stored


def test_result_of_another_task_is_waited_for() -> None:
    with DAG("a", schedule=None):
        before = BaseOperator(task_id="find")
        task = FlodeskUnsubscribeOperator(task_id="leave", id_or_email=before.output)  # type: ignore[arg-type]
    assert task.upstream_task_ids == {"find"}


def test_rendered_once_more_on_every_try(vendors: Sandbox, task: Task) -> None:
    """The task keeps what the DAG's author wrote, and text that only looks like a template is none."""
    operator = FlodeskAddToSegmentsOperator(task_id="join", id_or_email="{{ person }}", segment_ids=["seg_vips"])
    names: dict[str, Any] = {**task.context, "person": "{{ other }}", "other": "ada@example.com"}
    assert operator.private("id_or_email", names) == "{{ other }}"
    assert operator.private("id_or_email", {**names, "person": "bo"}) == "bo"
