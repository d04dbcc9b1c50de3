# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Triggers in a triggerer: Airflow's own manager of shared streams around them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

from airflow.triggers.shared_stream import SharedStreamManager

from airflow_provider_mkt.triggers.watch import WatchTrigger
from airflow_provider_mkt.waiting.base import Watch

PATIENCE = 60.0
"""Seconds. A loop that ended while it asked keeps others from asking the same for half a minute."""


class Triggerer:
    """Runs triggers as Airflow's runner does.

    :param manager: of the shared streams
    """

    def __init__(self, manager: SharedStreamManager) -> None:
        self.manager = manager
        self.tasks: list[asyncio.Task[Any]] = []

    def run(self, trigger: WatchTrigger) -> asyncio.Task[dict[str, Any]]:
        """Run a trigger; the task returns the payload of its event."""
        self.tasks.append(asyncio.ensure_future(self._run(len(self.tasks), trigger)))
        return self.tasks[-1]

    async def _run(self, number: int, trigger: WatchTrigger) -> dict[str, Any]:
        key = trigger.shared_stream_key()
        stream = self.manager.subscribe(trigger_id=number, trigger=trigger, key=key)
        try:
            events = [event.payload async for event in trigger.filter_shared_stream(stream)]
        finally:
            await self.manager.unsubscribe(number, key)
        assert len(events) == 1
        payload: dict[str, Any] = events[0]
        return payload

    async def results(self) -> list[dict[str, Any]]:
        """Wait for all triggers."""
        return await asyncio.wait_for(asyncio.gather(*self.tasks), PATIENCE)


@asynccontextmanager
async def triggerer(**options: Any) -> AsyncIterator[Triggerer]:
    """Yield a triggerer, and end it like Airflow: the triggers first."""
    made = Triggerer(SharedStreamManager(**options))
    try:
        yield made
    finally:
        for task in made.tasks:
            task.cancel()
            with suppress(BaseException):
                await task
        await made.manager.stop_all()
        assert made.manager._groups == {}


def triggers(watches: Iterable[Watch], conn_id: str, interval: float = 0.05, **options: Any) -> list[WatchTrigger]:
    """Return a trigger for each watch."""
    return [WatchTrigger.of(watch, conn_id, interval, **options) for watch in watches]


async def until(condition: Callable[[], bool]) -> None:
    """Return once ``condition`` holds."""

    async def hold() -> None:
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - the vendors have no events to wait for
            await asyncio.sleep(0.01)

    await asyncio.wait_for(hold(), PATIENCE)
