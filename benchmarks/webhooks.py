# Licensed under the Apache License, Version 2.0; see LICENSE.
"""How many deliveries the receiver takes, and what a webhook wins: a DAG run that is started, a task that goes on.

Run it in the project's folder: ``python -m benchmarks.webhooks [--reports 20] [--deliveries 3000]``. The first part
sends deliveries over 32 connections to the receiver, and to an app that only reads and answers, in turn. The second
part brings up an Airflow. Reports become ready one after another while a task waits for each of them: once by polling
alone, at the sensor's own interval, and once with webhooks.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import requests

from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.webhooks.signature import sign

SPEED = 8.0
"""A report is ready after 38 seconds: by then its task waits in the triggerer, and has looked once."""
SPACING = 4.0
PATIENCE = 400.0
PUBLIC = "https://airflow.example.com/mkt/webhooks/flinque_default"
SECRET = "a-secret-of-this-benchmark"
CONNECTIONS = 32
ROUNDS = 3


def moment(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def shown(seconds: Sequence[float]) -> str:
    ordered = sorted(seconds)
    high = ordered[math.ceil(0.95 * len(ordered)) - 1]
    return f"p50 {statistics.median(ordered):6.2f} s   p95 {high:6.2f} s   of {len(ordered)}"


class Flinque:
    """The simulated vendor, by plain requests."""

    def __init__(self, sandbox: Sandbox) -> None:
        connection = sandbox.connections["flinque_default"]
        self.base = connection["host"]
        credentials = {"client_id": connection["login"], "client_secret": connection["password"]}
        body = {"grant_type": "client_credentials", **credentials}
        token = requests.post(f"{self.base}/oauth/token", json=body, timeout=30).json()["access_token"]
        self.headers = {"Authorization": f"Bearer {token}"}

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = requests.post(f"{self.base}{path}", json=body, headers=self.headers, timeout=30)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def ready_at(self) -> dict[str, float]:
        rows = requests.get(f"{self.base}/reports?per_page=100", headers=self.headers, timeout=30).json()["data"]
        return {row["id"]: moment(row["ready_at"]) for row in rows if row["ready_at"]}


def wait_for_reports(airflow: Any, vendor: Flinque, count: int, name: str) -> tuple[list[float], set[str]]:
    """Return the seconds from a report's being ready to the end of the task that waited for it, and the ids."""
    from tests.integration.airflow import until

    runs = {}
    for number in range(count):
        begun = time.monotonic()
        report_id = vendor.post("/reports/generate", {"name": f"{name} {number}"})["id"]
        runs[report_id] = airflow.run("waiting", f"{name}-{number}", {"report_id": report_id})
        time.sleep(max(0.0, begun + SPACING - time.monotonic()))

    def ended() -> dict[str, Any] | None:
        tasks = {report_id: airflow.api.task(run, "wait") for report_id, run in runs.items()}
        return tasks if all(task["state"] in ("success", "failed") for task in tasks.values()) else None

    tasks = until("the tasks", ended, PATIENCE)
    assert {task["state"] for task in tasks.values()} == {"success"}
    ready = vendor.ready_at()
    return [moment(task["end_date"]) - ready[report_id] for report_id, task in tasks.items()], set(runs)


def started(airflow: Any, vendor: Flinque, report_ids: set[str]) -> list[float]:
    """Return for each report the seconds from its being ready to the start of the run that its webhook started."""
    from tests.integration.airflow import until

    def found() -> dict[str, float] | None:
        starts: dict[str, float] = {}
        for run in airflow.api._call("GET", "/dags/started/dagRuns", query={"limit": "100"})["dag_runs"]:
            if run["start_date"]:
                path = f"/dags/started/dagRuns/{run['dag_run_id']}/upstreamAssetEvents"
                for event in airflow.api._call("GET", path)["asset_events"]:
                    starts.setdefault(event["extra"]["payload"]["data"]["id"], moment(run["start_date"]))
        return starts if report_ids <= starts.keys() else None

    starts, ready = until("the runs", found, PATIENCE), vendor.ready_at()
    return [starts[report_id] - ready[report_id] for report_id in report_ids]


