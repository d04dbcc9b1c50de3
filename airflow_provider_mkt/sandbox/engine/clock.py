# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Time in the sandbox: the real clock, the scaled timelines of the vendors' objects, and the shelf life of secrets."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

DAY = 86_400.0
"""Seconds."""


@dataclass(frozen=True)
class _Stretch:
    """Time between two advances.

    :param real: real time at its beginning
    :param ticks: vendor time at its beginning
    :param advanced: seconds of all advances before it
    """

    real: float
    ticks: float
    advanced: float

    @property
    def shelf(self) -> float:
        return self.real + self.advanced

    def ticks_at_real(self, real: float, speed: float) -> float:
        return self.ticks + (real - self.real) * speed


class Clock:
    """Three readings of one clock.

    * :meth:`now` is real time (seconds since the epoch): stamps in answers and checks of dates use it.
    * :meth:`ticks` is vendor time, ``speed`` times as fast: the state of an object follows the ticks since its birth.
    * :meth:`shelf` is real time plus what ``advance`` added: tokens, codes and idempotency keys age by it, because a
      client compares their life with its own clock.

    :param speed: vendor seconds that pass in one real second, greater than 0
    :param real: what gives real time; by default this machine's clock
    """

    def __init__(self, speed: float = 1.0, real: Callable[[], float] | None = None) -> None:
        if not speed > 0:
            raise ValueError(f"speed must be greater than 0, not {speed}")
        self.speed = speed
        self._real = real or _machine
        self.reset()

    def reset(self) -> None:
        """Forget every advance."""
        # The beginning of each stretch between two advances.
        self._stretches = [_Stretch(self._real(), 0.0, 0.0)]

    def now(self) -> float:
        """Real time in seconds since the epoch."""
        return self._real()

    def ticks(self) -> float:
        """Vendor time in seconds since the last reset."""
        return self._stretches[-1].ticks_at_real(self._real(), self.speed)

    def shelf(self) -> float:
        """Real time plus all advances, in seconds."""
        return self._real() + self._stretches[-1].advanced

    def advance(self, seconds: float) -> None:
        """Let vendor time and shelf life jump ahead by ``seconds``."""
        if not seconds >= 0:
            raise ValueError("the clock can only move forward")
        now = self._real()
        last = self._stretches[-1]
        self._stretches.append(_Stretch(now, last.ticks_at_real(now, self.speed) + seconds, last.advanced + seconds))

    def real_at(self, ticks: float) -> float:
        """Real time at which vendor time reached ``ticks`` (for the future: will reach it)."""
        index = max(bisect_right([stretch.ticks for stretch in self._stretches], ticks) - 1, 0)
        stretch = self._stretches[index]
        moment = stretch.real + (ticks - stretch.ticks) / self.speed
        if index + 1 < len(self._stretches):
            return min(moment, self._stretches[index + 1].real)
        return moment

    def ticks_at(self, shelf: float) -> float:
        """Vendor time at which :meth:`shelf` read ``shelf`` (for the future: will read it, without more advances)."""
        index = max(bisect_right([stretch.shelf for stretch in self._stretches], shelf) - 1, 0)
        stretch = self._stretches[index]
        ticks = stretch.ticks_at_real(shelf - stretch.advanced, self.speed)
        if index + 1 == len(self._stretches):
            return ticks
        # Between two stretches lies an advance, in which a second of the shelf is a tick.
        following = self._stretches[index + 1]
        beyond = shelf - stretch.advanced - following.real
        return ticks if beyond <= 0 else stretch.ticks_at_real(following.real, self.speed) + beyond


_EPOCH = time.time() - time.monotonic()


def _machine() -> float:
    # Wall time is read once and carried on by the monotonic clock, so a step of the host's clock moves no timeline.
    return _EPOCH + time.monotonic()


def iso(seconds: float) -> str:
    """ISO 8601 UTC with milliseconds and ``Z``."""
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def millis(seconds: float) -> int:
    """Unix milliseconds."""
    return int(seconds * 1000)
