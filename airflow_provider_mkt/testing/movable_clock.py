# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A clock that goes on like the machine's, and jumps over all that is waited for."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import datetime, timedelta, timezone

from airflow_provider_mkt.clock import Clock

TURNS = 3
"""Turns of the event loop for which a wait lets others go on before it jumps."""


class MovableClock(Clock):
    """The machine's time plus what was waited for, and what a test has moved it by.

    :param start: the moment at which it begins; by default now
    """

    moved = True

    def __init__(self, start: datetime | None = None) -> None:
        self._lock = threading.Lock()
        self._ahead = 0.0
        self._shift = 0.0 if start is None else _unix(start) - time.time()

    @property
    def waited(self) -> float:
        """The seconds by which it has jumped so far."""
        return self._ahead

    def now(self) -> float:
        """Return Unix time in seconds."""
        return time.time() + self._shift + self._ahead

    def monotonic(self) -> float:
        """Return seconds that only go forward."""
        return time.monotonic() + self._ahead

    def move(self, by: timedelta | float) -> None:
        """Let time pass.

        :param by: how much; a number means seconds
        :raises ValueError: when it is less than none
        """
        seconds = by.total_seconds() if isinstance(by, timedelta) else float(by)
        if not seconds >= 0:
            raise ValueError(f"time can only move forward, not by {seconds:g} s")
        with self._lock:
            self._ahead += seconds

    def move_to(self, moment: datetime) -> None:
        """Let time pass until ``moment``.

        :raises ValueError: when the moment is over, or names no time zone
        """
        self.move(_unix(moment) - self.now())

    def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.move(max(0.0, seconds))

    async def asleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        await asyncio.sleep(0)
        self.sleep(seconds)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Let the time pass at once, unless ``event`` is set before."""
        for _ in range(TURNS):
            await asyncio.sleep(0)
            if event.is_set():
                return
        self.sleep(seconds)


def _unix(moment: datetime) -> float:
    if moment.tzinfo is None:
        raise ValueError(
            f"{moment} names no time zone; write for example datetime(2026, 3, 29, 9, tzinfo=timezone.utc)"
        )
    return moment.astimezone(timezone.utc).timestamp()