def latency(count: int) -> None:
    from tests.integration.airflow import running_airflow, until

    with running_airflow(Path(__file__).parent / "dags", speed=SPEED) as airflow:
        vendor = Flinque(airflow.sandbox)
        until("the DAGs", lambda: airflow.api.has_dag("started") and airflow.api.has_dag("waiting"))
        airflow.api.resume("started")
        polled, _ = wait_for_reports(airflow, vendor, count, "polled")
        airflow.sandbox.webhooks(target=airflow.addresses.airflow)
        secret = vendor.post("/webhooks", {"url": PUBLIC, "events": ["report.ready"]})["secret"]
        extra = {**airflow.sandbox.connections["flinque_default"]["extra"], "requests_per_minute": 100_000}
        body = {
            "connection_id": "flinque_default",
            "conn_type": "flinque",
            "extra": json.dumps({**extra, "webhook_secret": secret}),
        }
        airflow.api._call("PATCH", "/connections/flinque_default", query={"update_mask": "extra"}, body=body)
        # The very first delivery wakes the hand-over, which looks seldom until then.
        first = vendor.post("/reports/generate", {"name": "first"})["id"]
        started(airflow, vendor, {first}) if until("it", lambda: first in vendor.ready_at(), PATIENCE) else None
        woken, report_ids = wait_for_reports(airflow, vendor, count, "woken")
        print(f"event to DAG run started, webhook   {shown(started(airflow, vendor, report_ids))}")
        print(f"event to task gone on, webhook      {shown(woken)}")
        print(f"event to task gone on, polling      {shown(polled)}")


async def bare(_: Any, receive: Any, send: Any) -> None:
    """Read and answer, as the receiver does, and nothing else."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def serve(kind: str, port: int) -> None:
    import uvicorn

    from airflow_provider_mkt.webhooks.receiver import Receiver

    app: Any = bare if kind == "bare" else Receiver()
    uvicorn.run(app, port=port, access_log=False, lifespan="off", log_level="error", ws="none")


async def send_all(port: int, first: int, count: int) -> float:
    """Send so many deliveries and return how many were answered in a second."""
    numbers = iter(range(first, first + count))

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in numbers:
            body = json.dumps({"id": f"evt_{number}", "type": "report.ready", "data": {"id": f"re_{number}"}}).encode()
            head = (
                f"POST /mkt/webhooks/flinque_default HTTP/1.1\r\nHost: receiver\r\nContent-Type: application/json\r\n"
                f"X-Flinque-Signature: {sign(SECRET, body)}\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200"), answer
        writer.close()

    begun = time.perf_counter()
    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    return count / (time.perf_counter() - begun)


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def throughput(count: int, postgres: str | None) -> None:
    from cryptography.fernet import Fernet

    stores = {"bare": "", "SQLite": ""} | ({"PostgreSQL": postgres} if postgres else {})
    connection = {"conn_type": "flinque", "login": "a", "password": "b", "extra": {"webhook_secret": SECRET}}
    ports, children = {kind: free_port() for kind in stores}, []
    with tempfile.TemporaryDirectory() as home:
        environment = {
            **os.environ,
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
            "AIRFLOW_CONN_FLINQUE_DEFAULT": json.dumps(connection),
        }
        for kind, url in stores.items():
            command = [sys.executable, "-m", "benchmarks.webhooks", "--serve", kind, "--port", str(ports[kind])]
            children.append(
                subprocess.Popen(
                    command, env={**environment, "AIRFLOW__MKT__STATE_URL": url}, stdout=subprocess.DEVNULL
                )
            )
        try:
            for port in ports.values():
                while socket.socket().connect_ex(("127.0.0.1", port)):
                    time.sleep(0.1)
            rates: dict[str, list[float]] = {kind: [] for kind in stores}
            for port in ports.values():
                asyncio.run(send_all(port, 0, CONNECTIONS))
            for turn in range(1, ROUNDS + 1):
                for kind, port in ports.items():
                    rates[kind].append(asyncio.run(send_all(port, turn * 10**6, count)))
        finally:
            for child in children:
                child.kill()
                child.wait()
    best = statistics.median(rates["bare"])
    for kind, found in rates.items():
        label = "the same app without proof and store" if kind == "bare" else f"the receiver, {kind}"
        rate = statistics.median(found)
        print(f"{label:36}  {rate:7.0f} deliveries a second   {rate / best:5.2f} of the first")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=20)
    parser.add_argument("--deliveries", type=int, default=3000)
    parser.add_argument("--postgres", help="SQLAlchemy URL of a database for the second part")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.port)
        return 0
    throughput(options.deliveries, options.postgres)
    if options.reports:
        latency(options.reports)
    return 0


if __name__ == "__main__":
    sys.exit(main())
