# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Redirects: none is followed, but those of downloads, and these only to where nothing can be stolen or reached."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from airflow_provider_mkt.client import retry
from airflow_provider_mkt.client.adapter import FenceClosedError, fenced
from airflow_provider_mkt.client.api_client import ApiClient, Settings
from airflow_provider_mkt.client.auth import BearerAuth
from airflow_provider_mkt.client.endpoint import Endpoint, Safety
from airflow_provider_mkt.client.exchange import Wire
from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.client.redirect import ForbiddenAddressError, is_public, linked, redirected
from airflow_provider_mkt.exceptions import ApiError, MalformedResponseError, ServerError
from tests.contract.wire import Raw, Unlimited, answer

READ = Endpoint("GET", "/things", Safety.READ, answer={"id": str})
FILE = Endpoint("GET", "/file", Safety.READ, download=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)


class Counting(Unlimited):
    """Counts the slots that are taken."""

    def __init__(self) -> None:
        self.slots = 0

    def reserve(self, *args: Any, **kwargs: Any) -> float:
        self.slots += 1
        return 0.0


def client(url: str, budget: Counting | None = None, seconds: float = 10.0) -> ApiClient:
    settings = Settings("Vendor", {"api": url}, whole_timeout=seconds)
    return ApiClient(settings, BearerAuth("key-1"), budget or Counting(), Redactor(["key-1"]))


def moved(to: str, status: str = "302 Found") -> bytes:
    return answer("", status, Location=to)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_reads_follow_none(status: str, serve: Callable[..., Raw]) -> None:
    """The error names the host, and each request had its slot."""
    other = serve(answer('{"id": "x"}'))
    server = serve(moved(other.url.replace("127.0.0.1", "localhost") + "/?key=1", status))
    budget = Counting()
    with pytest.raises(ServerError, match="a redirect to localhost, which is not followed") as caught:
        client(server.url, budget).send(READ())
    assert "key=1" not in str(caught.value)
    assert other.requests == []
    assert len(server.requests) == budget.slots == retry.ATTEMPTS


@pytest.mark.parametrize("endpoint", [READ, FILE])
def test_the_body_of_a_redirect_is_not_read(endpoint: Endpoint, serve: Callable[..., Raw]) -> None:
    """It may have no end: at most what the operating system takes by itself leaves the server."""
    sent = [0]

    def endless(connection: socket.socket) -> None:
        with suppress(OSError):
            connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.example/\r\n\r\n")
            while sent[0] < 100_000_000:
                sent[0] += connection.send(b"x" * 65536)

    sender = client(serve(endless).url)
    with pytest.raises(ApiError):
        list(sender.stream(endpoint())) if endpoint.download else sender.send(endpoint())
    assert sent[0] < 40_000_000


def test_a_download_follows_on_its_own_host(serve: Callable[..., Raw]) -> None:
    """Each request has its slot, and only the first one credentials."""

    def reply(connection: socket.socket) -> None:
        count = len(server.requests)
        connection.sendall(moved(f"/file/{count}") if count < 4 else answer(b"content"))

    server, budget = serve(reply), Counting()
    assert b"".join(client(server.url, budget).stream(FILE())) == b"content"
    assert [request.split(b" ")[1] for request in server.requests] == [b"/file", b"/file/1", b"/file/2", b"/file/3"]
    assert [b"key-1" in request for request in server.requests] == [True, False, False, False]
    assert budget.slots == 4


