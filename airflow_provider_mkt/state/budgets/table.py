# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Rate budgets as stored: read under lock, changed, written back, in one transaction."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import text

from airflow_provider_mkt.client.endpoint import Limit
from airflow_provider_mkt.state.budgets.rate_headers import MAX_COOLDOWN, RateLimitHint
from airflow_provider_mkt.state.budgets.sliding_window import Window, pack, part_of, unpack
from airflow_provider_mkt.state.database.dialects import CLOCK
from airflow_provider_mkt.state.database.plain import Execute
from airflow_provider_mkt.state.database.shared import store
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import digest

LATEST = 6.0
"""Seconds after its slot within which a request reaches the vendor: it leaves within one, and connects within five."""
MAX_DOUBLED = 600.0
"""Seconds that a cooldown lasts at most when the vendor does not say how long, and refuses again and again."""
LEARNED_FOR = 3600.0
"""Seconds for which a stated limit is believed: a stray answer of a gateway must not slow an account down for ever."""
CONFIRMED_FOR = 300.0
"""Seconds after which a limit that the vendor goes on stating is entered again, and not with every answer."""
UNLIKELY = 0.1
"""The part of the known limit below which a stated one is unlikely: it is believed for two windows after each answer
that states it. A vendor that means it states it with every answer."""
CLOCK_SET = 2.0
"""Seconds that the database's clock must go back before it is taken to have been set."""


@dataclass
class Row:
    """One budget as stored.

    :param window: its slots, with the limit that applies now
    :param cooldown_from: when the last cooldown began
    :param learned: the limit that the vendor last stated; each connection keeps to it where it is lower than its own
    :param learned_at: when it was stated
    :param seen: the latest moment that the database's clock has shown
    """

    name: str
    window: Window
    cooldown_from: float
    learned: int | None
    learned_at: float
    seen: float

    def used(self, slot: float, now: float) -> int:
        """Count what a vendor may have counted of ours when it answered, by ``now``, the request in ``slot``."""
        return self.window.count(slot - self.window.span) - self.window.count(now)

    def cool_down(self, hint: RateLimitHint, now: float) -> None:
        """Be quiet for as long as the vendor says; else for a window, twice as long each time it was not enough."""
        window = self.window
        wait = hint.cooldown_within(window.limit.window)
        if wait is None:
            wait = window.limit.window
            if now < window.cooldown_until:
                return  # the others who were refused at the same time
            if now < window.cooldown_until + window.limit.window:
                wait = min(2 * (window.cooldown_until - self.cooldown_from), MAX_DOUBLED)
        if now + wait > window.cooldown_until:
            self.cooldown_from, window.cooldown_until = now, now + wait

    def leave_to_others(self, hint: RateLimitHint, slot: float, now: float) -> None:
        """Take out of the window what others have used of it, going by what the vendor says is left.

        :param hint: the answer to the request in ``slot``
        """
        window = self.window
        if hint.remaining is None:
            return
        surplus = window.limit.requests - self.used(slot, now) - hint.remaining
        if surplus > 0 and hint.remaining == 0 and hint.reset:
            window.cooldown_until = max(window.cooldown_until, now + min(hint.reset, window.limit.window))
        else:
            for _ in range(surplus):
                window.add(now)


class BudgetTable:
    """The rows of one vendor account.

    :param account: what the vendor counts by
    :param limits: the limits by budget name
    :param share: the part of each limit to use
    """

    def __init__(self, account: tuple[str, ...], limits: Mapping[str, Limit], share: float) -> None:
        self._limits, self._share = limits, share
        self._key = _key(account)
        self.label = account_label(account)

    def ages(self, row: Row, name: str, now: float) -> bool:
        """Tell whether a stated limit, lower than the known one, has to be stated again lest it be forgotten."""
        known = self._limits[name]
        if row.learned is None or row.learned >= known.requests:
            return False
        unlikely = row.learned < known.requests * UNLIKELY
        return now - row.learned_at > (min(CONFIRMED_FOR, known.window / 2) if unlikely else CONFIRMED_FOR)

    def limit(self, name: str, learned: int | None) -> Limit:
        """Return what may be used of a budget when the vendor has stated the limit ``learned``."""
        known = self._limits[name]
        return Limit(part_of(min(known.requests, learned or known.requests), self._share), known.window)

    def read(self, execute: Execute, kind: str, names: tuple[str, ...]) -> tuple[dict[str, Row], float]:
        """Lock and read the named budgets, making them if need be, and read the clock.

        :param execute: executes statements in the transaction
        :param kind: of database
        """
        keys = {f"{self._key}/{name}": name for name in sorted(set(names))}
        query = _select(kind, len(keys))
        found = execute(query, (*keys,))
        if len(found) < len(keys):
            for key, name in keys.items():
                execute(_INSERT, (key, f"{self.label} {name}", *self._scale(name), b""))
            found = execute(query, (*keys,))
        now: float = max(row[-1] for row in found)
        return {keys[row[0]]: self._row(row, keys[row[0]], now) for row in found}, now

    def _row(self, stored: Sequence[Any], name: str, now: float) -> Row:
        key, slots, cooldown_from, cooldown_until, learned, learned_at, seen, _ = stored
        learned = believed(learned, learned_at, max(now, seen), self._limits[name])
        window = Window(self.limit(name, learned), unpack(bytes(slots)), cooldown_until)
        row = Row(key, window, cooldown_from, learned, learned_at, seen)
        if row.seen - now > CLOCK_SET:
            window.shift(now - row.seen)
            row.cooldown_from += now - row.seen
            row.learned_at += now - row.seen
        if window.cooldown_until - now > MAX_COOLDOWN + CLOCK_SET:
            window.cooldown_until = 0.0  # nobody can have asked for that
        window.forget(now - window.span - LATEST)
        return row

    def save(self, execute: Execute, rows: Mapping[str, Row], now: float) -> None:
        """Write the rows back."""
        for name, row in rows.items():
            window = row.window
            changed = (pack(window.slots), row.cooldown_from, window.cooldown_until, row.learned, row.learned_at, now)
            execute(_UPDATE, (*changed, *self._scale(name), row.name))

    def cooldown(self, execute: Execute, kind: str, names: tuple[str, ...]) -> float:
        """Return how many seconds of a cooldown are left in any of the named budgets, without locking them."""
        keys = [f"{self._key}/{name}" for name in set(names)]
        columns = f"quiet_until, seen, {CLOCK[kind]}"
        query = f"SELECT {columns} FROM mkt_budget WHERE name IN ({', '.join('?' * len(keys))})"  # noqa: S608 - constants
        found = execute(query, keys)
        left = (float(until - max(seen, now)) for until, seen, now in found)
        return max((each for each in left if each <= MAX_COOLDOWN + CLOCK_SET), default=0.0)

    def _scale(self, name: str) -> tuple[int, float]:
        limit = self._limits[name]
        return part_of(limit.requests, self._share), limit.window


