# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A notifier that hangs holds up nothing."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.sdk import BaseNotifier

from airflow_provider_mkt.notifications import LaunchNotifier
from airflow_provider_mkt.tasks import telling
from airflow_provider_mkt.tasks.telling import tell, tell_async

LONG = 60
"""Seconds after which a test that hangs fails."""
SLOW = "Hangs has not told people within 0 s, and is waited for no longer."


@pytest.fixture
def hang(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Return what goes on for longer than anybody waits, and ends with the test."""
    monkeypatch.setattr(telling, "PATIENCE", 0.01)
    over = threading.Event()
    yield lambda: over.wait(LONG) or None
    over.set()


def sync_way(send: Callable[[], None]) -> None:
    tell(send, "Hangs")


def async_way(send: Callable[[], None]) -> None:
    async def run() -> None:
        await tell_async(send, "Hangs")

    asyncio.run(run())


WAYS = pytest.mark.parametrize("way", [sync_way, async_way])


@WAYS
def test_what_hangs_is_waited_for_no_longer(
    way: Callable[[Callable[[], None]], None], hang: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    way(hang)
    assert [record.getMessage() for record in caplog.records if record.name == telling.__name__] == [SLOW]
    left = [each for each in threading.enumerate() if each.name == "mkt-telling"]
    assert left
    assert all(each.daemon for each in left)


@WAYS
def test_what_is_sent_in_time(way: Callable[[Callable[[], None]], None], caplog: pytest.LogCaptureFixture) -> None:
    """It sees what the caller sees, such as the task's context."""
    seen = contextvars.ContextVar("seen", default="")
    told: list[str] = []
    seen.set("the task")
    way(lambda: told.append(seen.get()))
    assert told == ["the task"]
    assert caplog.records == []


@WAYS
@pytest.mark.parametrize("error", [TimeoutError("the server's"), SystemExit(3)])
def test_what_goes_wrong_is_raised(way: Callable[[Callable[[], None]], None], error: BaseException) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        way(fail)
    assert caught.value.args == error.args


def test_what_can_be_awaited_is_cancelled(hang: Any, caplog: pytest.LogCaptureFixture) -> None:
    ended: list[str] = []

    async def hangs() -> None:
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async def run() -> None:
        await tell_async(hangs(), "Hangs")

    asyncio.run(run())
    assert ended == ["cancelled"]
    assert SLOW in caplog.text


class Hangs(BaseNotifier):
    """A notifier that only sends synchronously, to a server that never answers."""

    wait: Callable[[], None]

    def notify(self, context: Any) -> None:
        type(self).wait()


class HangsToo(Hangs):
    async def async_notify(self, context: Any) -> None:
        await asyncio.sleep(LONG)


@pytest.mark.parametrize("kind", [Hangs, HangsToo])
def test_messages_of_launches(
    kind: type[Hangs], hang: Callable[[], None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Hangs, "wait", staticmethod(hang), raising=False)
    LaunchNotifier(kind())({})

    async def run() -> None:
        await LaunchNotifier(kind(), context={})

    asyncio.run(run())
    assert caplog.text.count("has not told people within") == 2
