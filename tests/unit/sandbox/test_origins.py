# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A web page of another host can neither order anything from a sandbox nor read what it shows."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from airflow_provider_mkt.sandbox.http.app import build
from airflow_provider_mkt.sandbox.http.gate import Gate
from airflow_provider_mkt.sandbox.http.origins import refusal_of
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.sandbox.simulation import Simulation
from tests.unit.sandbox.vendors import Caller

PUBLIC = "http://sandbox:8095"
CONTROL = (
    ("GET", "/"),
    ("GET", "/__sandbox__/health"),
    ("GET", "/__sandbox__/ledger"),
    ("GET", "/__sandbox__/credentials"),
    ("GET", "/__sandbox__/connections"),
    ("GET", "/__sandbox__/openapi.json"),
    ("POST", "/__sandbox__/reset"),
    ("POST", "/__sandbox__/faults"),
    ("DELETE", "/__sandbox__/faults"),
    ("OPTIONS", "/__sandbox__/faults"),
)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8095",
        "127.0.0.1",
        "127.0.0.1:8095",
        "127.9.9.9:8095",
        "[::1]:8095",
        "[::1]",
        "10.1.2.3:8095",
        "sandbox:8095",
        "sandbox",
        "dev-box:80",
    ],
)
def test_its_own_addresses(host: str) -> None:
    assert refusal_of({"host": host}, "10.1.2.3", ["dev-box", PUBLIC]) is None


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:8095",
        "localhost.evil.example:8095",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "10.9.9.9:8095",
        "sandbox.evil.example:8095",
        "[fe80::1]:8095",
        "2130706433",
        "loc\u0430lhost",
        "localhost:8095@evil.example",
        "localhost:evil.example",
        "localhost:",
        "localhost:123456",
        "[::1]evil.example",
        "[::1].evil.example:8095",
        "[::1",
        "::1",
        "localhost, evil.example",
        "127.0.0.1\\@evil.example",
        "127.0.0.1#.evil.example",
        "169.254.169.254",
    ],
)
def test_foreign_hosts(host: str) -> None:
    assert refusal_of({"host": host}, "10.1.2.3", ["dev-box", PUBLIC])


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8095", PUBLIC, "http://SANDBOX:8095"])
def test_its_own_pages(origin: str) -> None:
    assert refusal_of({"host": "127.0.0.1:8095", "origin": origin}, "127.0.0.1", [PUBLIC]) is None


@pytest.mark.parametrize(
    "origin",
    [
        *(
            "null",
            "",
            "http://evil.example",
            "http://127.0.0.1:3000",
            "http://localhost:8095",
            "file://",
            "https://sandbox",
        ),
        *(
            "chrome-extension://127.0.0.1:8095",
            "127.0.0.1:8095",
            "https://127.0.0.1",
            "http://127.0.0.1:8095@evil.example",
        ),
        *(
            "http://evil.example//127.0.0.1:8095",
            "http://evil.example, http://127.0.0.1:8095",
            "http://127.0.0.1:80950",
        ),
        *("http://127.0.0.1:8095.evil.example", "http://[::1]:8095", "http://127.0.0.1:8095/x", "http://"),
    ],
)
def test_foreign_pages(origin: str) -> None:
    """Another server on this machine is another origin too."""
    assert refusal_of({"host": "127.0.0.1:8095", "origin": origin}, "127.0.0.1", [PUBLIC])


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("[::1]:8095", "http://[::1]:8095"),
        ("LocalHost:8095", "http://localhost:8095"),
        ("localhost", "http://localhost"),
        ("localhost:80", "http://localhost"),
        ("127.0.0.1", "HTTP://127.0.0.1:80"),
    ],
)
def test_pages_of_every_spelling_of_its_address(host: str, origin: str) -> None:
    assert refusal_of({"host": host, "origin": origin}, "127.0.0.1", [PUBLIC]) is None


@pytest.mark.parametrize("name", [b"host", b"origin"])
def test_a_header_that_is_there_twice_is_foreign(name: bytes) -> None:
    from airflow_provider_mkt.sandbox.http.gate import _headers

    own = b"127.0.0.1:8095" if name == b"host" else b"http://127.0.0.1:8095"
    twice = [(b"host", b"127.0.0.1:8095")] * (name != b"host") + [(name, b"evil.example"), (name.title(), own)]
    assert refusal_of(_headers({"headers": twice}), "127.0.0.1", [])


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}], ids=str)
@pytest.mark.parametrize(("method", "path"), CONTROL)
def test_nothing_is_done_or_shown(call: Caller, method: str, path: str, headers: dict[str, str]) -> None:
    sandbox = call.sandbox
    call("POST", "/flow-social/v1/channels", json={"name": "Kept"})
    sandbox.fault("* /flokit/*", "status", status=500)
    answer = call.session.request(method, sandbox.url + path, headers=headers, json={}, timeout=10)
    assert answer.status_code == 403
    assert "sandbox" in answer.json()["error"]
    assert "Kept" not in answer.text
    assert len(sandbox.ledger()) == 1
    assert len(sandbox.order("GET", "faults")["faults"]) == 1


def test_its_own_page_may_order(call: Caller) -> None:
    sandbox, session = call.sandbox, call.session
    reset = f"{sandbox.url}/__sandbox__/reset"
    assert session.post(reset, headers={"Origin": sandbox.url}, timeout=10).status_code == 200
    local = sandbox.url.replace("127.0.0.1", "localhost")
    headers = {"Origin": local, "Host": urlsplit(local).netloc}
    assert session.post(reset, headers=headers, timeout=10).status_code == 200


def test_a_request_without_a_host_is_refused(sandbox: Sandbox) -> None:
    address = urlsplit(sandbox.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(b"POST /__sandbox__/reset HTTP/1.0\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 403")


def test_vendors_answer_under_any_name(sandbox: Sandbox, call: Caller) -> None:
    """Their routes need credentials, which no foreign page has."""
    headers = {"Host": "api.flokit.ai", "Origin": "http://evil.example"}
    assert call("GET", "/flokit/v1/integrations", headers=headers).status_code == 200


def _status(application: Gate, headers: dict[str, str]) -> int:
    """Ask an application for its health, without a server."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/__sandbox__/health",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "server": ("172.17.0.2", 8095),
    }
    asyncio.run(application(scope, receive, send))
    return int(sent[0]["status"])


@pytest.mark.slow
def test_the_public_url_is_one_of_its_addresses() -> None:
    headers = {"host": "sandbox:8095", "origin": PUBLIC}
    assert _status(build(Simulation(), public_url=PUBLIC), headers) == 200
    assert _status(build(Simulation(), host="sandbox"), {"host": "sandbox:8095"}) == 200
    assert _status(build(Simulation()), headers) == 403
