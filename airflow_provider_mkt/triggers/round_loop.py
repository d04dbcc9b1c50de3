# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Looks at what a vendor shows one by one: a fair round, in which those go first that are about to change."""

from __future__ import annotations

import asyncio
import heapq

from airflow_provider_mkt import clock
from airflow_provider_mkt.exceptions import ApiError, NotFoundError, RateLimitError, ValidationError
from airflow_provider_mkt.triggers.loop import TOGETHER, TROUBLES, Loop, log, pause_after
from airflow_provider_mkt.triggers.subscribers import Subscriber

AT_ONCE = 4
"""Looks under way at one time: a vendor that takes long over one must not hold up the others. More would only wait for
the rate budget, where launches have to pass them."""
ALL_FAIL = 3
"""Different things in a row that cannot be read, after which the account is taken to be out of reach."""


class RoundLoop(Loop):
    """Polls for each subscriber in turn; for the parameters see :class:`Loop`."""

    _failing = 0
    _not_before = 0.0

    async def run(self) -> None:
        """Look until cancelled."""
        busy: dict[asyncio.Task[None], Subscriber] = {}
        try:
            with self.line:
                while True:
                    self.group.hear()
                    self._begin(busy)
                    pause = asyncio.ensure_future(self.line.sleep(self._next(busy)))
                    try:
                        done, _ = await asyncio.wait({*busy, pause}, return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        pause.cancel()
                    for task in done & busy.keys():
                        self._end(task, busy.pop(task))
        finally:
            for task in busy:
                task.cancel()
            if busy:
                await asyncio.wait(busy)

    def _begin(self, busy: dict[asyncio.Task[None], Subscriber]) -> None:
        """Begin the most urgent looks that are due; while the account is out of reach a single one, to see."""
        now = clock.monotonic()
        if now < self._not_before:
            return
        free = (1 if self._failing >= ALL_FAIL else AT_ONCE) - len(busy)
        under_way = set(busy.values())
        due = [each for each in self.group.subscribers if each.due <= now and each not in under_way]
        for subscriber in heapq.nlargest(max(0, free), due, key=lambda each: each.urgency(now)):
            busy[asyncio.ensure_future(self._look(subscriber, now))] = subscriber

    def _next(self, busy: dict[asyncio.Task[None], Subscriber]) -> float:
        """Return the seconds until a poll may be begun, unless one under way ends before."""
        now = clock.monotonic()
        if len(busy) >= (1 if self._failing >= ALL_FAIL else AT_ONCE):
            return TOGETHER
        under_way = set(busy.values())
        first = min((each.due for each in self.group.subscribers if each not in under_way), default=now + TOGETHER)
        return max(0.0, max(first, self._not_before) - now)

    def _end(self, task: asyncio.Task[None], subscriber: Subscriber) -> None:
        """Note that a poll is over, in whatever way: what one task's look ran into is no other's trouble."""
        failure = asyncio.CancelledError("something cancelled it") if task.cancelled() else task.exception()
        if failure is not None:
            log.error("A poll for %s broke", subscriber.watch.path, exc_info=failure)
            self.failed(subscriber, ApiError(f"The poll broke: {failure!r}"), its_own=True)
            subscriber.rest(clock.monotonic(), 0.0)

    async def _look(self, subscriber: Subscriber, now: float) -> None:
        max_age = subscriber.max_age(now)
        urgent, subscriber.urgent = subscriber.urgent, False
        try:
            client = await self.client()
        except TROUBLES as error:
            _rest(subscriber, clock.monotonic(), 0.0)
            self._out_of_reach(subscriber, self.told(error), its_own=False)
            return
        try:
            verdict, age = await self.answers.arun(client, subscriber.watch.poll(), max_age)
        except RateLimitError as error:
            # Nothing was seen, so it keeps its turn.
            subscriber.urgent = subscriber.urgent or urgent
            log.info("Not looked this time: %s", error)
            self._not_before = clock.monotonic() + (error.retry_after or subscriber.interval)
        except TROUBLES as error:
            _rest(subscriber, clock.monotonic(), 0.0)
            self._trouble(subscriber, self.told(error))
        else:
            self._failing = 0
            self.sound()
            _rest(subscriber, now, age)
            if subscriber in self.group.subscribers:
                self.seen(subscriber, verdict, client)

    def _trouble(self, subscriber: Subscriber, error: ApiError) -> None:
        if isinstance(error, (NotFoundError, ValidationError)):
            # The vendor's answer about this one thing: the account is in order.
            self._failing = 0
            self.sound()
            self.failed(subscriber, error, its_own=True)
        else:
            self._out_of_reach(subscriber, error, its_own=True)

    def _out_of_reach(self, subscriber: Subscriber, error: ApiError, *, its_own: bool) -> None:
        self.failed(subscriber, error, its_own=its_own)
        self._failing += 1
        if self._failing >= ALL_FAIL or len(self.group.subscribers) == 1:
            pause = pause_after(max(1, self._failing - ALL_FAIL + 1), subscriber.interval)
            self._not_before = clock.monotonic() + pause
            self.broken(error, pause)


def _rest(subscriber: Subscriber, now: float, age: float) -> None:
    """Set the moment of the next look: at once when a webhook came during this one, which may have been too early.

    For the parameters see :meth:`Subscriber.rest`.
    """
    heard = subscriber.urgent
    subscriber.rest(now, age)
    if heard:
        subscriber.urgent, subscriber.due = True, now
