# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a plan says is what the launch sends, byte for byte; and a plan has no effect.

| What | must hold |
|---|---|
| the launch of a planned brief | the vendors' log shows what was planned, and nothing else that has an effect |
| planning, online or not | the vendors' ledger is as it was, and so is the register |
| planning without ``--online`` | no vendor is asked anything |
| the same brief in another run | other names, another digest |

Requests are compared by method, path, query, body and order. The launch is the task group's own: its operators, with
the values that the task before hands over as JSON.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from airflow.sdk import DAG
from airflow.sdk.definitions.xcom_arg import PlainXComArg

from airflow_provider_mkt.client.request import prepare
from airflow_provider_mkt.plan.plan import Tasks, brief_tasks, calls_of, plan_of
from airflow_provider_mkt.plan.requests import Place
from airflow_provider_mkt.plan.steps import fields_of
from airflow_provider_mkt.planning.brief import read_brief
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state.launches.register import Register
from airflow_provider_mkt.submission.deployment import deployment
from airflow_provider_mkt.task_groups import launch
from tests.unit.context import Task
from tests.unit.plan import briefs

LAUNCH = datetime(2089, 3, 1, 10, tzinfo=timezone.utc)
NUMBER = int(os.environ.get("MKT_BRIEFS", "20"))
"""Briefs; 500 for the proof."""
SENDING = ("sync_attribution", "update_audience", "validate_campaign", "publish_campaign", "schedule_posts")
ASKING = ("/api/rest/", "/oauth/token", "/posts/preflight", "/verify-channel/")
"""In the paths of POSTs without effect: analytics, calls for a token, and checks."""
Sent = tuple[str, str, list[tuple[str, str]], str]


@pytest.fixture(scope="module")
def dag() -> DAG:
    with DAG("spring", schedule=None, default_args={"poll_interval": 0.05}) as dag:
        launch("unused.yaml")
    return dag


@pytest.fixture
def place() -> Place:
    return Place("spring", "manual__1", deployment(), "launch.")


def planned(tasks: Tasks, place: Place) -> Iterator[Sent]:
    """Return the requests of a plan as the client would write them."""
    with requests.Session() as session:
        for each, call in calls_of(tasks, place):
            hook = each.operator.hook
            base = hook.bases(hook.account)[call.endpoint.base]
            request = prepare(call, base, session, lambda request: request)  # type: ignore[arg-type]
            parts = urlsplit(str(request.url))
            body = request.body or b""
            sha256 = hashlib.sha256(body.encode() if isinstance(body, str) else body).hexdigest()
            yield str(request.method), parts.path, parse_qsl(parts.query), sha256


def sent(sandbox: Sandbox) -> list[Sent]:
    """Return the requests with an effect that have arrived."""
    return [
        (entry["method"], entry["path"], list(entry["query"].items()), entry["sha256"])
        for entry in sandbox.requests()
        if entry["method"] != "GET" and not any(part in entry["path"] for part in ASKING)
        if not (entry["body"] or {}).get("dryRun")
    ]


def run(dag: DAG, brief: Path) -> None:
    """Do the steps of the task group that send something, one after the other."""
    read = json.loads(json.dumps(fields_of(read_brief(brief, LAUNCH))))
    steps = {"sync_attribution": "integration", "update_audience": "audience", "generate_report": "report"}
    for name in (*SENDING, "generate_report"):
        operator: Any = dag.get_task(f"launch.{name}")
        if name == "schedule_posts":
            for index, post in enumerate(read["posts"] or []):
                execute(operator.unmap(post), index)
        elif read[steps.get(name, "campaign")] is not None:
            handed = {field: getattr(operator, field) for field in operator.template_fields}
            references = {field: value for field, value in handed.items() if isinstance(value, PlainXComArg)}
            for field, value in references.items():
                setattr(operator, field, read[value.key])
            execute(operator)
            for field, value in references.items():
                setattr(operator, field, value)


def execute(operator: Any, map_index: int = -1) -> None:
    operator.__dict__.pop("hook", None)
    task = Task(dag_id="spring", run_id="manual__1", task_id=operator.task_id, map_index=map_index)
    operator.execute(task.context)


@pytest.mark.proof
def test_random_briefs(dag: DAG, place: Place, sandbox: Sandbox, no_waits: None, tmp_path: Path) -> None:
    total = 0
    for number in range(NUMBER):
        brief = briefs.write(number, tmp_path)
        sandbox.reset()
        sandbox.limits({"*": None})
        tasks = brief_tasks(str(brief), LAUNCH)
        before = Register().find(limit=1)
        plan = plan_of(tasks, place)
        expected = list(planned(tasks, place))
        assert plan.problems == []
        assert len(plan.requests) == len(expected)
        assert (sandbox.requests(), sandbox.ledger()) == ([], []), "a plan asks nobody and does nothing"
        assert Register().find(limit=1) == before, "and enters nothing"
        run(dag, brief)
        assert sent(sandbox) == expected, brief.read_text()
        total += len(expected)
    print(f"{NUMBER} briefs, {total} requests")  # noqa: T201 - the figure of the proof
    assert total > NUMBER
