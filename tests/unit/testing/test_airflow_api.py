# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a run asks of Airflow's API is answered as Airflow's own in-process server answers it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from airflow_provider_mkt.testing.airflow_api import task_supervisor
from airflow_provider_mkt.testing.movable_clock import MovableClock
from airflow_provider_mkt.testing.results import DagResult
from airflow_provider_mkt.testing.runs import DagRunner
from airflow_provider_mkt.testing.vendors import Vendors

pytestmark = pytest.mark.slow

DAG = """
from datetime import timedelta
from airflow.exceptions import AirflowNotFoundException
from airflow.sdk import BaseHook, Variable, dag, task
from airflow.sdk.log import mask_secret, redact
from airflow_provider_mkt.operators.flow_living import FlowLivingPublishCampaignOperator

@dag(schedule=None)
def tested():
    @task
    def numbers():
        return [1, 2, 3]

    @task
    def doubled(number):
        return 2 * number

    @task(multiple_outputs=True)
    def told(values, ti=None):
        assert ti.xcom_pull(task_ids="numbers", key="no_such") is None
        return {"sum": sum(values), "most": max(values)}

    @task(retries=1, retry_delay=timedelta(minutes=1))
    def unlucky(ti=None):
        mask_secret("a secret of one try")
        print("it is", redact("a secret of one try"))
        if ti.try_number == 1:
            raise ValueError("not yet")

    @task.short_circuit
    def stops():
        return False

    @task
    def skipped():
        pass

    @task
    def looks_up():
        Variable.set("greeting", "hello")
        try:
            BaseHook.get_connection("no_such")
        except AirflowNotFoundException:
            return Variable.get("greeting"), Variable.get("no_such", default=None)

    told(doubled.expand(number=numbers()))
    unlucky()
    stops() >> skipped()
    looks_up()
    FlowLivingPublishCampaignOperator(
        task_id="publish", plan_ref="facebookv2", listing_external_ids=["listing_1001"],
        branch_id="branch_harbour", deferrable=True,
    )

tested()
"""
CHANGING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{64}|[0-9a-f]{32}|(camp|po|queue)_\w+"
    r"|\d{10}\.\d+|\d{4}-\d\d-\d\d[T ][0-9:.]+(Z|\+00:00)"
)
"""Ids, times and digests."""
Asked = list[tuple[str, str, str]]


@pytest.fixture
def dag_file(tmp_path: Path) -> Path:
    path = tmp_path / "tested.py"
    path.write_text(DAG, encoding="utf-8")
    return path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """All that is asked of the API, and the answers, without what differs from run to run."""
    import httpx
    from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor

    send: Callable[..., httpx.Response] = InProcessTestSupervisor._Client.send
    found: Asked = []

    def recorded(self: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
        refused = None
        try:
            answer = send(self, request, **options)
        except httpx.HTTPStatusError as error:
            refused, answer = error, error.response
        told = f"{answer.status_code} {answer.headers.get('content-type')} {answer.text}"
        found.append((request.method, CHANGING.sub("*", unquote(str(request.url))), CHANGING.sub("*", told)))
        if refused is not None:
            raise refused
        return answer

    monkeypatch.setattr(InProcessTestSupervisor._Client, "send", recorded)
    return found


@pytest.fixture
def as_airflow(mkt_run_dag: DagRunner, mkt_sandbox: Vendors, mkt_time: MovableClock) -> DagRunner:
    """Runs DAGs with Airflow's own server."""
    from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor

    return DagRunner(mkt_sandbox, mkt_time, InProcessTestSupervisor)


def told(result: DagResult) -> list[Any]:
    launched = len(result.happened("campaign.published"))
    errors = {name: repr(error) for name, error in result.errors.items()}
    handed_on = [result.xcom("told"), result.xcom("told", "most"), result.xcom("looks_up"), result.xcom("doubled[2]")]
    return [result.state, result.states, result.tries, errors, handed_on, launched]


def test_it_answers_as_airflow_does(
    mkt_run_dag: DagRunner, as_airflow: DagRunner, dag_file: Path, asked: Asked
) -> None:
    day = datetime(2026, 3, 1, tzinfo=timezone.utc)
    expected = told(as_airflow(dag_file, logical_date=day))
    wanted = list(asked)
    asked.clear()
    assert told(mkt_run_dag(dag_file, logical_date=day + timedelta(days=1))) == expected
    assert expected[0] == "success"
    assert {"skipped": "skipped", "unlucky": "success", "publish": "success"}.items() <= expected[1].items()
    # A launch asks for its state once more where the machine is slow.
    assert set(asked) ^ set(wanted) <= {each for each in [*asked, *wanted] if "/task-instances/states" in each[1]}
    assert len(wanted) > 50
    assert {told.partition(" ")[0] for _, _, told in wanted} >= {"200", "201", "204", "404"}


@pytest.mark.parametrize("own", [True, False], ids=["ours", "Airflow's"])
def test_an_error_of_a_route_is_the_one_of_a_server(
    mkt_run_dag: DagRunner, as_airflow: DagRunner, dag_file: Path, monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    from airflow.models.variable import Variable
    from airflow.sdk.api.client import ServerResponseError

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Variable, "set", broken)
    result = (mkt_run_dag if own else as_airflow)(dag_file)
    assert result.states["looks_up"] == "failed"
    error = result.errors["looks_up"]
    assert isinstance(error, ServerResponseError)
    assert error.response.status_code == 500
    assert set(error.response.json()) == {"message", "correlation-id"}


def test_a_trigger_asks_while_its_own_loop_goes_on(mkt_run_dag: DagRunner, dag_file: Path) -> None:
    mkt_run_dag(dag_file)
    with task_supervisor() as supervisor:
        client = supervisor._api_client()

        async def asked() -> str:
            return str(client.variables.get("greeting").value)

        assert asyncio.run(asked()) == client.variables.get("greeting").value == "hello"


def test_older_tasks_ask_airflows_own_server(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.api.datamodels import _generated
    from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor

    with task_supervisor() as supervisor:
        assert supervisor is not InProcessTestSupervisor
    monkeypatch.setattr(_generated, "API_VERSION", "2026-04-06")
    with task_supervisor() as supervisor:
        assert supervisor is InProcessTestSupervisor


def test_secrets_of_a_task_are_masked_in_it_alone(mkt_run_dag: DagRunner, dag_file: Path) -> None:
    from airflow.sdk._shared.secrets_masker import redact

    result = mkt_run_dag(dag_file)
    assert "it is ***" in result.log("unlucky")
    assert redact("a secret of one try") == "a secret of one try"
