# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The fence: called when connected and before the first byte, in every attempt; what it raises sends nothing."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from airflow_provider_mkt.client import adapter, retry
from airflow_provider_mkt.client.api_client import ApiClient, Settings
from airflow_provider_mkt.client.auth import BearerAuth
from airflow_provider_mkt.client.endpoint import Endpoint, Safety
from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.exceptions import NotSentError, OutcomeUnknownError, StoppedError, ValidationError
from tests.contract.wire import Raw, Unlimited, answer

ONCE = Endpoint("POST", "/launch", Safety.ONCE, answer={"id": str})
READ = Endpoint("GET", "/things", Safety.READ, answer={"id": str})
OK = answer('{"id": "x"}')


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)


def client(url: str) -> ApiClient:
    return ApiClient(Settings("Vendor", {"api": url}), BearerAuth("key-1"), Unlimited(), Redactor(["key-1"]))


def test_it_is_asked_before_the_first_byte(serve: Callable[..., Raw]) -> None:
    server = serve(OK)
    seen: list[int] = []
    assert client(server.url).send(ONCE(body={}), fence=lambda: seen.append(len(server.requests)))["id"] == "x"
    assert seen == [0]
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "error", [ValidationError("changed"), OSError("store"), ValueError("odd"), RuntimeError("stop")]
)
def test_what_it_raises_is_raised_as_it_is_and_nothing_is_sent(error: Exception, serve: Callable[..., Raw]) -> None:
    """Also what would pass for a failure of the network, were it judged: it must not be retried, nor be in doubt."""
    server = serve(OK)
    asked: list[int] = []

    def closed() -> None:
        asked.append(1)
        raise error

    with pytest.raises(type(error)) as caught:
        client(server.url).send(ONCE(body={}), fence=closed)
    assert caught.value is error
    assert not isinstance(caught.value, OutcomeUnknownError)
    assert (asked, server.requests) == ([1], [])


def test_it_is_not_asked_when_nobody_answers_the_connect() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    asked: list[int] = []
    with pytest.raises(NotSentError):
        client(f"http://127.0.0.1:{port}").send(ONCE(body={}), fence=lambda: asked.append(1))
    assert asked == []


def test_it_is_asked_in_every_attempt(serve: Callable[..., Raw]) -> None:
    server = serve(lambda connection: connection.sendall(answer("{}", "503 x") if len(server.requests) < 2 else OK))
    asked: list[int] = []
    assert client(server.url).send(READ(), fence=lambda: asked.append(1))["id"] == "x"
    assert len(asked) == len(server.requests) == 2


def test_other_requests_of_the_thread_are_not_fenced(serve: Callable[..., Raw]) -> None:
    server = serve(OK)
    asked: list[int] = []
    one = client(server.url)
    one.send(ONCE(body={}), fence=lambda: asked.append(1))
    one.send(READ())
    assert asked == [1]


@pytest.mark.parametrize("pause", [0.0, adapter.MAX_PAUSE * 2])
def test_it_is_asked_again_after_standing_still_between_head_and_body(
    pause: float, serve: Callable[..., Raw], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(OK)
    asked: list[int] = []
    clock = iter([0.0, 0.0, pause, pause])
    monkeypatch.setattr(adapter, "elapsed", lambda: next(clock))
    assert client(server.url).send(ONCE(body={"a": 1}), fence=lambda: asked.append(1))["id"] == "x"
    assert asked == ([1, 1] if pause else [1])


def test_what_it_raises_then_keeps_the_body_back(serve: Callable[..., Raw], monkeypatch: pytest.MonkeyPatch) -> None:
    """The vendor gets half a request, and does not execute it."""
    server = serve(OK)
    clock = iter([0.0, 0.0, adapter.MAX_PAUSE * 2])
    monkeypatch.setattr(adapter, "elapsed", lambda: next(clock))
    answers = iter([None, StoppedError("another try went on")])

    def fence() -> None:
        if (error := next(answers)) is not None:
            raise error

    with pytest.raises(StoppedError):
        client(server.url).send(ONCE(body={"a": 1}), fence=fence)
    assert [request for request in server.requests if b'"a"' in request] == []
