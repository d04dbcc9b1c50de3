# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Attributed orders and events, computed from their number when asked for: a million of them cost no memory."""

from __future__ import annotations

import math
from typing import Any

from airflow_provider_mkt.sandbox.engine.clock import DAY, iso

SPAN = 90 * DAY
"""Seconds over which the orders lie, up to the moment of seeding."""

CREATORS = 25
CAMPAIGNS = 3
_AMOUNTS = [1_000 + (number * 7919) % 90_000 for number in range(100)]
"""Amounts in cents, which repeat."""

EVENTS = ("click", "add_to_cart", "purchase")


class Orders:
    """Orders in order of time, ``or_1`` the oldest.

    :param total: how many there are
    :param until: real time before which they all lie
    :param numbers: those that are meant, all when None
    """

    def __init__(self, total: int, until: float, numbers: range | None = None) -> None:
        self.total = total
        self.until = until
        # Whole seconds make every order's time exact in its ISO form, so that from and to cut sharply.
        self._origin = math.floor(until - SPAN)
        self._range = range(total) if numbers is None else numbers

    def __len__(self) -> int:
        return len(self._range)

    def between(self, start: float | None, end: float | None) -> Orders:
        """The orders from ``start`` (included) to ``end`` (excluded), real times."""
        begin = 0 if start is None else self._first_at(start)
        stop = self.total if end is None else self._first_at(end)
        return Orders(self.total, self.until, range(begin, max(begin, stop)))

    def page(self, page: int, per_page: int) -> list[dict[str, Any]]:
        """One page, newest first."""
        numbers = self._range[::-1][(page - 1) * per_page : page * per_page]
        return [self._order(number) for number in numbers]

    def total_cents(self) -> int:
        """The sum of all amounts, without visiting each order."""
        return _sum_below(self._range.stop) - _sum_below(self._range.start) if self._range else 0

    def events_page(self, page: int, per_page: int) -> list[dict[str, Any]]:
        """One page of the events behind the orders, newest first; each order has three."""
        each = len(EVENTS)
        numbers = range(self._range.start * each, self._range.stop * each)[::-1]
        return [self._event(number) for number in numbers[(page - 1) * per_page : page * per_page]]

    @property
    def _step(self) -> int:
        """Milliseconds between two orders."""
        return max(1, int(SPAN * 1000) // max(self.total, 1))

    def _time(self, number: int) -> float:
        return self._origin + number * self._step / 1000

    def _first_at(self, moment: float) -> int:
        return min(self.total, max(0, math.ceil(round((moment - self._origin) * 1000, 3) / self._step)))

    def _order(self, number: int) -> dict[str, Any]:
        cents = _AMOUNTS[number % len(_AMOUNTS)]
        return {
            "id": f"or_{number + 1}",
            "campaign_id": f"ca_{number % CAMPAIGNS + 1}",
            "creator_id": f"cr_{number % CREATORS + 1}",
            "amount": f"{cents // 100}.{cents % 100:02d}",
            "currency": "USD",
            "attributed_at": iso(self._time(number) + 0.0001),
        }

    def _event(self, number: int) -> dict[str, Any]:
        order, kind = divmod(number, len(EVENTS))
        return {
            "id": f"ev_{number + 1}",
            "type": EVENTS[kind],
            "creator_id": f"cr_{order % CREATORS + 1}",
            "campaign_id": f"ca_{order % CAMPAIGNS + 1}",
            "occurred_at": iso(self._time(order) + 0.0001),
        }


def _sum_below(number: int) -> int:
    whole, rest = divmod(number, len(_AMOUNTS))
    return whole * sum(_AMOUNTS) + sum(_AMOUNTS[:rest])
