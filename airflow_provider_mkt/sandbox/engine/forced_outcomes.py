# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Forced outcomes: the next matching campaign, post, report or sync ends as a test wants it to end."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class Outcome:
    """One order for the future.

    :param match: substring of the reference (None: any)
    :param count: how many times it still applies (None: always)
    :param limit: of several ids created by one call, how many are concerned (None: all)
    """

    vendor: str
    outcome: str
    match: str | None = None
    count: int | None = 1
    limit: int | None = None


class ForcedOutcomes:
    """Orders in the sequence in which they were given; the first that matches is used."""

    def __init__(self) -> None:
        self._orders: list[Outcome] = []

    def clear(self) -> None:
        """Forget all orders."""
        self._orders.clear()

    def add(self, order: Outcome) -> None:
        """Append an order."""
        self._orders.append(order)

    def describe(self) -> list[dict[str, Any]]:
        """All open orders."""
        return [asdict(order) for order in self._orders]

    def draw(self, vendor: str, reference: str, *, only: frozenset[str] = frozenset()) -> Outcome | None:
        """Use up one matching order.

        :param only: outcomes that concern this occasion; orders for them are left alone on all other occasions
        """
        for order in self._orders:
            special = order.outcome in SPECIAL
            if order.vendor != vendor or (order.outcome not in only if only else special):
                continue
            if order.match is not None and order.match not in reference:
                continue
            if order.count is not None:
                order.count -= 1
                if order.count <= 0:
                    self._orders.remove(order)
            return order
        return None


SPECIAL = frozenset({"update_error"})
"""Outcomes that concern a later request, not the object's timeline."""
