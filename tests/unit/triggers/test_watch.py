# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The trigger: what it tells, what it outlasts, whom it never disturbs."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowNotFoundException

from airflow_provider_mkt.exceptions import ApiError, AuthenticationError, NotFoundError, RateLimitError, ServerError
from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from airflow_provider_mkt.triggers.line import Line
from airflow_provider_mkt.triggers.watch import FIRST_LOOK as SHIPPED_FIRST_LOOK
from tests.unit.context import FIRST_LOOK, Waits, fired
from tests.unit.triggers.triggers import STATUS, trigger

pytestmark = pytest.mark.slow

MAX_BLOCK = 0.2
"""Seconds for which Airflow's triggerer lets its loop be blocked without a warning."""


def test_serialize_round_trip(ids: list[str]) -> None:
    built = trigger(ids, longest_interval=300.0, cancel_on_kill=True, poll_interval=60.0)
    path, kwargs = built.serialize()
    assert path == "airflow_provider_mkt.triggers.watch.WatchTrigger"
    assert trigger(ids, longest_interval=300.0, cancel_on_kill=True, poll_interval=60.0).serialize() == (path, kwargs)
    assert kwargs["arguments"]["tracking_ids"] == ids
    assert json.loads(json.dumps(kwargs)) == kwargs


def test_tells_success(ids: list[str]) -> None:
    payload = fired(trigger(ids)).payload
    assert payload["state"] == "done"
    assert payload["status"] == "published"
    assert sorted(payload["answer"]) == sorted(ids)
    assert json.loads(json.dumps(payload)) == payload


def test_tells_failure(ids: list[str], vendors: Sandbox) -> None:
    for each in ids:
        FlowLivingHook().update_campaign_status(each, "cancelled")
    payload = fired(trigger(ids)).payload
    assert (payload["state"], payload["status"], payload["untouched"]) == ("failed", "cancelled", False)


def test_tells_one_thing_and_ends(ids: list[str]) -> None:
    async def every_event() -> list[Any]:
        return [event.payload["state"] async for event in trigger(ids).run()]

    assert asyncio.run(every_event()) == ["done"]


def test_first_look_is_not_at_once(ids: list[str], vendors: Sandbox, waits: Waits) -> None:
    before = len(vendors.requests("flow_living"))
    seen: list[int] = []
    waits.happenings = [lambda: seen.append(len(vendors.requests("flow_living")))]
    assert fired(trigger(ids)).payload["state"] == "done"
    assert waits.each == [FIRST_LOOK]
    assert seen == [before]
    assert FIRST_LOOK == SHIPPED_FIRST_LOOK


# Trouble


@pytest.mark.parametrize(("fault", "kind"), [({"status": 404}, "NotFoundError"), ({"status": 422}, "ValidationError")])
def test_tells_at_once_what_cannot_be_cured(fault: dict[str, Any], kind: str, ids: list[str], vendors: Sandbox) -> None:
    before = len(vendors.requests("flow_living"))
    vendors.fault(STATUS, "status", count=None, **fault)
    payload = fired(trigger(ids)).payload
    assert (payload["state"], payload["kind"]) == ("error", kind)
    assert payload["facts"]["status"] == fault["status"]
    assert len(vendors.requests("flow_living")) == before + 1


def test_tells_refused_credentials(ids: list[str], connect: Callable[..., str]) -> None:
    payload = fired(trigger(ids, conn_id=connect("flow_living", password="wrong-key-4711"))).payload
    assert payload["kind"] == "AuthenticationError"
    assert "4711" not in json.dumps(payload)


def test_tells_a_bad_connection(ids: list[str], connect: Callable[..., str]) -> None:
    payload = fired(trigger(ids, conn_id=connect("flow_living", extra={"time_out": 1}))).payload
    assert payload["kind"] == "ValidationError"
    assert "did you mean 'timeout'" in payload["message"]


def test_tells_a_missing_connection_after_ten_looks(ids: list[str], waits: Waits) -> None:
    """Airflow says the same of one that it cannot read for a moment, so it is nothing that a retry could not cure."""
    payload = fired(trigger(ids, conn_id="nowhere", poll_interval=1.0)).payload
    assert (payload["state"], payload["kind"]) == ("error", "ApiError")
    assert "nowhere" in payload["message"]
    assert DEFAULT.evaluate(ApiError.from_event(payload), 1, 2).action.value == "default"
    assert len(waits.each) == 10


