# Licensed under the Apache License, Version 2.0; see LICENSE.
"""An asset's watcher: one event on each occasion, also when the triggerer is restarted in between."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from airflow.sdk import Asset, AssetWatcher

from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.hooks.flokit import FlokitHook
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.triggers import occasions
from airflow_provider_mkt.triggers.watch import WatchTrigger
from airflow_provider_mkt.waiting.flinque import CampaignWatch, ReportWatch
from airflow_provider_mkt.waiting.flokit import SyncWatch
from tests.unit.triggers.streams import Triggerer, triggerer, triggers, until

pytestmark = pytest.mark.slow


class Store:
    """Airflow's asset state store."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    async def aget(self, key: str, default: Any = None) -> Any:
        return json.loads(self.values[key]) if key in self.values else default

    async def aset(self, key: str, value: Any) -> None:
        self.values[key] = json.dumps(value)


async def follow(running: Triggerer, trigger: WatchTrigger, store: Store, events: list[Any]) -> None:
    """Run a watcher's trigger for as long as the triggerer runs, and note its events."""
    trigger.asset_state_store = store  # type: ignore[assignment]
    number, key = len(running.tasks), trigger.shared_stream_key()
    stream = running.manager.subscribe(trigger_id=number, trigger=trigger, key=key)

    async def run() -> None:
        try:
            async for event in trigger.filter_shared_stream(stream):
                events.append(event.payload)  # noqa: PERF401 - each as it comes
        finally:
            await running.manager.unsubscribe(number, key)

    running.tasks.append(asyncio.ensure_future(run()))


def polls(vendors: Sandbox) -> int:
    return len(vendors.requests())


async def settled(vendors: Sandbox) -> None:
    before = polls(vendors)
    await until(lambda: polls(vendors) >= before + 6)


def test_each_sync_is_told_once_across_restarts(vendors: Sandbox) -> None:
    store, events = Store(), []

    async def watch(syncs: int) -> None:
        async with triggerer() as running:
            await follow(running, triggers([SyncWatch("int_adjust")], "flokit_default")[0], store, events)
            await settled(vendors)
            for _ in range(syncs):
                await asyncio.to_thread(FlokitHook().trigger_sync, "int_adjust")
                await asyncio.to_thread(vendors.advance, 400)
                await settled(vendors)

    asyncio.run(watch(0))
    assert events == [], "the sync of before is no news"
    asyncio.run(watch(2))
    asyncio.run(watch(0))
    assert len({each["answer"]["last_synced_at"] for each in events}) == len(events) == 2


def test_airflow_s_store_away_for_a_moment_tells_nothing_twice(
    vendors: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the watcher's trigger fails, begins again, and starts the DAG a second time."""
    monkeypatch.setattr(occasions, "PAUSES", (0.01,) * 6)
    report = FlinqueHook().generate_report({"type": "campaign"})["id"]
    vendors.advance(700)
    store, events, failures = Store(), [], [RuntimeError("Airflow's database is away")] * 3
    keep = store.aset

    async def failing(key: str, value: Any) -> None:
        if failures:
            raise failures.pop()
        await keep(key, value)

    monkeypatch.setattr(store, "aset", failing)

    async def watch() -> None:
        async with triggerer() as running:
            await follow(running, triggers([ReportWatch(report)], "flinque_default")[0], store, events)
            await settled(vendors)

    for _ in range(2):
        asyncio.run(watch())
    assert failures == []
    assert [each["state"] for each in events] == ["done"]


def test_a_report_is_told_once(vendors: Sandbox) -> None:
    store, events = Store(), []
    report = FlinqueHook().generate_report({"type": "campaign"})["id"]

    async def watch() -> None:
        async with triggerer() as running:
            await follow(running, triggers([ReportWatch(report)], "flinque_default")[0], store, events)
            await settled(vendors)
            await asyncio.to_thread(vendors.advance, 700)
            await settled(vendors)

    asyncio.run(watch())
    asyncio.run(watch())
    assert [each["answer"]["id"] for each in events] == [report]


def test_a_campaign_that_goes_live_again_is_told_again(vendors: Sandbox) -> None:
    store, events = Store(), []
    campaign = FlinqueHook().create_campaign({"name": "c", "status": "active"})["id"]

    async def watch() -> None:
        async with triggerer() as running:
            waiting = triggers([CampaignWatch(campaign, ["active"])], "flinque_default")[0]
            await follow(running, waiting, store, events)
            for status in ("active", "paused", "active"):
                await asyncio.to_thread(FlinqueHook().update_campaign, campaign, {"status": status})
                await settled(vendors)

    asyncio.run(watch())
    assert [each["status"] for each in events] == ["active", "active"]


def test_an_outage_makes_no_event_and_ends_nothing(vendors: Sandbox) -> None:
    events: list[Any] = []
    vendors.fault("GET /flinque/v1/campaigns/{id}", "status", status=404, count=4)
    campaign = FlinqueHook().create_campaign({"name": "c", "status": "active"})["id"]

    async def watch() -> None:
        async with triggerer() as running:
            waiting = triggers([CampaignWatch(campaign, ["active"])], "flinque_default")[0]
            await follow(running, waiting, Store(), events)
            await until(lambda: len(events) == 1)

    asyncio.run(watch())


def test_airflow_takes_it_for_a_watcher() -> None:
    trigger = WatchTrigger.of(SyncWatch("int_adjust"), "flokit_default", 60.0)
    assert Asset("sync", watchers=[AssetWatcher(name="sync", trigger=trigger)]).watchers[0].name == "sync"
    path, kwargs = trigger.serialize()
    assert WatchTrigger.hash(path, kwargs) == WatchTrigger.hash(path, json.loads(json.dumps(kwargs)))
