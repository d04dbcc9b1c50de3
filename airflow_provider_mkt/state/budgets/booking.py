# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The two transactions on a budget: taking slots, and learning from an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from airflow_provider_mkt.client.endpoint import Priority
from airflow_provider_mkt.state.budgets.in_flight import PendingRequest
from airflow_provider_mkt.state.budgets.local import too_far
from airflow_provider_mkt.state.budgets.rate_headers import RateLimitHint
from airflow_provider_mkt.state.budgets.sliding_window import MARGIN, Window, place
from airflow_provider_mkt.state.budgets.table import LATEST, BudgetTable, Row
from airflow_provider_mkt.state.budgets.untold import Note, enter
from airflow_provider_mkt.state.database.plain import Execute

MAX_PART = 0.5
"""The part of a window that may be taken once a process takes slots in advance: where it is short, all take turns."""


@dataclass(frozen=True)
class Wish:
    """What a process asks for.

    :param names: the budgets
    :param priority: who goes first
    :param longest: seconds that the slot may lie ahead
    :param number: how many slots, if there are plenty
    :param apart: seconds between them
    """

    names: tuple[str, ...]
    priority: Priority
    longest: float
    number: int = 1
    apart: float = 0.0


class Booking:
    """Takes slots, and enters what is known of them.

    :param table: the account's rows
    :param clock: seconds that only go forward
    """

    def __init__(self, table: BudgetTable, clock: Callable[[], float]) -> None:
        self._table, self._clock = table, clock

    def take(self, execute: Execute, kind: str, wish: Wish, notes: list[Note]) -> list[PendingRequest]:
        """Take the next slots that are free in every named budget: one, or more where there are plenty.

        :param notes: what the store has to be told first
        :raises RateLimitError: when the first one would lie too far ahead; nothing is changed then
        """
        rows, now = self._table.read(execute, kind, wish.names)
        windows = {name: row.window for name, row in rows.items()}
        enter(notes, windows, now - self._clock())
        slots = [self._place(windows, now, wish)]
        while len(slots) < wish.number and self._plenty(windows, now):
            begin = now + len(slots) * wish.apart
            slot = place((*windows.values(),), begin, wish.priority)
            if slot > begin + MARGIN:
                break
            _add(windows, slot)
            slots.append(slot)
        self._table.save(execute, rows, now)
        return self._pending(rows, now, wish.names, slots)

    def _place(self, windows: Mapping[str, Window], now: float, wish: Wish) -> float:
        slot = place((*windows.values(),), now, wish.priority)
        if slot - now > wish.longest:
            raise too_far(wish.names, slot - now)
        _add(windows, slot)
        return slot

    def _plenty(self, windows: Mapping[str, Window], now: float) -> bool:
        return all(window.count(now - window.span) < MAX_PART * window.limit.requests for window in windows.values())

    def _pending(
        self, rows: Mapping[str, Row], now: float, names: tuple[str, ...], slots: list[float]
    ) -> list[PendingRequest]:
        learned = {name: row.learned for name, row in rows.items()}
        ageing = frozenset(name for name, row in rows.items() if self._table.ages(row, name, now))
        read_at = self._clock()
        return [
            PendingRequest(
                names,
                read_at + (slot - now),
                slot,
                {name: row.window.limit.requests - row.used(slot, slot) for name, row in rows.items()},
                learned,
                ageing,
            )
            for slot in slots
        ]

    def learn(  # noqa: PLR0917 - `execute` and `kind` come from the store
        self,
        execute: Execute,
        kind: str,
        budgets: tuple[str, ...],
        hint: RateLimitHint,
        sent: PendingRequest | None,
        notes: list[Note],
    ) -> None:
        """Enter what an answer says.

        :param budgets: the budgets that it speaks of
        :param sent: the request that it answers, if that is known
        :param notes: what the store has to be told first
        """
        names = tuple({*budgets, *(note.name for note in notes)})
        rows, now = self._table.read(execute, kind, names)
        enter(notes, {name: row.window for name, row in rows.items()}, now - self._clock())
        for name in budgets:
            self._learn_about(rows[name], name, hint, sent, now)
        self._table.save(execute, rows, now)

    def _learn_about(self, row: Row, name: str, hint: RateLimitHint, sent: PendingRequest | None, now: float) -> None:
        if hint.throttled:
            row.cool_down(hint, now)
            return
        if hint.limit is not None:
            # As stated, although it may be more than this connection's own limit: another's may be higher.
            row.learned, row.learned_at = hint.limit, now
            row.window.limit = self._table.limit(name, row.learned)
        if sent and self._clock() - sent.due < LATEST:
            row.leave_to_others(hint, sent.slot, now)


def _add(windows: Mapping[str, Window], slot: float) -> None:
    for window in windows.values():
        window.add(slot)
