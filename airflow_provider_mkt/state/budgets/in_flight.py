# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The requests of a process that are under way, and what their answers prove about when they arrived.

A request may arrive up to :data:`.windows.MARGIN` after its slot. A prompt answer proves that it was there sooner: the
slot then needs less of the margin. That is told to the store with the process's next reservation, at no cost of its
own. It matters where windows are short: a tenth of a second is a tenth of "one per second".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass

from airflow_provider_mkt.state.budgets.sliding_window import MARGIN, Window

FORGOTTEN = 60.0
"""Seconds after which a slot whose answer never came is no longer waited for."""
GUARD = 0.04
"""Seconds of the margin that always remain: a database's clock may count milliseconds, and clocks drift."""


@dataclass(frozen=True, eq=False)
class PendingRequest:
    """A request under way.

    :param names: its budgets
    :param begun: when its slot began at the earliest, by this process's clock
    :param due: when it began at the latest: the request is sent then
    :param slot: the same by the database's clock
    :param left: what was left of each budget then
    :param learned: the limits that the vendor had stated by then
    :param to_confirm: the budgets whose limit the vendor has to state again, lest it be forgotten
    """

    names: tuple[str, ...]
    begun: float
    due: float
    slot: float
    left: Mapping[str, int]
    learned: Mapping[str, int | None]
    to_confirm: Collection[str] = ()


@dataclass(frozen=True, eq=False)
class Arrival:
    """A request that reached its vendor within ``late`` seconds of its slot."""

    sent: PendingRequest
    late: float

    def enter(self, windows: Mapping[str, Window]) -> None:
        """Have the slot keep only as much of the margin as it needs."""
        for name in self.sent.names:
            if name in windows:
                windows[name].move(self.sent.slot, self.sent.slot + self.late + GUARD - MARGIN)


class InFlight:
    """The requests that this process has sent, or is about to.

    :param clock: seconds that only go forward
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._sent: deque[PendingRequest] = deque(maxlen=1000)
        self._arrivals: deque[Arrival] = deque(maxlen=100)
        self._unsure_until = 0.0

    def add(self, sent: PendingRequest) -> None:
        """Note a request that has its slot."""
        self._sent.append(sent)

    def answered(self, names: tuple[str, ...], *, by_vendor: bool) -> PendingRequest | None:
        """Return the request that an answer most likely belongs to: the last one sent for these budgets.

        Which of several is meant does not matter, as they are alike; what matters is that one that was cancelled, and
        never gets its answer, is not mistaken for it. But only of a request that is under way alone an answer proves
        when it arrived.

        :param by_vendor: whether it was an answer, and not a failure to get one
        """
        now = self._clock()
        self._forget(now)
        # Other threads add and claim meanwhile, so this goes over a copy. They stand as reserved, not as due.
        for sent in reversed(self._sent.copy()):
            if sent.names == names and sent.due <= now and self._claim(sent):
                late = now - sent.begun
                if by_vendor and late + GUARD < MARGIN and now >= self._unsure_until and not self._others(now):
                    self._arrivals.append(Arrival(sent, late))
                return sent
        return None

    def arrivals(self) -> tuple[Arrival, ...]:
        """Return the arrivals that the store has not been told of."""
        return tuple(self._arrivals.copy())

    def told(self, arrivals: tuple[Arrival, ...]) -> None:
        """Forget arrivals that the store knows by now."""
        for arrival in arrivals:
            with suppress(ValueError):  # another thread was faster
                self._arrivals.remove(arrival)

    def unsure(self, wait: float) -> None:
        """Note a request without a slot: until its answer is due, no answer proves anything about another one.

        :param wait: seconds until it is sent
        """
        self._unsure_until = max(self._unsure_until, self._clock() + wait + FORGOTTEN)

    def clear(self) -> None:
        """Forget everything."""
        self._sent.clear()
        self._arrivals.clear()

    def _others(self, now: float) -> bool:
        return any(sent.due <= now for sent in self._sent.copy())

    def _forget(self, now: float) -> None:
        """Drop requests that were cancelled, or not sent: they would be taken for others under way for ever."""
        for sent in self._sent.copy():
            if sent.due < now - FORGOTTEN:
                self._claim(sent)

    def _claim(self, sent: PendingRequest) -> bool:
        try:
            self._sent.remove(sent)
        except ValueError:  # another thread was faster
            return False
        return True
