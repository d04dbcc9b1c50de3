# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Nothing that 200 waits at each vendor do keeps the triggerer's loop from others for more than 50 ms.

What is measured is the CPU time of the loop's thread in each callback, so a machine that is busy with other work
changes little. That the thread does not wait for anything either is in test_watch.py.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.triggers import watch
from airflow_provider_mkt.triggers.watch import WatchTrigger
from airflow_provider_mkt.waiting.base import Watch
from airflow_provider_mkt.waiting.flinque import ReportWatch
from airflow_provider_mkt.waiting.flodesk import SegmentSizeWatch
from airflow_provider_mkt.waiting.flokit import SyncWatch
from airflow_provider_mkt.waiting.flow_living import CampaignWatch
from airflow_provider_mkt.waiting.flow_social import PostWatch
from tests.unit.triggers.streams import triggerer, triggers, until

WAITS = 200
MAX_BLOCK = 0.05
INTERVAL = 0.5
NEVER = "2999-01-01T00:00:00+00:00"


@contextmanager
def longest_callback(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Yield the CPU seconds that the loop's thread took for callbacks, each longer than all before.

    The garbage of the tests before is not looked through meanwhile.
    """
    longest = [0.0]
    run = asyncio.events.Handle._run

    def timed(handle: Any) -> None:
        begun = time.thread_time()
        run(handle)
        took = time.thread_time() - begun
        if took > longest[-1]:
            longest.append(took)

    gc.collect()
    gc.freeze()
    with monkeypatch.context() as patched:
        patched.setattr(asyncio.events.Handle, "_run", timed)
        try:
            yield longest
        finally:
            gc.unfreeze()


def posts(number: int) -> list[Watch]:
    rows = [{"channelId": "channel_1", "content": f"post {each}"} for each in range(number)]
    batches = [FlowSocialHook().create_posts(rows[begin : begin + 50])["results"] for begin in range(0, number, 50)]
    return [PostWatch([each["post"]["id"]], ["done"]) for batch in batches for each in batch]


def waits(vendors: Sandbox) -> dict[str, list[Watch]]:
    vendors.limits({"*": None})
    report = FlinqueHook().generate_report({"type": "campaign", "campaign_id": "ca_1"})["id"]
    campaign = FlowLivingHook().publish_campaign("facebookv2", ["listing_1001"], "branch_harbour")
    ids = campaign["campaign_tracking_ids"]
    return {
        "flow_social": posts(WAITS),
        "flinque": [ReportWatch(report) for _ in range(WAITS)],
        "flokit": [SyncWatch(("int_adjust", "int_stripe")[each % 2], NEVER) for each in range(WAITS)],
        "flow_living": [CampaignWatch(ids, ["published"]) for _ in range(WAITS)],
        "flodesk": [SegmentSizeWatch("seg_news", 10_000 + each) for each in range(WAITS)],
    }


@pytest.mark.slow
def test_no_callback_takes_long(vendors: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """They join at once, are looked after for a time, and most of them end at once."""
    monkeypatch.setattr(watch, "FIRST_LOOK", 0.0)
    known = waits(vendors)
    ending = [name for name in known if name not in ("flokit", "flodesk")]

    async def scene() -> None:
        async with triggerer() as running:
            tasks = {name: [running.run(each) for each in made(name, found)] for name, found in known.items()}
            await until(lambda: all(len(vendors.requests(name)) > before[name] for name in known))
            vendors.advance(1200)
            await until(lambda: all(each.done() for name in ending for each in tasks[name]))
            assert all(each.result()["state"] == "done" for name in ending for each in tasks[name])
            assert not any(each.done() for each in tasks["flokit"] + tasks["flodesk"])

    def made(name: str, found: list[Watch]) -> list[WatchTrigger]:
        return triggers(found, f"{name}_default", INTERVAL)

    before = {name: len(vendors.requests(name)) for name in known}
    with longest_callback(monkeypatch) as longest:
        asyncio.run(scene())
    assert 0 < longest[-1] < MAX_BLOCK


def test_a_callback_that_takes_long_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        end = time.thread_time() + 2 * MAX_BLOCK
        while time.thread_time() < end:
            pass

    with longest_callback(monkeypatch) as longest:
        asyncio.run(scene())
    assert longest[-1] > MAX_BLOCK
