# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A clock that goes on like the machine's, and jumps over all that is waited for."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from airflow_provider_mkt.clock import Clock

TURNS = 3
"""Turns of the event loop for which a wait lets others go on before it jumps."""

JUST_NOW = 1.0
"""Seconds for which a moment that is over still counts as now: the clock goes on while a test works out where to go."""


class DeadlineError(Exception):
    """What waits would wait for longer than it may."""


class MovableClock(Clock):
    """The machine's time plus what was waited for, and what a test has moved it by.

    :param start: the moment at which it begins; by default now
    """

    moved = True

    def __init__(self, start: datetime | None = None) -> None:
        self._lock = threading.RLock()
        self._ahead = 0.0
        self._shift = 0.0 if start is None else unix(start) - time.time()
        self._happenings: list[tuple[float, Callable[[], object]]] = []
        self.deadline: float | None = None
        """Unix time up to which a coroutine may wait."""

    def __repr__(self) -> str:
        return f"<MovableClock at {self.utcnow():%Y-%m-%dT%H:%M:%SZ}>"

    @property
    def waited(self) -> float:
        """The seconds by which it has jumped so far."""
        return self._ahead

    def now(self) -> float:
        """Return Unix time in seconds."""
        return time.time() + self._shift + self._ahead

    def utcnow(self) -> datetime:
        """Return the moment, in UTC."""
        return datetime.fromtimestamp(self.now(), timezone.utc)

    def monotonic(self) -> float:
        """Return seconds that only go forward."""
        return time.monotonic() + self._ahead

    def at(self, moment: datetime, happening: Callable[[], object]) -> None:
        """Have something happen when time comes to ``moment``, also in the middle of a wait.

        :param moment: with a time zone
        :param happening: called without arguments
        """
        with self._lock:
            self._happenings.append((unix(moment), happening))
            self._happenings.sort(key=lambda each: each[0])

    def move(self, by: timedelta | float) -> None:
        """Let time pass.

        :param by: how much; a number means seconds
        :raises ValueError: when it is less than none
        """
        seconds = by.total_seconds() if isinstance(by, timedelta) else float(by)
        if not seconds >= 0:
            raise ValueError(f"time can only move forward, not by {seconds:g} s")
        with self._lock:
            end = self.now() + seconds
            while self._happenings and self._happenings[0][0] <= end:
                moment, happening = self._happenings.pop(0)
                self._ahead += max(0.0, moment - self.now())
                happening()
            self._ahead += max(0.0, end - self.now())

    def move_to(self, moment: datetime) -> None:
        """Let time pass until ``moment``.

        :param moment: with a time zone
        :raises ValueError: when the moment is over, or names no time zone
        """
        left = unix(moment) - self.now()
        self.move(0.0 if -JUST_NOW < left < 0 else left)

    def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.move(max(0.0, seconds))

    async def asleep(self, seconds: float) -> None:
        """Let the time pass at once.

        :raises DeadlineError: when that would be later than the deadline; the time until then has passed
        """
        await asyncio.sleep(0)
        self._spend(seconds)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Let the time pass at once, unless ``event`` is set before; then it is set from here.

        :raises DeadlineError: as :meth:`asleep`
        """
        for _ in range(TURNS):
            await asyncio.sleep(0)
            if event.is_set():
                return
        self._spend(seconds)
        event.set()

    def _spend(self, seconds: float) -> None:
        if self.deadline is not None and self.now() + seconds > self.deadline:
            self.sleep(self.deadline - self.now())
            raise DeadlineError
        self.sleep(seconds)


def unix(moment: datetime) -> float:
    """Return a moment as Unix time in seconds.

    :raises TypeError: when it is no moment
    :raises ValueError: when it names no time zone
    """
    if not isinstance(moment, datetime):
        raise TypeError(f"a moment is a datetime with a time zone, got {moment!r}")
    if moment.tzinfo is None:
        raise ValueError(f"{moment} names no time zone; add one, for example tzinfo=timezone.utc")
    return moment.timestamp()
