# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Starting and stopping: the command line, the background server, the connections."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
import requests

from airflow_provider_mkt.sandbox.address import AddressError
from airflow_provider_mkt.sandbox.engine.clock import Clock, iso
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.sandbox.vendors import Caller, later

COMMAND = [sys.executable, "-m", "airflow_provider_mkt.sandbox"]


def start(*options: str) -> tuple[subprocess.Popen[str], str]:
    """A sandbox as a process of its own, and its address."""
    process = subprocess.Popen([*COMMAND, "--port", "0", *options], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    return process, line.partition(" at ")[2].partition(" ")[0]


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_command_serves_and_stops_cleanly(stop: signal.Signals) -> None:
    process, address = start("--speed", "60", "--log-requests")
    try:
        assert requests.get(f"{address}/__sandbox__/health", timeout=5).json()["speed"] == 60
        requests.get(f"{address}/flodesk/v1/subscribers/some.body%40example.com?apiKey=topsecret", timeout=5)
    finally:
        process.send_signal(stop)
        output, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "GET /flodesk/v1/subscribers/<e-mail> 401" in output
    assert "topsecret" not in output
    assert "health" not in output


def test_a_quiet_sandbox_says_nothing_of_requests() -> None:
    process, address = start()
    requests.get(f"{address}/flokit/v1/integrations", timeout=5)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=10)
    assert output == ""


def test_a_taken_port_is_explained() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = subprocess.run([*COMMAND, "--port", str(port)], capture_output=True, text=True, timeout=30, check=False)
        assert ran.returncode == 3
        assert f"port {port}" in ran.stderr
        assert "Traceback" not in ran.stderr
        with pytest.raises(AddressError):
            Sandbox(port=port).__enter__()


def test_print_connections() -> None:
    options = ["--print-connections", "--public-url", "http://sandbox:8095/"]
    ran = subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=30, check=True)
    found: dict[str, dict[str, Any]] = json.loads(ran.stdout)
    assert set(found) == {f"{name}_default" for name in ("flinque", "flow_social", "flodesk", "flow_living", "flokit")}
    for name, connection in found.items():
        assert connection["conn_type"] == name.removesuffix("_default")
        assert (
            {"conn_type", "host", "password"} <= set(connection) <= {"conn_type", "host", "login", "password", "extra"}
        )
        assert all(connection.values()), "Airflow cannot import an extra that is empty"
        assert connection["host"].startswith("http://sandbox:8095/")
    assert "login" not in found["flodesk_default"]
    assert found["flow_living_default"]["extra"]["request_type"]
    assert found["flinque_default"]["extra"]["plan"] == "starter"


def test_background_sandbox_leaves_nothing_behind() -> None:
    before = threading.active_count()
    with Sandbox(speed=600) as sandbox, Caller(sandbox) as call:
        assert call("GET", "/flokit/v1/workspace").status_code == 200
        sandbox.fault("GET /flokit/v1/workspace", "delay", seconds=60)
        hanging = threading.Thread(target=_swallow, args=(call,))
        hanging.start()
        while not any(entry["fault"] for entry in sandbox.requests()):
            time.sleep(0.01)
        begun = time.monotonic()
    assert time.monotonic() - begun < 1
    hanging.join(5)
    assert threading.active_count() == before
    with pytest.raises(requests.ConnectionError):
        requests.get(sandbox.url, timeout=2)


def _swallow(call: Caller) -> None:
    with pytest.raises(requests.ConnectionError):
        call("GET", "/flokit/v1/workspace", timeout=30)


def test_speed_scales_every_timeline() -> None:
    with Sandbox(speed=600) as sandbox, Caller(sandbox) as call:
        call.publish()
        call(
            "POST", "/flow-social/v1/posts", json={"channelId": "channel_1", "content": "x", "scheduledFor": later(300)}
        )
        begun = time.monotonic()
        deadline = begun + 10
        seen: list[str] = []
        while "published" not in seen and time.monotonic() < deadline:
            status = call("GET", "/flow-living/campaigns/status/queue_1").json().get("status", "refused")
            if status not in seen:
                seen.append(status)
            time.sleep(0.05)
        assert seen == ["queued", "in_progress", "published"]
        assert 0.9 < time.monotonic() - begun < 3
        assert call("GET", "/flow-social/v1/posts/post_1").json()["data"]["status"] == "done"


def test_clock_knows_when_things_happened() -> None:
    clock = Clock(speed=10)
    born = clock.ticks()
    start_time = clock.now()
    clock.advance(1000)
    assert clock.ticks() - born >= 1000
    assert clock.real_at(born + 500) == pytest.approx(start_time, abs=0.05)
    assert clock.real_at(born + 2000) == pytest.approx(start_time + 100, abs=0.05)
    assert clock.shelf() - clock.now() == pytest.approx(1000, abs=0.01)
    assert iso(0.0015) == "1970-01-01T00:00:00.001Z"
    with pytest.raises(ValueError, match="forward"):
        clock.advance(-1)
    with pytest.raises(ValueError, match="speed"):
        Clock(0)
