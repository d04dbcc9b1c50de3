# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Rate limits on the real clock: strict sliding windows, and token buckets where a vendor grants a burst."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Limit:
    """How many calls a bucket permits.

    :param limit: calls in a window; None permits all
    :param window: seconds
    :param burst: capacity of a token bucket that refills by ``limit`` in each window; None is a sliding window
    """

    limit: int | None
    window: float = 60.0
    burst: int | None = None


@dataclass(frozen=True)
class Reading:
    """What a vendor may tell about a bucket after a call.

    :param reset: seconds until a call becomes free again, 0 when none is used
    :param wait: seconds until this very call would be accepted; 0 when it was
    """

    limit: int
    remaining: int
    reset: float
    wait: float = 0.0


@dataclass
class _Usage:
    calls: deque[float] = field(default_factory=deque)
    tokens: float = 0.0
    filled_at: float | None = None


class RateLimits:
    """Buckets by name (such as ``flow_social.default``), each counted separately for every caller."""

    def __init__(self, defaults: Mapping[str, Limit], timer: Callable[[], float] = time.monotonic) -> None:
        self._defaults = dict(defaults)
        self._timer = timer
        self.reset()

    def reset(self) -> None:
        """Back to the vendors' limits, with nothing used."""
        self.limits = dict(self._defaults)
        self._usage: dict[tuple[str, str], _Usage] = {}

    def override(self, changes: Mapping[str, Mapping[str, Any] | None]) -> None:
        """Replace limits by name (``*`` for all); None lifts a limit. Used calls of a changed bucket are forgotten.

        :raises ValueError: unknown bucket, or a number that makes no sense
        """
        wanted: dict[str, Limit] = {}
        for name, change in changes.items():
            if name != "*" and name not in self.limits:
                raise ValueError(f"unknown bucket {name!r}; known: {', '.join(sorted(self.limits))}")
            for bucket in self.limits if name == "*" else [name]:
                wanted[bucket] = _parse(change)
        self.limits.update(wanted)
        self._usage = {key: usage for key, usage in self._usage.items() if key[0] not in wanted}

    def take(self, names: Sequence[str], scope: str) -> tuple[Reading | None, bool]:
        """Count one call in every named bucket, or in none when one of them is full.

        :return: the tightest bucket's reading (None when nothing is limited) and whether the call is accepted
        """
        now = self._timer()
        active = [(name, self.limits[name]) for name in names if self.limits[name].limit is not None]
        readings = [self._read(name, limit, scope, now) for name, limit in active]
        if not readings:
            return None, True
        if any(reading.remaining_exact < 1 for reading in readings):
            return max((reading.public(now) for reading in readings), key=lambda reading: reading.wait), False
        for name, limit in active:
            self._spend(name, limit, scope, now)
        after = [self._read(name, limit, scope, now).public(now) for name, limit in active]
        tightest = min(after, key=lambda reading: reading.remaining)
        return Reading(tightest.limit, tightest.remaining, tightest.reset), True

    def peek(self, name: str, scope: str) -> Reading | None:
        """The reading of one bucket, without counting anything."""
        limit = self.limits[name]
        if limit.limit is None:
            return None
        now = self._timer()
        return self._read(name, limit, scope, now).public(now)

    def _read(self, name: str, limit: Limit, scope: str, now: float) -> _State:
        usage = self._usage.setdefault((name, scope), _Usage())
        if limit.burst is None:
            while usage.calls and usage.calls[0] <= now - limit.window:
                usage.calls.popleft()
        else:
            filled_at = usage.filled_at
            grown = limit.burst if filled_at is None else usage.tokens + (now - filled_at) * _rate(limit)
            usage.tokens, usage.filled_at = min(float(limit.burst), grown), now
        return _State(limit, usage)

    def _spend(self, name: str, limit: Limit, scope: str, now: float) -> None:
        usage = self._usage[name, scope]
        if limit.burst is None:
            usage.calls.append(now)
        else:
            usage.tokens -= 1


def _rate(limit: Limit) -> float:
    return (limit.limit or 0) / limit.window


@dataclass(frozen=True)
class _State:
    limit: Limit
    usage: _Usage

    @property
    def remaining_exact(self) -> float:
        if self.limit.burst is not None:
            return self.usage.tokens
        return (self.limit.limit or 0) - len(self.usage.calls)

    def public(self, now: float) -> Reading:
        size = self.limit.limit or 0
        remaining = max(0, min(size, math.floor(self.remaining_exact)))
        if self.limit.burst is not None:
            wait = 0.0 if remaining else (1 - self.usage.tokens) / _rate(self.limit)
            return Reading(size, remaining, (size - remaining) / _rate(self.limit), wait)
        oldest = self.usage.calls[0] + self.limit.window - now if self.usage.calls else 0.0
        return Reading(size, remaining, oldest, 0.0 if remaining else oldest)


def _parse(change: Mapping[str, Any] | None) -> Limit:
    if change is None:
        return Limit(None)
    unknown = set(change) - {"limit", "window", "burst"}
    if unknown:
        raise ValueError(f"unknown key {min(unknown)!r}; a limit has limit, window and burst")
    limit, window, burst = change.get("limit"), change.get("window", 60.0), change.get("burst")
    if limit is None:
        return Limit(None)
    for name, value in (("limit", limit), ("window", window), ("burst", 1 if burst is None else burst)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise ValueError(f"{name} must be a number greater than 0")
    return Limit(int(limit), float(window), None if burst is None else int(burst))
