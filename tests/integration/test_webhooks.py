# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Deliveries to a real API server: what they start, what they wake, what is seen of them."""

from __future__ import annotations

import json
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_mkt.webhooks.signature import sign
from tests.integration.airflow import Airflow, Run, until

SECRET = "a-secret-of-this-test"
EMAIL = "jane.doe@example.com"


TOKEN = "a-token-of-this-test-0001"


def change(airflow: Airflow, vendor: str, **extra: Any) -> None:
    """Give a connection more extras."""
    conn_id = f"{vendor}_default"
    known = airflow.sandbox.connections[conn_id].get("extra") or {}
    body = {
        "connection_id": conn_id,
        "conn_type": vendor,
        "extra": json.dumps({**known, "requests_per_minute": 100_000, **extra}),
    }
    airflow.api._call("PATCH", f"/connections/{conn_id}", query={"update_mask": "extra"}, body=body)


@pytest.fixture(scope="module")
def receiver(airflow: Airflow) -> str:
    """The receiver's address; the connections have secrets and tokens."""
    change(airflow, "flinque", webhook_secret=SECRET)
    for vendor in ("flodesk", "flokit"):
        change(airflow, vendor, webhook_token=TOKEN)
    for dag_id in ("on_report_ready", "on_subscriber"):
        until(f"the DAG {dag_id}", lambda dag_id=dag_id: airflow.api.has_dag(dag_id))  # type: ignore[misc]
        airflow.api._call("PATCH", f"/dags/{dag_id}", body={"is_paused": False})
    return f"{airflow.addresses.airflow}/mkt/webhooks"


def deliver_report(receiver: str, number: int, secret: str = SECRET) -> int:
    payload = {"id": f"evt_{number}", "type": "report.ready", "created_at": datetime.now(timezone.utc).isoformat()}
    body = json.dumps({**payload, "data": {"id": f"re_{number}", "owner_email": EMAIL}}).encode()
    headers = {"Content-Type": "application/json", "X-Flinque-Signature": sign(secret, body)}
    return requests.post(f"{receiver}/flinque_default", data=body, headers=headers, timeout=30).status_code


def runs(airflow: Airflow, dag_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = airflow.api._call("GET", f"/dags/{dag_id}/dagRuns")["dag_runs"]
    return found


def noted(airflow: Airflow, dag_id: str) -> list[dict[str, Any]]:
    """Return the events with which the DAG's runs were started, as soon as all of these have ended."""
    ended = [run for run in runs(airflow, dag_id) if run["state"] == "success"]
    return [event for run in ended for event in airflow.api.xcom(Run(airflow, dag_id, run["dag_run_id"]), "note")]


def test_a_delivery_starts_a_dag_once(airflow: Airflow, receiver: str) -> None:
    assert [deliver_report(receiver, 1) for _ in range(3)] == [200] * 3
    assert deliver_report(receiver, 2, secret="another") == 401
    assert deliver_report(receiver, 3) == 200
    events = until("both events", lambda: len(found := noted(airflow, "on_report_ready")) >= 2 and found, 240)
    assert sorted(event["payload"]["data"]["id"] for event in events) == ["re_1", "re_3"]
    assert {event["event"] for event in events} == {"report.ready"}
    assert EMAIL not in json.dumps(events)
    assert len({event["delivery_id"] for event in events}) == 2


def test_an_unsigned_vendors_token_is_in_no_log(airflow: Airflow, receiver: str) -> None:
    body = {
        "event_name": "subscriber.created",
        "event_time": "t",
        "webhook_id": "h",
        "subscriber": {"id": "s1", "email": EMAIL},
    }
    answer = requests.post(f"{receiver}/flodesk_default/{TOKEN}", json=body, timeout=30)
    assert answer.status_code == 200
    (event,) = until("the event", lambda: noted(airflow, "on_subscriber"), 240)
    assert event["payload"]["subscriber"] == {"id": "s1", "email": "***"}
    assert requests.post(f"{receiver}/flodesk_default/{TOKEN[:-1]}x", json=body, timeout=30).status_code == 404
    for path in Path(airflow.layout.home).rglob("*.log"):
        text = path.read_text(encoding="utf-8", errors="replace")
        assert TOKEN[:-1] not in text, path


def test_a_delivery_wakes_what_waits_for_it(airflow: Airflow, receiver: str) -> None:
    run = airflow.run("woken", "woken", {"since": datetime.now(timezone.utc).isoformat()})
    run.wait_for("wait", {"deferred"}, 240)
    until("the first look", lambda: "int_adjust" in run.log("wait") or None, 240)
    connection = airflow.sandbox.connections["flokit_default"]
    address = f"{connection['host']}/integrations/int_adjust/sync"
    started = requests.post(address, headers={"Authorization": f"Bearer {connection['password']}"}, timeout=30)
    assert started.ok
    airflow.sandbox.advance(3600)
    body = {"id": "whe_1", "type": "integration.synced", "data": {"integration": {"id": "int_adjust"}}}
    began = time.monotonic()
    delivered = requests.post(f"{receiver}/flokit_default/{TOKEN}", json=body, timeout=30)
    assert delivered.status_code == 200
    run.wait_for("wait", {"success"}, 240)
    assert time.monotonic() - began < 300, "a look in ten minutes was not waited for"
