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
from collections.abc import Callable
from typing import Any

import pytest
import requests

from airflow_provider_mkt.sandbox.address import AddressError
from airflow_provider_mkt.sandbox.engine.clock import Clock, iso
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.vendors import VENDORS
from tests.unit.sandbox.vendors import Caller, later

COMMAND = [sys.executable, "-m", "airflow_provider_mkt.sandbox"]


def start(*options: str) -> tuple[subprocess.Popen[str], str]:
    """A sandbox as a process of its own, and its address."""
    process = subprocess.Popen([*COMMAND, "--port", "0", *options], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    return process, line.partition(" at ")[2].partition(" ")[0]


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_quiet_sandbox_says_nothing_of_requests() -> None:
    process, address = start()
    requests.get(f"{address}/flokit/v1/integrations", timeout=5)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=10)
    assert output == ""


@pytest.mark.slow
def test_a_taken_port_is_explained() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = subprocess.run([*COMMAND, "--port", str(port)], capture_output=True, text=True, timeout=30, check=False)
        assert ran.returncode == 3
        assert f"port {port}" in ran.stderr
        assert "Traceback" not in ran.stderr
        with pytest.raises(AddressError):
            Sandbox(port=port).__enter__()


@pytest.mark.slow
def test_print_connections() -> None:
    options = ["--print-connections", "--public-url", "http://sandbox:8095/"]
    ran = subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=30, check=True)
    found: dict[str, dict[str, Any]] = json.loads(ran.stdout)
    assert set(found) == {vendor.default_conn_id for vendor in VENDORS}
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


@pytest.mark.slow
def test_background_sandbox_leaves_nothing_behind() -> None:
    before = set(threading.enumerate())
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
    assert set(threading.enumerate()) <= before
    with pytest.raises(requests.ConnectionError):
        requests.get(sandbox.url, timeout=2)


def _swallow(call: Caller) -> None:
    with pytest.raises(requests.ConnectionError):
        call("GET", "/flokit/v1/workspace", timeout=30)


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
def test_speed_scales_every_timeline() -> None:
    with Sandbox(speed=600) as sandbox, Caller(sandbox) as call:
        begun = time.monotonic()
        call.publish()
        seen: list[str] = []

        def published() -> bool:
            status = call("GET", "/flow-living/campaigns/status/queue_1").json().get("status", "refused")
            if status not in seen:
                seen.append(status)
            return status == "published"

        _wait_until(published)
        assert seen[-2:] == ["in_progress", "published"]
        assert time.monotonic() - begun > 0.9, "ten minutes at the vendor take a second"


def _post(call: Caller, seconds: float) -> dict[str, Any]:
    body = {"channelId": "channel_1", "content": "x", "scheduledFor": later(seconds)}
    post: dict[str, Any] = call("POST", "/flow-social/v1/posts", json=body).json()["data"]
    return post


@pytest.mark.slow
def test_no_speed_brings_a_post_forward() -> None:
    """A client that reads a post from its ``scheduledFor`` on finds it done after that moment, not before."""
    with Sandbox(speed=6000) as sandbox, Caller(sandbox) as call:
        post = _post(call, 1.5)
        states: list[tuple[str, bool]] = []

        def done() -> bool:
            status = call("GET", f"/flow-social/v1/posts/{post['id']}").json()["data"]["status"]
            states.append((status, time.time() * 1000 >= post["scheduledFor"]))
            return status == "done"

        _wait_until(done)
        assert states[0] == ("queued", False)
        assert all(reached for status, reached in states if status != "queued")


def test_advancing_brings_a_post_forward() -> None:
    with Sandbox(speed=1e-4) as sandbox, Caller(sandbox) as call:
        post, later_post = _post(call, 3600), _post(call, 86_400)
        states = []
        for seconds in (3500, 110, 60):
            sandbox.advance(seconds)
            states.append(call("GET", f"/flow-social/v1/posts/{post['id']}").json()["data"]["status"])
        assert states == ["queued", "flowing", "done"]
        assert call("GET", f"/flow-social/v1/posts/{later_post['id']}").json()["data"]["status"] == "queued"


@pytest.mark.slow
def test_early_posts_follow_the_speed() -> None:
    with Sandbox(speed=600, switches={"flow_social.early_posts": True}) as sandbox, Caller(sandbox) as call:
        sandbox.reset()
        post = _post(call, 300)
        _wait_until(lambda: call("GET", f"/flow-social/v1/posts/{post['id']}").json()["data"]["status"] == "done")
        assert time.time() * 1000 < post["scheduledFor"]


@pytest.mark.slow
def test_switches_from_the_start() -> None:
    process, address = start("--switch", "flow_living.token_lifetime=5", "--switch", "flinque.reset_unit=epoch_ms")
    try:
        told = requests.get(f"{address}/__sandbox__/switches", timeout=10).json()
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    values = {each["name"]: each["value"] for each in told}
    assert (values["flow_living.token_lifetime"], values["flinque.reset_unit"]) == (5, "epoch_ms")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "named"),
    [("nope=1", "nope"), ("flow_social.scopes=1", "flow_social.scopes"), ("alone", "must look like")],
)
def test_a_wrong_switch_is_explained(given: str, named: str) -> None:
    ran = subprocess.run(
        [*COMMAND, "--port", "0", "--switch", given], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 2
    assert named in ran.stderr
    assert "Traceback" not in ran.stderr


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
    shelf = start_time + 500
    assert clock.ticks_at(shelf) == pytest.approx(born + 500, abs=0.5), "in the advance"
    assert clock.ticks_at(start_time) == pytest.approx(born, abs=0.5)
    assert clock.ticks_at(clock.shelf()) == pytest.approx(clock.ticks(), abs=0.5)
    assert clock.ticks_at(clock.shelf() + 7) == pytest.approx(clock.ticks() + 70, abs=0.5), "the future"
    with pytest.raises(ValueError, match="forward"):
        clock.advance(-1)
    with pytest.raises(ValueError, match="speed"):
        Clock(0)
