# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The arithmetic of sliding windows, free of I/O.

A window is kept as the sorted moments of its requests, past and planned. A new one goes to the earliest moment at which
no stretch of the window's length, wherever it begins, would hold more than the limit. That stays exact when moments are
not handed out in order: a request that needs two budgets may have to wait for the scarcer one while others pass it by.
"""

from __future__ import annotations

import math
import sys
from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, field

from airflow_provider_mkt.client.endpoint import Limit, Priority

MARGIN = 0.1
"""Seconds added to a window: requests do not all travel equally fast, and strict servers count arrivals."""
SPREAD = 0.125
"""The part of a window over which its requests are spread at least. Were all to go at once when it opens, the quickest
process would ask again first, and get most of it."""
MAX_SPREAD = 1.0
"""Seconds over which they are spread at most, so that a launch gets past a burst of others soon."""
INSTANT = 1e-6
"""Seconds that are no difference: adding and subtracting the length of a window is not exact."""
OPEN_TO_POLLS = 0.8
"""The part of a window that reads which only wait for news may fill; the rest is kept free for launches."""


def part_of(requests: int, share: float) -> int:
    """Return ``share`` of ``requests``, rounded down, but at least one."""
    return max(1, math.floor(requests * share + 1e-9))


@dataclass
class Window:
    """One budget at work.

    :param limit: what may be used of it
    :param slots: the moments taken, sorted, in seconds of any one clock
    :param cooldown_until: no request begins before this moment
    """

    limit: Limit
    slots: array[float] = field(default_factory=lambda: array("d"))
    cooldown_until: float = 0.0

    @property
    def span(self) -> float:
        """The window's length with its margin, in seconds."""
        return self.limit.window + MARGIN

    def free_from(self, moment: float, most: int) -> float:
        """Return the first moment, from ``moment`` on, that can be added with at most ``most`` in any window."""
        slots, span = self.slots, self.span
        moment = max(moment, self.cooldown_until)
        first = bisect_right(slots, moment - span + INSTANT)
        last = first + most - 1
        # Any `most` neighbours closer together than a window forbid everything within a window of all of them.
        while last < len(slots) and slots[last] < moment + span - INSTANT:
            begin = slots[first]
            if slots[last] - begin < span - INSTANT and begin + span > moment:
                moment = begin + span
            first, last = first + 1, last + 1
        return moment

    def spaced(self, moment: float) -> float:
        """Return ``moment``, or when the next one may follow the slot before it."""
        gap = min(SPREAD * self.span, MAX_SPREAD) / self.limit.requests
        before = bisect_right(self.slots, moment + INSTANT) - 1
        if before >= 0 and moment - self.slots[before] < gap - INSTANT:
            return self.slots[before] + gap
        return moment

    def most(self, priority: Priority) -> int:
        """Return how many requests of any kind a window may hold once one of ``priority`` joins it."""
        return self.limit.requests if priority is Priority.LAUNCH else part_of(self.limit.requests, OPEN_TO_POLLS)

    def add(self, moment: float) -> None:
        """Take the slot at ``moment``."""
        insort(self.slots, moment)

    def move(self, moment: float, to: float) -> None:
        """Record that the request planned at ``moment`` was sent at ``to``. Unknown moments are left alone."""
        index = bisect_left(self.slots, moment)
        if index < len(self.slots) and self.slots[index] == moment:
            del self.slots[index]
            insort(self.slots, to)

    def give_back(self, moment: float) -> None:
        """Free the slot at ``moment``: nothing is sent in it. Unknown moments are left alone."""
        index = bisect_left(self.slots, moment)
        if index < len(self.slots) and self.slots[index] == moment:
            del self.slots[index]

    def forget(self, before: float) -> None:
        """Drop the slots before ``before``."""
        del self.slots[: bisect_left(self.slots, before)]

    def count(self, after: float) -> int:
        """Return how many slots lie after ``after``."""
        return len(self.slots) - bisect_right(self.slots, after)

    def shift(self, by: float) -> None:
        """Move everything by ``by`` seconds: the clock was set."""
        self.slots = array("d", (slot + by for slot in self.slots))
        self.cooldown_until += by


def place(windows: Sequence[Window], now: float, priority: Priority) -> float:
    """Return the first moment from ``now`` on at which every window has room for one more.

    Slots keep a small distance, so that processes take turns.

    :param windows: the budgets that the request counts in
    :param now: the present, by the windows' clock
    :param priority: reads that only wait for news leave room for launches
    """
    moment = _free(windows, now, priority)
    while True:
        later = _free(windows, max(window.spaced(moment) for window in windows), priority)
        if later == moment:
            return later
        moment = later


def _free(windows: Sequence[Window], moment: float, priority: Priority) -> float:
    while True:
        later = max(window.free_from(moment, window.most(priority)) for window in windows)
        if later == moment or len(windows) == 1:
            return later
        moment = later


def pack(slots: array[float]) -> bytes:
    """Return ``slots`` as bytes that any machine can read: 64-bit floats, little-endian."""
    if sys.byteorder == "big":
        slots = array("d", slots)
        slots.byteswap()
    return slots.tobytes()


def unpack(data: bytes) -> array[float]:
    """Return the slots that :func:`pack` was given."""
    slots = array("d", data)
    if sys.byteorder == "big":
        slots.byteswap()
    return slots