def account_label(account: tuple[str, ...]) -> str:
    """Return what people see of an account: vendor, base URL, and a digest that tells accounts apart."""
    return " ".join((*account[:2], _key(account)[:8]))[:160]


def _key(account: tuple[str, ...]) -> str:
    return digest("\n".join(account))[:32]


@lru_cache(maxsize=8)
def _select(kind: str, number: int) -> str:
    """Read, locked, this number of budgets, and the clock after the lock was had."""
    columns = "name, slots, quiet_from, quiet_until, learned, learned_at, seen"
    rows = f"FROM mkt_budget WHERE name IN ({', '.join('?' * number)}) ORDER BY name"
    if kind == "postgresql":
        return f"WITH locked AS (SELECT {columns} {rows} FOR UPDATE) SELECT {columns}, {CLOCK[kind]} FROM locked"  # noqa: S608
    return f"SELECT {columns}, {CLOCK[kind]} {rows}"


_INSERT = (
    "INSERT INTO mkt_budget (name, label, requests, period, slots, quiet_from, quiet_until, learned, seen) "
    "VALUES (?, ?, ?, ?, ?, 0, 0, NULL, 0) ON CONFLICT (name) DO NOTHING"
)
_UPDATE = (
    "UPDATE mkt_budget SET slots = ?, quiet_from = ?, quiet_until = ?, learned = ?, learned_at = ?, seen = ?, "
    "requests = ?, period = ? WHERE name = ?"
)


def believed(learned: int | None, learned_at: float, now: float, known: Limit) -> int | None:
    """Return a stated limit, unless it was stated too long ago.

    :param known: the limit by the vendor's documents; a stated one far below it is believed for a shorter time
    """
    unlikely = learned is not None and learned < known.requests * UNLIKELY
    return learned if now - learned_at < (unlikely_for(known) if unlikely else LEARNED_FOR) else None


def unlikely_for(known: Limit) -> float:
    """Return the seconds for which an unlikely limit is believed."""
    return min(2 * known.window + LATEST, LEARNED_FOR)


def reset(account: str | None = None, used: Store | None = None) -> int:
    """Forget what vendors have said of limits and waits; what was sent stays counted.

    :param account: the beginning of the labels of the accounts meant; None: of all
    :param used: the store; this process's when None
    :return: how many budgets there are of these accounts
    :raises StoreError: when the store fails
    """
    used = used or store()
    update = text(f"{_RESET} WHERE substr(label, 1, :length) = :account")
    values = {"account": account or "", "length": len(account or "")}
    return used.run(lambda connection: connection.execute(update, values).rowcount)


_RESET = "UPDATE mkt_budget SET quiet_from = 0, quiet_until = 0, learned = NULL, learned_at = 0"


@dataclass(frozen=True)
class BudgetUse:
    """How much of a budget is in use.

    :param label: vendor, base URL, a digest that tells accounts apart, and the budget's name
    :param requests: what may be used per window: the limit, less the share of others
    :param window: length of the window in seconds
    :param learned: the limit that the vendor stated within the last hour
    :param used: slots in the window that ends now
    :param queued: slots handed out for later
    :param quiet: seconds of cooldown left
    """

    label: str
    requests: int
    window: float
    learned: int | None
    used: int
    queued: int
    quiet: float


def snapshot(used: Store | None = None) -> list[BudgetUse]:
    """Return the state of every budget in the store.

    :param used: the store; this process's when None
    :raises StoreError: when the store fails
    """
    used = used or store()
    columns = "label, requests, period, slots, quiet_until AS cooldown_until, learned, learned_at"
    query = text(f"SELECT {columns}, {used.clock} AS now FROM mkt_budget ORDER BY label")  # noqa: S608 - constants
    uses = []
    for row in used.run(lambda connection: connection.execute(query).all()):
        slots: array[float] = unpack(bytes(row.slots))
        window = Window(Limit(row.requests, row.period), slots)
        queued = window.count(row.now)
        used_now = window.count(row.now - window.span) - queued
        quiet = max(0.0, row.cooldown_until - row.now)
        learned = believed(row.learned, row.learned_at, row.now, Limit(row.requests, row.period))
        uses.append(BudgetUse(row.label, row.requests, row.period, learned, used_now, queued, quiet))
    return uses
