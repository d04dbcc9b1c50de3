# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Slots that a process took in advance, because it asks in quick succession and there are plenty.

Only large limits are worth it: where a vendor permits a hundred requests a minute, one transaction for each is nothing.
The slots lie as far apart as the last two requests did, waits not counted. What is not used in time is given back.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from airflow_provider_mkt.client.endpoint import Limit, Priority
from airflow_provider_mkt.state.budgets.in_flight import PendingRequest
from airflow_provider_mkt.state.budgets.sliding_window import MARGIN

MAX_NUMBER = 8
"""Slots that are taken at once, at most."""
WORTH_IT = 100
"""Requests of a limit for each slot that is taken at once: a limit of 500 allows for five, one below 200 for one."""
QUICK = 0.25
"""Seconds between two requests of a process that asks in quick succession."""
SURE = 4
"""Transactions in quick succession after which more are expected."""
GOOD_FOR = MARGIN / 2
"""Seconds after its beginning for which a slot may be used: so little that the margin covers it."""

Kind = tuple[tuple[str, ...], Priority]


@dataclass
class _Row:
    used_at: float = float("-inf")
    streak: int = 0
    number: int = 1
    slots: deque[PendingRequest] = field(default_factory=deque)

    def use(self, slot: PendingRequest, now: float) -> PendingRequest:
        """Note when a slot is used: waiting for it says nothing of how fast the process is."""
        self.used_at = max(now, slot.due)
        return slot


class Stock:
    """The slots of one account that this process has in advance.

    :param limits: the limits by budget name
    :param clock: seconds that only go forward
    """

    def __init__(self, limits: Mapping[str, Limit], clock: Callable[[], float]) -> None:
        self._limits, self._clock = limits, clock
        self._rows: dict[Kind, _Row] = {}
        self._lock = threading.Lock()

    def take(self, names: tuple[str, ...], priority: Priority) -> PendingRequest | tuple[int, float]:
        """Return a slot, or how many to take, and how many seconds apart."""
        with self._lock:
            row, now = self._rows.setdefault((names, priority), _Row()), self._clock()
            apart = max(0.0, now - row.used_at)
            if row.slots and row.slots[0].due + GOOD_FOR >= now:
                return row.use(row.slots.popleft(), now)
            most = min(MAX_NUMBER, *(self._limits[name].requests // WORTH_IT for name in names))
            row.streak = row.streak + 1 if apart < QUICK else 0
            row.number = max(1, min(2 * row.number, most)) if row.streak > SURE else 1
            return row.number, min(apart, QUICK)

    def keep(self, names: tuple[str, ...], priority: Priority, slots: list[PendingRequest]) -> PendingRequest:
        """Return the first of some slots that were taken, and keep the others for later."""
        first, *others = slots
        with self._lock:
            row = self._rows[names, priority]
            row.slots.extend(others)
            return row.use(first, self._clock())

    def left_over(self, *, all_of_them: bool = False) -> list[PendingRequest]:
        """Take out, and return, the slots that came and were not used; or all."""
        with self._lock:
            now = self._clock()
            left: list[PendingRequest] = []
            for row in self._rows.values():
                while row.slots and (all_of_them or row.slots[0].due + GOOD_FOR < now):
                    left.append(row.slots.popleft())
            return left

    def after_fork(self) -> None:
        """Forget, in a forked child, the slots of the parent."""
        self._rows, self._lock = {}, threading.Lock()
