# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Rate budgets for a host that cannot ask the others.

The processes of a host share a quarter of each limit, evenly spaced, by way of a file of its own. Where even that
cannot be written, each process keeps to a quarter by itself.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from airflow_provider_mkt.client.endpoint import Limit, Priority
from airflow_provider_mkt.exceptions import RateLimitError
from airflow_provider_mkt.state.budgets.rate_headers import RateLimitHint
from airflow_provider_mkt.state.budgets.sliding_window import Window, place
from airflow_provider_mkt.state.budgets.table import BudgetTable
from airflow_provider_mkt.state.database.plain import Execute
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError

log = logging.getLogger(__name__)

ALONE = 0.25
"""Part of a limit that a host uses while it cannot ask the store."""
POLLS_AHEAD = 1.0
"""Seconds that the slot of a poll may lie ahead meanwhile: launches are booked further ahead, so they go first."""


class LocalBudget:
    """What one host allows itself while it cannot ask the others: evenly spaced requests.

    :param account: what the vendor counts by
    :param limits: the limits by budget name
    :param share: the part of them that all processes together may use
    :param clock: seconds that only go forward
    :param get_store: returns the host's own store; None: each process by itself
    """

    def __init__(
        self,
        account: tuple[str, ...],
        limits: Mapping[str, Limit],
        share: float,
        clock: Callable[[], float],
        get_store: Callable[[], Store] | None = None,
    ) -> None:
        self._clock = clock
        self._store = get_store
        self._lock = threading.Lock()
        spaced = {name: Limit(1, limit.window / (limit.requests * share * ALONE)) for name, limit in limits.items()}
        self._table = BudgetTable(account, spaced, 1.0)
        self._windows = {name: Window(limit) for name, limit in spaced.items()}
        self._spans = {name: limit.window for name, limit in limits.items()}

    def reserve(self, names: tuple[str, ...], priority: Priority, longest: float) -> float:
        """Take the next slot; as :meth:`SharedBudget.reserve`."""
        if priority is Priority.POLL:
            longest = min(longest, POLLS_AHEAD)
        if self._store is not None:
            try:
                used = self._store()
                on_host = used.transact(lambda execute: self._take_on_host(execute, used.kind, names, longest))
            except StoreError as error:
                log.debug("The host's own budget cannot be used: %s", error)
            else:
                return self._take(names, on_host, longest)
        return self._take(names, 0.0, longest)

    def _take_on_host(self, execute: Execute, kind: str, names: tuple[str, ...], longest: float) -> float:
        rows, now = self._table.read(execute, kind, names)
        windows = [row.window for row in rows.values()]
        slot = place(windows, now, Priority.LAUNCH)
        if slot - now > longest:
            raise too_far(names, slot - now)
        for window in windows:
            window.add(slot)
        self._table.save(execute, rows, now)
        return slot - now

    def _take(self, names: tuple[str, ...], ahead: float, longest: float) -> float:
        """Take this process's own next slot from ``ahead`` seconds on."""
        with self._lock:
            now = self._clock()
            windows = [self._windows[name] for name in names]
            slot = place(windows, now + ahead, Priority.LAUNCH)
            if slot - now > longest:
                raise too_far(names, slot - now)
            for window in windows:
                window.add(slot)
                window.forget(now - window.span)
            return slot - now

    def observe(self, names: tuple[str, ...], hint: RateLimitHint) -> None:
        """Be quiet after a 429."""
        if hint.throttled:
            with self._lock:
                for name in names:
                    wait = hint.cooldown_within(self._spans[name]) or self._spans[name]
                    window = self._windows[name]
                    window.cooldown_until = max(window.cooldown_until, self._clock() + wait)

    def cooldown(self, names: tuple[str, ...]) -> float:
        """Return how many seconds of a cooldown are left."""
        with self._lock:
            return max(0.0, *(self._windows[name].cooldown_until - self._clock() for name in names))

    def after_fork(self) -> None:
        """Start afresh in a forked child."""
        self._lock = threading.Lock()


def too_far(names: tuple[str, ...], wait: float) -> RateLimitError:
    """Return the error for a slot that would lie too far ahead."""
    return RateLimitError(
        f"The rate budget {' and '.join(names)} is taken for the next {wait:.0f} s.", retry_after=wait
    )
