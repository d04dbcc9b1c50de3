# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Time, as this package reads and spends it. A test may put a clock of its own in the place of the machine's.

What is about vendors, launches, tokens, budgets and waits goes through here. What is about this machine does not:
locks, sockets, and how long something took.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from datetime import datetime, timezone


class Clock:
    """The machine's clock, and the base of those that tests use."""

    moved = False
    """Whether it may differ from the machine's clock."""

    def now(self) -> float:
        """Return Unix time in seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that only go forward."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Return after ``seconds``."""
        time.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        """Return after ``seconds``, without holding a thread."""
        await asyncio.sleep(seconds)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Return as soon as ``event`` is set. After ``seconds`` it is set from here.

        Python's own ``wait_for`` loses a cancellation that comes at the moment when the time is over, up to 3.11.
        """
        timer = asyncio.get_running_loop().call_later(seconds, event.set)
        try:
            await event.wait()
        finally:
            timer.cancel()


_MACHINE = Clock()
_in_use = _MACHINE


def now() -> float:
    """Return Unix time in seconds."""
    return _in_use.now()


def utcnow() -> datetime:
    """Return the moment, in UTC."""
    return datetime.fromtimestamp(_in_use.now(), timezone.utc)


def monotonic() -> float:
    """Return seconds that only go forward."""
    return _in_use.monotonic()


def sleep(seconds: float) -> None:
    """Return after ``seconds``."""
    _in_use.sleep(seconds)


async def asleep(seconds: float) -> None:
    """Return after ``seconds``, without holding a thread."""
    await _in_use.asleep(seconds)


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Return after ``seconds``, or as soon as ``event`` is set."""
    await _in_use.wait(event, seconds)


def moved() -> bool:
    """Tell whether a test moves time."""
    return _in_use.moved


@contextlib.contextmanager
def using(clock: Clock) -> Iterator[None]:
    """Go by ``clock`` in this process, for as long as the ``with`` block lasts."""
    global _in_use  # noqa: PLW0603 - one time for all threads of the process
    before, _in_use = _in_use, clock
    try:
        yield
    finally:
        _in_use = before
