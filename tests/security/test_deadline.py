# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One deadline for an exchange: whatever drips, from the handshake to the last byte, ends and is judged."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from airflow_provider_mkt.client import deadline, exchange, retry
from airflow_provider_mkt.client.api_client import ApiClient, Settings
from airflow_provider_mkt.client.auth import BearerAuth
from airflow_provider_mkt.client.deadline import Deadline, Deadlines
from airflow_provider_mkt.client.endpoint import Endpoint, Safety
from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.exceptions import ApiError, MalformedResponseError, NotSentError, OutcomeUnknownError
from tests.contract.wire import Listener, Raw, Unlimited, answer, read_request

ONCE = Endpoint("POST", "/launch", Safety.ONCE, answer={"id": str})
FILE = Endpoint("GET", "/file", Safety.READ, download=True)
GENEROUS = 10.0
"""Seconds within which a test that would never end has to end, on a machine with other work."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "ATTEMPTS", 1)


def client(url: str, seconds: float = 0.2) -> ApiClient:
    settings = Settings("Vendor", {"api": url}, connect_timeout=30.0, read_timeout=30.0, whole_timeout=seconds)
    return ApiClient(settings, BearerAuth("key-1"), Unlimited(), Redactor(["key-1"]))


def dripping(begin: bytes, drop: bytes) -> Callable[[socket.socket], None]:
    def drip(connection: socket.socket) -> None:
        with suppress(OSError):
            connection.sendall(begin)
            while True:
                connection.sendall(drop)
                time.sleep(0.01)

    return drip


@contextmanager
def in_time() -> Iterator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < GENEROUS


@pytest.mark.parametrize(
    ("begin", "drop"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["status line", "one header", "headers", "100 Continue"],
)
def test_a_head_that_drips(begin: bytes, drop: bytes) -> None:
    """A launch may have happened: that is what is said, and nothing is repeated."""
    with Raw(dripping(begin, drop)) as server, in_time():
        with pytest.raises((OutcomeUnknownError, MalformedResponseError)):
            client(server.url).send(ONCE(body={}))
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "head", [b"Content-Length: 1000\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n"]
)
def test_a_body_that_drips(head: bytes) -> None:
    """Executed, unreadable. A body without a length must not pass for a whole one when it is ended from here."""
    with Raw(dripping(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n", b" ")) as server, in_time():
        with pytest.raises(MalformedResponseError, match="longer than") as caught:
            client(server.url).send(ONCE(body={}))
        assert caught.value.executed


@pytest.mark.parametrize("scheme", ["https", "proxy"])
def test_connecting_that_drips(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A TLS handshake, or a proxy's answer: nothing was sent, which is certain."""

    class Slow(Listener):
        def serve(self, client: socket.socket) -> None:
            if scheme == "proxy":
                read_request(client)
                dripping(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n")(client)
            # A handshake record of 16 KB that never gets there.
            dripping(b"\x16\x03\x03\x40\x00", b"\x02")(client)

    with Slow() as server, in_time():
        if scheme == "proxy":
            monkeypatch.setenv("HTTPS_PROXY", server.url)
        url = server.url.replace("http:", "https:") if scheme == "https" else "https://vendor.example"
        with pytest.raises(NotSentError):
            client(url).send(ONCE(body={}))


def test_a_peer_that_takes_the_body_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "MIN_RATE", 1e12)
    done = threading.Event()

    class Deaf(Listener):
        def serve(self, client: socket.socket) -> None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            done.wait(GENEROUS)

    with Deaf() as server, in_time():
        sender = client(server.url)
        with pytest.raises(OutcomeUnknownError):
            sender.send(ONCE(body={"x": "y" * 8_000_000}))
        done.set()


def test_time_that_is_up_before_the_first_byte() -> None:
    """The fence took too long: nothing was sent, and that is known."""
    with Raw(answer('{"id": "x"}')) as server:
        with pytest.raises(NotSentError):
            client(server.url).send(ONCE(body={}), fence=lambda: time.sleep(0.5))
        assert server.requests == []


def test_a_file_that_drips() -> None:
    with Raw(dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x")) as server, in_time():
        chunks = client(server.url, 1.5).stream(FILE())
        with pytest.raises(MalformedResponseError, match="slower than 16 KiB/s"):
            list(chunks)


def test_a_reader_that_is_slow_has_time() -> None:
    """Writing elsewhere what was read is not the vendor's fault."""
    half = 600_000
    with Raw(answer(b"x" * 2 * half)) as server:
        received = 0
        for number, chunk in enumerate(client(server.url, 1.0).stream(FILE())):
            received += len(chunk)
            time.sleep(1.2 if number == 0 else 0)
        assert received == 2 * half


def test_a_connection_that_was_in_time_is_used_again() -> None:
    class Counting(Listener):
        connections = 0

        def serve(self, client: socket.socket) -> None:
            Counting.connections += 1
            while read_request(client):
                client.sendall(answer('{"id": "x"}', Connection="keep-alive"))

    with Counting() as server:
        sender = client(server.url, 0.3)
        read = Endpoint("GET", "/x", Safety.READ, answer={"id": str})
        for _ in range(3):
            assert sender.send(read()) == {"id": "x"}
        time.sleep(0.5)
        assert sender.send(read()) == {"id": "x"}
        assert Counting.connections == 1


def test_many_exchanges_leave_nothing_behind() -> None:
    now = [0.0]
    deadlines = Deadlines(lambda: now[0])
    for _ in range(3 * deadline.MAX_KEPT):
        with deadlines.within(60.0):
            pass
    assert len(deadlines._coming) <= 1


def test_a_socket_that_comes_too_late_is_shut_down_at_once() -> None:
    one, other = socket.socketpair()
    with one, other:
        late = Deadline()
        late.expire()
        late.guard(one)
        assert other.recv(1) == b""


def test_threads_do_not_hold_each_other_up() -> None:
    ends: list[str] = []

    def ask(url: str) -> None:
        try:
            client(url).send(ONCE(body={}))
        except ApiError as error:
            ends.append(type(error).__name__)

    with Raw(dripping(b"", b"H")) as server, in_time():
        threads = [threading.Thread(target=ask, args=(server.url,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(GENEROUS)
    assert ends == ["OutcomeUnknownError"] * 8
