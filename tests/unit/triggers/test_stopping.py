# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A trigger that is ended: by Airflow it stops nothing, by a user it stops what goes on at the vendor."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.triggers import watch as watch_module
from airflow_provider_mkt.triggers.watch import WatchTrigger
from airflow_provider_mkt.waiting.flokit import SyncWatch
from airflow_provider_mkt.waiting.flow_social import PostWatch
from tests.unit.context import Task
from tests.unit.triggers.triggers import task_instance, trigger

UPDATE = "POST /flow-living/campaigns/status/{id}"


def paused(vendors: Sandbox) -> int:
    return len(vendors.ledger("flow_living", "campaign.status_updated"))


async def begun() -> None:
    """Let what was just started begin: a coroutine that is cancelled before its first step never runs."""
    for _ in range(3):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - the vendors have no events to wait for
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("cancel_on_kill", [True, False])
def test_ended_by_airflow_it_stops_nothing(cancel_on_kill: bool, ids: list[str], vendors: Sandbox) -> None:
    """A restart of the triggerer, or a timeout, cancels the task that runs the trigger."""
    before = len(vendors.requests("flow_living"))

    async def restart() -> None:
        built = trigger(ids, ("completed",), cancel_on_kill=cancel_on_kill)
        running = asyncio.ensure_future(anext(built.run()))
        await asyncio.wait_for(until(lambda: len(vendors.requests("flow_living")) > before + 2), 10)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await built.cleanup()

    asyncio.run(restart())
    assert paused(vendors) == 0


@pytest.mark.parametrize(("cancel_on_kill", "expected"), [(True, 2), (False, 0)])
def test_stopped_by_a_user(cancel_on_kill: bool, expected: int, ids: list[str], vendors: Sandbox) -> None:
    asyncio.run(trigger(ids, cancel_on_kill=cancel_on_kill).on_kill())
    assert paused(vendors) == expected


@pytest.mark.parametrize("state", ["success", "scheduled", "deferred", "running"])
def test_a_clear_or_a_success_stops_nothing(
    state: str, marked_as_failed: Task, ids: list[str], vendors: Sandbox
) -> None:
    marked_as_failed.state = state
    asyncio.run(trigger(ids, cancel_on_kill=True).on_kill())
    assert paused(vendors) == 0


def test_stopping_what_cannot_be_stopped(vendors: Sandbox) -> None:
    built = WatchTrigger.of(SyncWatch("int_adjust"), "flokit_default", 1.0, cancel_on_kill=True)
    built.task_instance = task_instance()
    asyncio.run(built.on_kill())
    assert vendors.requests() == []


@pytest.mark.parametrize("as_airflow_calls_it", [True, False])
def test_stopping_survives_being_cancelled_all_the_time(
    as_airflow_calls_it: bool, ids: list[str], vendors: Sandbox
) -> None:
    """Airflow sends the cancellation again at every turn of its loop."""
    vendors.fault(UPDATE, "delay", seconds=0.1, count=None)

    async def insistent() -> int:
        stopping = trigger(ids, cancel_on_kill=True).on_kill()
        killing = asyncio.ensure_future(asyncio.wait_for(stopping, 30) if as_airflow_calls_it else stopping)
        await begun()
        sent = 0
        while not killing.done():
            killing.cancel("__airflow_user_action__")
            sent += 1
            await asyncio.sleep(0)
        with suppress(asyncio.CancelledError):
            await killing
        # Airflow's wait_for gives up the second time; what it waited for goes on.
        await until(lambda: paused(vendors) == 2)
        return sent

    assert asyncio.run(asyncio.wait_for(insistent(), 15)) > 1
    assert paused(vendors) == 2


@pytest.mark.parametrize("insistent", [True, False])
def test_stopping_that_fails_is_told(
    insistent: bool, ids: list[str], vendors: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    vendors.fault(UPDATE, "status", status=422, message="Too late", count=None)
    lost: list[dict[str, Any]] = []

    async def kill() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: lost.append(context))
        killing = asyncio.ensure_future(trigger(ids, cancel_on_kill=True).on_kill())
        await begun()
        while not killing.done():
            if insistent:
                killing.cancel()
            await asyncio.sleep(0)
        with suppress(asyncio.CancelledError):
            await killing

    with caplog.at_level(logging.ERROR, "airflow_provider_mkt"):
        asyncio.run(asyncio.wait_for(kill(), 15))
    assert any("Too late" in record.getMessage() for record in caplog.records)
    assert lost == []
    assert paused(vendors) == 0


@pytest.mark.slow
def test_stopping_takes_no_longer_than_it_may(
    ids: list[str], vendors: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watch_module, "CANCEL_TIMEOUT", 0.2)
    vendors.fault(UPDATE, "delay", seconds=1, count=1)
    asyncio.run(trigger(ids, cancel_on_kill=True).on_kill())
    assert paused(vendors) == 0, "it did not wait for the vendor"
    # The request that was given up goes on at the vendor; it must not reach into the next test.
    asyncio.run(asyncio.wait_for(until(lambda: paused(vendors) == 1), 10))
    assert "Could not stop it at the vendor" in caplog.text


def test_queued_posts_are_deleted_when_stopped(vendors: Sandbox) -> None:
    post = {"channelId": "channel_1", "content": "later", "scheduledFor": "2099-01-01"}
    post_id = FlowSocialHook().create_post(post)["id"]
    built = WatchTrigger.of(PostWatch([post_id], ["done"]), "flow_social_default", 1.0, cancel_on_kill=True)
    built.task_instance = task_instance()
    asyncio.run(built.on_kill())
    assert [entry["ids"] for entry in vendors.ledger("flow_social", "post.deleted")] == [[post_id]]