@pytest.mark.parametrize("error", [AirflowNotFoundException("no such thing"), StoreError(StoreFailure.UNREACHABLE)])
def test_outlasts_airflow_and_the_store(
    error: Exception, ids: list[str], vendors: Sandbox, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, troubles = Line.client, [error] * 9

    async def client(self: Line) -> Any:
        if troubles:
            raise troubles.pop()
        return await real(self)

    monkeypatch.setattr(Line, "client", client)
    vendors.advance(700)
    assert fired(trigger(ids)).payload["state"] == "done"
    assert troubles == []


@pytest.mark.parametrize("fault", ["drop_before", "reset_before", "html", "malformed", "empty"])
def test_gives_up_after_ten_looks_in_a_row(fault: str, ids: list[str], vendors: Sandbox) -> None:
    before = len(vendors.requests("flow_living"))
    vendors.fault(STATUS, fault, count=None)
    payload = fired(trigger(ids)).payload
    assert payload["kind"] in ("ServerError", "MalformedResponseError")
    # Ten looks of five attempts each.
    assert len(vendors.requests("flow_living")) == before + 50


def test_outlasts_nine_failed_looks_again_and_again(ids: list[str], vendors: Sandbox) -> None:
    for _ in range(2):
        vendors.fault(STATUS, "status", status=503, count=45)
        # One look that works, of two parts, which are not there yet.
        vendors.fault(STATUS, "status", status=200, body={"status": "queued"}, count=2)
    assert fired(trigger(ids)).payload["state"] == "done"


def test_renews_an_expired_token(ids: list[str], vendors: Sandbox) -> None:
    vendors.fault(STATUS, "expired_token")
    assert fired(trigger(ids)).payload["state"] == "done"


@pytest.mark.parametrize(
    "error",
    [
        NotFoundError("gone", vendor="Flow Living", method="GET", path="/campaigns", status=404, request_id="r1"),
        RateLimitError("429", vendor="Flodesk", retry_after=7.5),
        ServerError("503"),
        AuthenticationError("401", code="expired"),
    ],
)
def test_errors_travel(error: Any) -> None:
    event = error.to_event()
    for sent in (event, {"stand": event["state"], **{name: event[name] for name in ("kind", "message", "facts")}}):
        _same(ApiError.from_event(json.loads(json.dumps(sent))), error)


@pytest.mark.parametrize("kind", ["Exception", "json", "__builtins__", "KINDS", None])
def test_an_event_names_errors_and_nothing_else(kind: Any) -> None:
    assert type(ApiError.from_event({"state": "error", "kind": kind, "message": "m"})) is ApiError


def _same(again: Any, error: Any) -> None:
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert (again.vendor, again.status, again.retry_after, again.code, again.request_id) == (
        error.vendor,
        error.status,
        error.retry_after,
        error.code,
        error.request_id,
    )


# Sharing the loop


@asynccontextmanager
async def heartbeat(clock: Callable[[], float] = time.monotonic, pause: float = 0.005) -> AsyncIterator[list[float]]:
    """Notes how long the loop was blocked between two beats.

    :param clock: ``time.thread_time`` leaves out what other threads and processes take
    :param pause: what the clock shows for the pause between two beats
    """
    blocks: list[float] = [0.0]

    async def beat() -> None:
        while True:
            since = clock()
            await asyncio.sleep(0.005)
            blocks.append(clock() - since - pause)

    beating = asyncio.ensure_future(beat())
    yield blocks
    beating.cancel()


@pytest.mark.slow
def test_slow_vendor_does_not_block_the_loop(ids: list[str], vendors: Sandbox) -> None:
    vendors.fault(STATUS, "delay", seconds=0.3, count=None)

    async def watch() -> float:
        async with heartbeat() as blocks:
            await anext(trigger(ids).run())
        return max(blocks)

    # What else the machine is busy with may stop any of them for a moment; a blocking trigger stops all of them.
    assert min(asyncio.run(watch()) for _ in range(3)) < MAX_BLOCK


def test_nothing_is_sent_or_waited_for_on_the_loops_thread(
    ids: list[str], vendors: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_mkt.client.attempt import Attempts

    reserve, send = Attempts._reserve, Attempts._send
    threads: set[str] = set()

    def noting(function: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*args: Any, **kwargs: Any) -> Any:
            threads.add(threading.current_thread().name)
            return function(*args, **kwargs)

        return noted

    monkeypatch.setattr(Attempts, "_reserve", noting(reserve))
    monkeypatch.setattr(Attempts, "_send", noting(send))
    vendors.fault(STATUS, "status", status=503, count=2)
    fired(trigger(ids, cancel_on_kill=True))
    asyncio.run(trigger(ids, cancel_on_kill=True).on_kill())
    assert threads
    assert all(name.startswith("mkt-http") for name in threads)


def test_a_hundred_triggers_at_once(ids: list[str], vendors: Sandbox) -> None:
    vendors.fault(STATUS, "delay", seconds=0.1, count=None)

    async def watch() -> tuple[list[str], float]:
        since = time.thread_time()
        events = await asyncio.gather(*(anext(trigger([each]).run()) for each in ids * 50))
        return [event.payload["state"] for event in events], time.thread_time() - since

    begun_at, before = time.monotonic(), set(threading.enumerate())
    states, busy = asyncio.run(asyncio.wait_for(watch(), 20))
    assert states == ["done"] * 100
    assert time.monotonic() - begun_at < 5, "one after the other they would take 10 s"
    assert busy < 3, "the loop's own part of each look is some milliseconds, and twice that on a busy machine"
    new = set(threading.enumerate()) - before
    assert sum(thread.name.startswith("mkt-http") for thread in new) <= 16, "those of one account"
