# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Several triggerers, each with an event loop of its own: together they ask what one of them would."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.triggers import answers
from airflow_provider_mkt.waiting.flokit import SyncWatch
from tests.unit.triggers.streams import triggerer, triggers

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
    # One for each interval that an answer may be old, and one at the beginning.
    assert 2 <= len(vendors.requests("flokit")) <= took / (0.9 * INTERVAL) + 1
