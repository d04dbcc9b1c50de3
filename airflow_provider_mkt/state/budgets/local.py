# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Rate budgets for a process that cannot ask the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from airflow_provider_mkt.client.endpoint import Limit, Priority
from airflow_provider_mkt.exceptions import RateLimitError
from airflow_provider_mkt.state.budgets.rate_headers import RateLimitHint
from airflow_provider_mkt.state.budgets.sliding_window import Window, place

ALONE = 0.25
"""Part of a limit that a process uses while it cannot ask the store."""


class LocalBudget:
    """What one process allows itself while it cannot ask the others: evenly spaced requests.

    :param limits: the limits by budget name
    :param share: the part of them that all processes together may use
    :param clock: seconds that only go forward
    """

    def __init__(self, limits: Mapping[str, Limit], share: float, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows = {
            name: Window(Limit(1, limit.window / (limit.requests * share * ALONE))) for name, limit in limits.items()
        }
        self._taken: dict[str, list[float]] = {name: [] for name in limits}
        self._spans = {name: limit.window for name, limit in limits.items()}

    def reserve(self, names: tuple[str, ...], priority: Priority, longest: float) -> float:
        """Take the next slot; as :meth:`SharedBudget.reserve`."""
        with self._lock:
            now = self._clock()
            windows = [self._windows[name] for name in names]
            slot = place(windows, now, priority)
            if slot - now > longest:
                raise too_far(names, slot - now)
            for name, window in zip(names, windows, strict=True):
                window.add(slot)
                window.forget(now - window.span)
                self._taken[name] = [*(one for one in self._taken[name] if one > now - self._spans[name]), slot]
            return slot - now

    def observe(self, names: tuple[str, ...], hint: RateLimitHint) -> None:
        """Be quiet after a 429."""
        if hint.throttled:
            with self._lock:
                for name in names:
                    window = self._windows[name]
                    wait = self._spans[name] if hint.wait is None else hint.wait
                    window.cooldown_until = max(window.cooldown_until, self._clock() + wait)

    def cooldown(self, names: tuple[str, ...]) -> float:
        """Return how many seconds of a cooldown are left."""
        with self._lock:
            return max(0.0, *(self._windows[name].cooldown_until - self._clock() for name in names))

    def enter(self, windows: Mapping[str, Window], offset: float) -> None:
        """Enter the slots taken alone into ``windows``, whose clock shows ``offset`` more than this one."""
        with self._lock:
            for name, window in windows.items():
                for moment in self._taken[name]:
                    window.add(moment + offset)

    def forget(self) -> None:
        """Forget the slots taken alone: they were entered."""
        with self._lock:
            self._taken = {name: [] for name in self._taken}

    def after_fork(self) -> None:
        """Start afresh in a forked child."""
        self._lock = threading.Lock()
        self._taken = {name: [] for name in self._taken}


def too_far(names: tuple[str, ...], wait: float) -> RateLimitError:
    """Return the error for a slot that would lie too far ahead."""
    return RateLimitError(
        f"The rate budget {' and '.join(names)} is taken for the next {wait:.0f} s.", retry_after=wait
    )
