# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Approvals with a real Airflow: Required Actions hold the question, no worker waits, an answer resumes the task."""

from __future__ import annotations

import itertools

import pytest

from airflow_provider_mkt.cli.airflow_api import AirflowApi, AirflowApiError
from airflow_provider_mkt.control.settling import Instance
from scripts.demo.desk import executor_reports
from tests.integration.airflow import PATIENCE, Airflow, Run, until

pytestmark = pytest.mark.proof

numbers = itertools.count(1)
DAG = "publish_when_approved"


def asking(airflow: Airflow) -> tuple[Run, AirflowApi, Instance]:
    """Start a launch, and wait until it asks."""
    run = airflow.run(DAG, f"{DAG}-{next(numbers)}")
    run.wait_for("publish", {"awaiting_input"})
    reported(run, 1)
    return run, AirflowApi(airflow.addresses.airflow), Instance(DAG, run.run_id, "publish", -1)


def reported(run: Run, times: int) -> None:
    """Wait until the scheduler knows that so many processes of the task have ended."""
    until("the executor's report", lambda: executor_reports(run.airflow.layout, run.run_id, "publish") >= times)


def published(run: Run) -> int:
    return sum(each["reference"] == run.run_id for each in run.airflow.sandbox.ledger(effect="campaign.published"))


def test_a_yes(airflow: Airflow) -> None:
    run, api, instance = asking(airflow)
    assert airflow.api.task(run, "publish")["id"] not in airflow.task_processes()
    options = api.options(instance)
    assert [each.partition(" ")[0] for each in options] == ["Approve", "Ask", "Refuse"]
    # Asked again, it asks the same.
    api.answer(instance, "Ask again", "")
    until("the question", lambda: run.log("publish").count("Answer it in Required Actions") == 2)
    run.wait_for("publish", {"awaiting_input"})
    reported(run, 2)
    assert api.options(instance) == options
    assert published(run) == 0
    api.answer(instance, options[0], "checked")
    assert run.finished(PATIENCE) == "success"
    assert published(run) == 1
    with pytest.raises(AirflowApiError, match="HTTP 409"):
        api.answer(instance, options[-1], "too late")


def test_a_no(airflow: Airflow) -> None:
    run, api, instance = asking(airflow)
    api.answer(instance, api.options(instance)[-1], "wrong price")
    assert run.finished(PATIENCE) == "failed"
    assert "refused this launch: wrong price. Nothing was sent" in run.log("publish")
    assert run.tasks()["publish"].tries == 1
    assert published(run) == 0


def test_cleared_while_it_waits(airflow: Airflow) -> None:
    run, api, instance = asking(airflow)
    options = api.options(instance)
    airflow.api.clear(run, "publish")
    run.wait_for("publish", {"awaiting_input"}, more_than=1)
    reported(run, 2)
    assert api.options(instance) == options
    api.answer(instance, options[0], "")
    assert run.finished(PATIENCE) == "success"
    assert published(run) == 1
