# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Events for an asset's watcher: one on each occasion, across restarts, without webhooks."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt import clock
from airflow_provider_mkt.triggers.event import WaitEvent
from airflow_provider_mkt.waiting.base import FailedPolls, WaitState

if TYPE_CHECKING:
    from airflow.triggers.base import TriggerEvent

    from airflow_provider_mkt.triggers.subscribers import Subscriber

log = logging.getLogger(__name__)

PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Seconds between the tries to note what was told. A DAG that was started must not be started again."""


class Cursor:
    """Which occasion was told last. It is kept in Airflow's asset state store.

    :param store: that of the asset, as Airflow gives it to the trigger
    :param watch: path of the watch's class
    :param arguments: its fields
    """

    def __init__(self, store: Any, watch: str, arguments: Mapping[str, Any]) -> None:
        self._store = store
        named = json.dumps([watch, arguments], sort_keys=True)
        self._key = f"mkt.occasion.{hashlib.sha256(named.encode()).hexdigest()[:32]}"
        self._known: str | None = None

    async def told(self) -> str | None:
        """Return the occasion that was told last; None when none ever was."""
        if self._known is None:
            found = await self._store.aget(self._key)
            self._known = found if isinstance(found, str) else None
        return self._known

    async def keep(self, occasion: str) -> None:
        """Note that an occasion is told. For a minute it is tried again while Airflow cannot.

        :raises Exception: what Airflow raises at the last try
        """
        self._known = occasion
        for pause in PAUSES:
            try:
                await self._store.aset(self._key, occasion)
            except Exception as error:  # noqa: BLE001 - a server or a database that is away, with any of its errors
                log.warning("Airflow could not note which event was told; again in %.0f s: %s", pause, error)
                await clock.asleep(pause)
            else:
                return
        await self._store.aset(self._key, occasion)


async def occasions(subscriber: Subscriber, cursor: Cursor) -> AsyncIterator[TriggerEvent]:
    """Yield an event on each occasion on which what is watched is done. Failures are logged and make no event.

    The cursor is kept once Airflow has taken the event. A triggerer that dies between the two may tell it again.
    """
    polls = FailedPolls()
    while True:
        news = await subscriber.news(None)
        if news is None or news.verdict is None:
            if news is not None and news.error is not None:
                log.warning("The poll failed: %s", news.error)
            continue
        verdict, watch = news.verdict, subscriber.watch
        polls.reset(verdict)
        if verdict.state not in (WaitState.DONE, WaitState.PENDING):
            continue
        told, occasion = await cursor.told(), watch.occasion(verdict)
        if occasion == told:
            continue
        if verdict.state is WaitState.DONE and (told is not None or watch.first_counts()):
            yield WaitEvent(verdict.event())
        await cursor.keep(occasion)
