# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Time that a test moves: waits take none of the machine's, and what goes by the clock follows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import text

from airflow_provider_mkt import clock
from airflow_provider_mkt.sandbox.simulation import Simulation
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.testing.movable_clock import MovableClock

SUMMER = datetime(2026, 3, 29, 1, tzinfo=timezone.utc)
"""Clocks in Europe go forward here."""


@pytest.fixture
def moving() -> Iterator[MovableClock]:
    moving = MovableClock(SUMMER)
    with clock.using(moving):
        yield moving


def test_it_begins_where_it_is_told_to_and_goes_on_like_the_machine(moving: MovableClock) -> None:
    assert 0 <= (clock.utcnow() - SUMMER).total_seconds() < 5
    first = clock.monotonic()
    time.sleep(0.01)
    assert 0.01 <= clock.monotonic() - first < 5


def test_a_wait_takes_no_time_and_all_that_time_passes(moving: MovableClock) -> None:
    before, begun = (clock.now(), clock.monotonic()), time.monotonic()
    clock.sleep(3_600)
    asyncio.run(clock.asleep(3_600))
    assert time.monotonic() - begun < 5
    assert 7_200 <= clock.now() - before[0] < 7_205
    assert 7_200 <= clock.monotonic() - before[1] < 7_205


def test_who_waits_for_an_event_waits_no_longer_than_that(moving: MovableClock) -> None:
    async def waited(seconds: float) -> float:
        event, before = asyncio.Event(), moving.waited
        if seconds:
            asyncio.get_running_loop().call_soon(event.set)
        await clock.wait(event, 60)
        return moving.waited - before

    assert asyncio.run(waited(1)) == 0
    assert 59 < asyncio.run(waited(0)) < 61


def test_a_test_moves_it(moving: MovableClock) -> None:
    moving.move(timedelta(days=7))
    moving.move(90)
    assert 0 <= (clock.utcnow() - SUMMER - timedelta(days=7, seconds=90)).total_seconds() < 5
    moving.move_to(clock.utcnow())
    moving.move_to(SUMMER + timedelta(days=217))
    assert 0 <= (clock.utcnow() - SUMMER - timedelta(days=217)).total_seconds() < 5


def test_it_never_goes_back(moving: MovableClock) -> None:
    with pytest.raises(ValueError, match="time can only move forward, not by -1 s"):
        moving.move(-1)
    with pytest.raises(ValueError, match="time can only move forward"):
        moving.move_to(SUMMER - timedelta(hours=1))
    with pytest.raises(ValueError, match="names no time zone"):
        moving.move_to(datetime(2030, 1, 1))  # noqa: DTZ001 - what is refused


def test_the_store_goes_by_it(moving: MovableClock, tmp_path: Path) -> None:
    """Budgets and tokens are kept by the database's clock."""
    store = Store(f"sqlite:///{tmp_path / 'state.db'}")

    def shown() -> float:
        return float(store.run(lambda connection: connection.execute(text(f"SELECT {store.clock}")).scalar_one()))

    assert abs(shown() - clock.now()) < 5
    moving.move(timedelta(days=1))
    assert abs(shown() - clock.now()) < 5
    store.close()


def test_vendors_go_by_it(moving: MovableClock) -> None:
    world = Simulation(real=moving.now).world
    readings = (world.clock.now, world.clock.ticks, world.clock.shelf)
    before = [read() for read in readings]
    moving.move(timedelta(days=1))
    assert all(86_400 <= read() - earlier < 86_405 for read, earlier in zip(readings, before, strict=True))


def test_their_rate_limits_go_by_it(moving: MovableClock) -> None:
    limits = Simulation(real=moving.now).world.limits
    limits.override({"flow_social.default": {"limit": 1, "window": 60}})
    taken = [limits.take(["flow_social.default"], "key")[1] for _ in range(2)]
    moving.move(60)
    assert [*taken, limits.take(["flow_social.default"], "key")[1]] == [True, False, True]


def test_the_machines_clock_is_back_afterwards() -> None:
    with clock.using(MovableClock(SUMMER)):
        assert clock.moved()
    assert not clock.moved()
    assert abs(clock.now() - time.time()) < 5