def test_a_download_follows_three_times_at_most(serve: Callable[..., Raw]) -> None:
    server = serve(moved("/again"))
    with pytest.raises(MalformedResponseError, match="more than 3 times"):
        list(client(server.url).stream(FILE()))
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("http://example.com/file", "example.com"),
        ("https://localhost/file", "localhost"),
        ("https://127.0.0.1/file", "127.0.0.1"),
        ("https://10.1.2.3/file", "10.1.2.3"),
        ("https://169.254.169.254/latest", "169.254.169.254"),
        ("https://[::1]/", "::1"),
        ("https://[::ffff:192.168.1.1]/", "::ffff:192.168.1.1"),
        ("https://[fe80::1%25eth0]/", "fe80"),
        ("https://vault/secrets", "vault"),
        ("https://db.internal./", "db.internal"),
        ("ftp://example.com/", "example.com"),
        ("file:///etc/passwd", "an address that makes no sense"),
        ("https://user:pass@10.0.0.1/", "10.0.0.1"),
        ("https://user:pass@example.com/", "example.com"),
        ("https://127.1/", "127.1"),
        ("https://0177.0.0.1/", "0177.0.0.1"),
        ("https://[64:ff9b::7f00:1]/", "64:ff9b::7f00:1"),
        ("http://[", "an address that makes no sense"),
    ],
)
def test_where_a_download_does_not_follow(location: str, host: str, serve: Callable[..., Raw]) -> None:
    server = serve(moved(location))
    with pytest.raises(MalformedResponseError) as caught:
        list(client(server.url).stream(FILE()))
    assert "was not followed" in str(caught.value)
    assert host.replace("127.0.0.1", "***") in str(caught.value) or "***" in str(caught.value)
    assert "pass" not in str(caught.value).replace("passwd", "")
    assert len(server.requests) == 1


def test_another_port_is_another_host(serve: Callable[..., Raw]) -> None:
    other = serve(answer(b"inside"))
    with pytest.raises(MalformedResponseError):
        list(client(serve(moved(other.url)).url).stream(FILE()))
    assert other.requests == []


def test_https_on_a_public_host() -> None:
    call = redirected(FILE(headers={"key": "1"}, query={"a": 1}), "https://a.example/file", "https://b.example/f?x=1")
    assert call.url("") == "https://b.example/f?x=1"
    assert not call.endpoint.authenticated
    assert (call.only_public, call.headers, call.query, call.endpoint.budgets) == (True, {}, {}, ("default",))


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example\\@a.example/file",
        "https://127.0.0.1\\@a.example/file",
        "https://[::1]\\@a.example/file",
        "https://u:p@a.example/file",
        "https://a.example\t.elsewhere.example/",
    ],
)
def test_an_address_that_two_readers_understand_differently(url: str) -> None:
    """The host that is compared is the one that will be asked, and no address brings credentials of its own."""
    for follow in (redirected, linked):
        try:
            call = follow(FILE(), "https://a.example/file", url)
        except ForbiddenAddressError:
            continue
        assert call.only_public
        assert not call.endpoint.authenticated


def test_a_public_name_with_a_private_address(serve: Callable[..., Raw]) -> None:
    """It is looked up when connecting; that address counts, and nothing is sent to it."""
    server = serve(answer(b"inside"))
    wire = Wire({})
    with fenced(None, only_public=True), pytest.raises(FenceClosedError) as caught:
        wire.session.get(server.url, timeout=5)
    assert isinstance(caught.value.__cause__, ForbiddenAddressError)
    assert server.requests == []
    wire.close()


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:4700::1111", True),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("2002:0a00:0001::", False),
        ("fe80::1%eth0", False),
        ("::127.0.0.1", False),
        ("::ffff:0:127.0.0.1", False),
        ("64:ff9b::10.0.0.1", False),
        ("64:ff9b::93.184.216.34", True),
        ("64:ff9b:1::7f00:1", False),
        ("fec0::1", False),
    ],
)
def test_what_is_public(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_hops_share_one_time(serve: Callable[..., Raw]) -> None:
    def reply(connection: socket.socket) -> None:
        import time

        time.sleep(0.35)
        with suppress(OSError):
            connection.sendall(moved("/again"))

    sender = client(serve(reply).url, seconds=0.6)
    with pytest.raises(ServerError, match="longer than"):
        list(sender.stream(FILE()))
