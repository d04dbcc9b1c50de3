# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Several triggerers, each with an event loop of its own: together they ask what one of them would."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_mkt.hooks.flokit import FlokitHook
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.triggers import answers
from airflow_provider_mkt.triggers.subscribers import Subscriber
from airflow_provider_mkt.waiting.flokit import SyncWatch
from tests.unit.triggers.streams import triggerer, triggers, until

INTERVAL = 1.0
SECONDS = 4.0


def wait_for(number: int) -> None:
    """Run a triggerer with so many waiting tasks, for a time."""

    async def run() -> None:
        watches = [SyncWatch(("int_adjust", "int_stripe")[each % 2], "2999-01-01") for each in range(number)]
        async with triggerer() as running:
            for each in triggers(watches, "flokit_default", INTERVAL):
                running.run(each)
            await asyncio.sleep(SECONDS)
            assert not any(each.done() for each in running.tasks)

    asyncio.run(run())


@pytest.mark.slow
def test_five_triggerers_cost_the_vendor_what_one_does(vendors: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "LOOK_AGAIN", 0.05)
    begun = time.monotonic()
    with ThreadPoolExecutor(5) as threads:
        list(threads.map(wait_for, [20] * 5))
    took = time.monotonic() - begun
    # One for each interval that an answer may be old, and at the beginning one from each: no answer may be older than
    # the wait that it is for.
    assert 2 <= len(vendors.requests("flokit")) <= took / (0.9 * INTERVAL) + 5


def test_a_pause_that_doubles_lets_no_older_answer_in() -> None:
    """What was read at the last look is no news at the next one, though the pause after that is twice as long."""
    subscriber = Subscriber(SyncWatch("int_adjust"), 15.0, longest=120.0)
    now = subscriber.joined_at + 10
    for pause in (15.0, 30.0, 60.0, 120.0, 120.0):
        subscriber.rest(now, 0.0)
        assert subscriber.due == now + pause
        assert 0.5 * pause < subscriber.max_age(subscriber.due) < pause
        now = subscriber.due


def test_no_answer_is_older_than_the_wait(vendors: Sandbox) -> None:
    """Else a task would see what was there before it, and a webhook that came meanwhile would be of no use."""

    async def read_by_another() -> None:
        async with triggerer() as running:
            running.run(triggers([SyncWatch("int_adjust", "2999-01-01")], "flokit_default", 600.0)[0])
            await until(lambda: bool(vendors.requests("flokit")))

    async def read_here(since: str) -> dict[str, Any]:
        async with triggerer() as running:
            running.run(triggers([SyncWatch("int_adjust", since)], "flokit_default", 600.0)[0])
            await until(running.tasks[0].done)
            found: dict[str, Any] = running.tasks[0].result()
            return found

    asyncio.run(read_by_another())
    since = datetime.now(timezone.utc).isoformat()
    FlokitHook().trigger_sync("int_adjust")
    vendors.advance(3600)
    assert asyncio.run(read_here(since))["state"] == "done"
