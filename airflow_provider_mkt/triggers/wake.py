# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Wakes waiting triggers when a webhook tells of what they wait for. They then ask the vendor, as at every other time.

All triggers of a process share one look into the inbox, twice a second, and only while one of them can be delivered to.
PostgreSQL tells at once when there is something to see.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from airflow_provider_mkt import clock
from airflow_provider_mkt.state.errors import StoreError

if TYPE_CHECKING:
    from airflow_provider_mkt.state.doorbell import Doorbell
    from airflow_provider_mkt.state.inbox import Inbox, News

log = logging.getLogger(__name__)

INTERVAL = 0.5
"""Seconds between looks into the inbox."""
MAX_INTERVAL = 30.0
"""Seconds up to which that doubles while the store fails: the vendor is asked all the same."""


@dataclass(eq=False)
class Waiter:
    """One who waits: a trigger that runs alone, or the loop of many.

    :param account: digest of its account's name; "" until that is known
    :param subjects: digests of the ids that it waits for; they may change
    :param heard: digests of what deliveries were about, "" for one that does not say
    """

    account: str
    subjects: Collection[str]
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    heard: set[str] = field(default_factory=set)

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds``, or as soon as a delivery tells of what is waited for."""
        await clock.wait(self.woken, seconds)
        self.woken.clear()

    def hears(self, news: News) -> bool:
        """Tell whether ``news`` may concern it; one that does not say what it is about does."""
        return news.account == self.account and (not news.subject or news.subject in self.subjects)


class Wake:
    """The waiters of one event loop.

    :param inbox: the inbox
    """

    _of_loops: ClassVar[dict[asyncio.AbstractEventLoop, Wake]] = {}

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._waiters: set[Waiter] = set()
        self._looking: asyncio.Task[None] | None = None

    @classmethod
    def here(cls) -> Wake:
        """Return the one of the running loop."""
        from airflow_provider_mkt.state.inbox import Inbox  # loads SQLAlchemy

        loop = asyncio.get_running_loop()
        for other in [each for each in cls._of_loops if each.is_closed()]:
            del cls._of_loops[other]
        return cls._of_loops.setdefault(loop, cls(Inbox()))

    @contextlib.contextmanager
    def waiting(self, account: str, waiter: Waiter) -> Iterator[Waiter]:
        """Wake a waiter when something is delivered for ``account``, for as long as the ``with`` block lasts."""
        waiter.account = account
        self._waiters.add(waiter)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            yield waiter
        finally:
            self._waiters.discard(waiter)
            if not self._waiters and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    async def _look(self) -> None:
        with self._inbox.doorbell() as bell:
            await self._look_on(bell)

    async def _look_on(self, bell: Doorbell) -> None:
        seen: set[int] | None = None
        latest, pause = 0, INTERVAL
        while True:
            try:
                if seen is None:
                    latest = await asyncio.to_thread(self._inbox.latest)
                    seen = {each.id for each in await asyncio.to_thread(self._inbox.news, latest)}
                found = await asyncio.to_thread(self._inbox.news, latest)
            except StoreError as error:
                log.log(logging.INFO if pause == INTERVAL else logging.DEBUG, "No news of webhooks: %s", error)
                pause = min(2 * pause, MAX_INTERVAL)
            else:
                self._tell([each for each in found if each.id not in seen])
                seen = {each.id for each in found}
                latest, pause = max([latest, *seen]), INTERVAL
            await bell.await_ring(pause)

    def _tell(self, news: Collection[News]) -> None:
        for waiter in self._waiters:
            if heard := {each.subject for each in news if waiter.hears(each)}:
                waiter.heard |= heard
                waiter.woken.set()
