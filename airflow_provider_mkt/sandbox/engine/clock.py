# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Time in the sandbox: the real clock, the scaled timelines of the vendors' objects, and the shelf life of secrets."""

from __future__ import annotations

import time
from bisect import bisect_right
from datetime import datetime, timezone


class Clock:
    """Three readings of one clock.

    * :meth:`now` is real time (seconds since the epoch): stamps in answers and checks of dates use it.
    * :meth:`ticks` is vendor time, ``speed`` times as fast: the state of an object follows the ticks since its birth.
    * :meth:`shelf` is real time plus what ``advance`` added: tokens, codes and idempotency keys age by it, because a
      client compares their life with its own clock.

    :param speed: vendor seconds that pass in one real second, greater than 0
    """

    def __init__(self, speed: float = 1.0) -> None:
        if not speed > 0:
            raise ValueError(f"speed must be greater than 0, not {speed}")
        self.speed = speed
        self.reset()

    def reset(self) -> None:
        """Forget every advance."""
        self._advanced = 0.0
        # Real time and ticks at the beginning of each stretch between two advances.
        self._starts: list[tuple[float, float]] = [(self._real(), 0.0)]

    def _real(self) -> float:
        # Wall time is read once and carried on by the monotonic clock, so a step of the host's clock moves no timeline.
        return _EPOCH + time.monotonic()

    def now(self) -> float:
        """Real time in seconds since the epoch."""
        return self._real()

    def ticks(self) -> float:
        """Vendor time in seconds since the last reset."""
        real, ticks = self._starts[-1]
        return ticks + (self._real() - real) * self.speed

    def shelf(self) -> float:
        """Real time plus all advances, in seconds."""
        return self._real() + self._advanced

    def advance(self, seconds: float) -> None:
        """Let vendor time and shelf life jump ahead by ``seconds``."""
        if not seconds >= 0:
            raise ValueError("the clock can only move forward")
        ticks = self.ticks() + seconds
        self._starts.append((self._real(), ticks))
        self._advanced += seconds

    def real_at(self, ticks: float) -> float:
        """Real time at which vendor time reached ``ticks`` (for the future: will reach it)."""
        index = max(bisect_right([start[1] for start in self._starts], ticks) - 1, 0)
        real, begin = self._starts[index]
        moment = real + (ticks - begin) / self.speed
        if index + 1 < len(self._starts):
            return min(moment, self._starts[index + 1][0])
        return moment


_EPOCH = time.time() - time.monotonic()


def iso(seconds: float) -> str:
    """ISO 8601 UTC with milliseconds and ``Z``."""
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def millis(seconds: float) -> int:
    """Unix milliseconds."""
    return int(seconds * 1000)
