# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The requests of a process that have their slots and are not answered yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from airflow_provider_mkt.state.budgets.rate_headers import RateLimitHint

FORGOTTEN = 60.0
"""Seconds after which a slot whose answer never came is no longer waited for."""
SAME_MOMENT = 0.5
"""Seconds by which the moment at which a slot is given back may differ from that at which it begins."""


@dataclass(frozen=True, eq=False)
class PendingRequest:
    """A request under way.

    :param names: its budgets
    :param due: when its slot began at the latest, by this process's clock: the request is sent then
    :param slot: the same by the database's clock
    :param left: what was left of each budget then
    :param learned: the limits that the vendor had stated by then
    :param to_confirm: the budgets whose limit the vendor has to state again, lest it be forgotten
    """

    names: tuple[str, ...]
    due: float
    slot: float
    left: Mapping[str, int]
    learned: Mapping[str, int | None]
    to_confirm: Collection[str] = ()

    def is_news(self, hint: RateLimitHint, name: str, known: int) -> bool:
        """Tell whether its answer says anything of a budget that the store does not know.

        :param known: the budget's limit by the vendor's documents
        """
        if hint.remaining is not None and hint.remaining < self.left[name]:
            return True
        if hint.limit is None:
            return False
        return min(hint.limit, known) != min(self.learned[name] or known, known) or name in self.to_confirm


class InFlight:
    """The requests that this process has sent, or is about to.

    :param clock: seconds that only go forward
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._sent: deque[PendingRequest] = deque(maxlen=1000)

    def add(self, sent: PendingRequest) -> None:
        """Note a request that has its slot."""
        self._sent.append(sent)

    def answered(self, names: tuple[str, ...]) -> PendingRequest | None:
        """Return the request that an answer most likely belongs to: the last one sent for these budgets.

        Which of several is meant does not matter, as they are alike; what matters is that one that was cancelled, and
        never gets its answer, is not mistaken for it.
        """
        now = self._clock()
        self._forget(now)
        # Other threads add and claim meanwhile, so this goes over a copy. They stand as reserved, not as due.
        for sent in reversed(self._sent.copy()):
            if sent.names == names and sent.due <= now and self._claim(sent):
                return sent
        return None

    def unsent(self, names: tuple[str, ...], wait: float) -> PendingRequest | None:
        """Return the request that was to be sent in ``wait`` seconds and will not be; None when there is none."""
        due = self._clock() + wait
        alike = [sent for sent in self._sent.copy() if sent.names == names and abs(sent.due - due) < SAME_MOMENT]
        found = min(alike, key=lambda sent: abs(sent.due - due), default=None)
        return found if found and self._claim(found) else None

    def clear(self) -> None:
        """Forget everything."""
        self._sent.clear()

    def _forget(self, now: float) -> None:
        """Drop requests that were cancelled, or not sent: no answer will come."""
        for sent in self._sent.copy():
            if sent.due < now - FORGOTTEN:
                self._claim(sent)

    def _claim(self, sent: PendingRequest) -> bool:
        try:
            self._sent.remove(sent)
        except ValueError:  # another thread was faster
            return False
        return True
