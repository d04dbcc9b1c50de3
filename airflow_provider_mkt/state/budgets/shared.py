# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Rate budgets that all processes on all hosts share.

A request asks for a slot and is told how long to wait for it; nothing polls. One transaction takes the slot in every
budget that the endpoint names, first come first served, by the database's clock; :mod:`.windows` says where it may lie.
A vendor counts arrivals, which come later than slots: an answer that arrives noticeably late moves its slot.

When the store fails, requests are not refused, since a launch that does not happen is worse than a 429. This process
then paces itself at a quarter of the limit, without bursts, and asks the store again every few seconds; what it sent in
the meantime is entered as soon as the store is back.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence

from airflow_provider_mkt import metrics
from airflow_provider_mkt.client.endpoint import Limit, Priority
from airflow_provider_mkt.client.outcome import Outcome
from airflow_provider_mkt.client.retry_after import RATE_HEADERS
from airflow_provider_mkt.state.budgets.in_flight import Arrival, InFlight, PendingRequest
from airflow_provider_mkt.state.budgets.local import ALONE, LocalBudget, too_far
from airflow_provider_mkt.state.budgets.rate_headers import RateLimitHint, rate_limit_hint
from airflow_provider_mkt.state.budgets.sliding_window import MARGIN, place
from airflow_provider_mkt.state.budgets.table import CONFIRMED_FOR, LATEST, BudgetTable, BudgetUse, Row, snapshot
from airflow_provider_mkt.state.database.shared import store
from airflow_provider_mkt.state.database.store import Execute, Store
from airflow_provider_mkt.state.errors import StoreError

__all__ = ["BudgetUse", "SharedBudget", "budget_for", "snapshot"]

log = logging.getLogger(__name__)

LONGEST = 3600.0
"""Seconds beyond which no slot is handed out, so that a queue cannot grow without bound."""
ASK_AGAIN = 5.0
"""Seconds before a store that failed is asked again."""


class SharedBudget:
    """The rate budgets of one vendor account.

    :param account: what the vendor counts by
    :param limits: the limits by budget name, as the endpoints name them
    :param share: the part of each limit to use, between 0 and 1; the rest is left to other users of the account
    :param get_store: returns the store
    :param clock: seconds that only go forward, for waits within this process
    :param headers: what the names of the vendor's rate limit headers begin with
    """

    def __init__(
        self,
        account: tuple[str, ...],
        limits: Mapping[str, Limit],
        share: float = 1.0,
        get_store: Callable[[], Store] = store,
        clock: Callable[[], float] = time.monotonic,
        *,
        headers: str = RATE_HEADERS,
    ) -> None:
        self._headers = headers
        self._limits = limits
        self._table = BudgetTable(account, limits, share)
        self._store = get_store
        self._clock = clock
        self._in_flight = InFlight(clock)
        self._local = LocalBudget(limits, share, clock)
        self._ask_again = 0.0
        self._troubled = False

    def __repr__(self) -> str:
        return f"<SharedBudget {self._table.label}>"

    def reserve(self, names: tuple[str, ...], priority: Priority = Priority.LAUNCH, longest: float = LONGEST) -> float:
        """Take the next slot that is free in every named budget.

        :param names: budget names
        :param priority: NEWS leaves the last fifth of every window to launches
        :param longest: seconds that the slot may lie ahead; beyond it none is taken
        :return: seconds until the slot begins
        :raises RateLimitError: when the slot would lie further ahead; ``retry_after`` says when to ask again
        """
        if not names:
            return 0.0
        if self._clock() >= self._ask_again:
            try:
                used = self._store()
                known = self._in_flight.arrivals()
                wait, sent = used.transact(
                    lambda execute: self._take(execute, used.kind, names, priority, longest, known)
                )
            except StoreError as error:
                self._fall_back(error)
            else:
                self._recover()
                self._in_flight.told(known)
                self._in_flight.add(sent)
                self._show(sent)
                return wait
        wait = self._local.reserve(names, priority, longest)
        self._in_flight.unsure(wait)
        return wait

    def cooldown(self, names: tuple[str, ...]) -> float:
        """Return how many seconds of a cooldown are left in any of the named budgets.

        Less than :data:`.windows.MARGIN` counts as over: by so much clocks that are read one after the other differ.

        :param names: budget names
        """
        if not names:
            return 0.0
        left = self._cooldown(names)
        return left if left > MARGIN else 0.0

    def missed(self, names: tuple[str, ...]) -> None:
        """Note that a request was not sent in its slot, which stays taken: no answer will come.

        :param names: budget names of the request
        """
        self._in_flight.answered(names, by_vendor=False)

    def observe(self, names: tuple[str, ...], outcome: Outcome) -> None:
        """Learn from an answer. Asks the store only when there is something to tell it.

        :param names: budget names of the request
        :param outcome: how it was answered
        """
        hint = rate_limit_hint(outcome, self._headers)
        self._local.observe(names, hint)
        sent = self._in_flight.answered(names, by_vendor=outcome.status is not None)
        if self._clock() < self._ask_again or not self._news(hint, names, sent):
            return
        try:
            used = self._store()
            used.transact(lambda execute: self._learn(execute, used.kind, names, hint, sent))
        except StoreError as error:
            self._fall_back(error)

    def _cooldown(self, names: tuple[str, ...]) -> float:
        if self._clock() >= self._ask_again:
            try:
                used = self._store()
                return used.transact(lambda execute: self._table.cooldown(execute, used.kind, names))
            except StoreError as error:
                self._fall_back(error)
        return self._local.cooldown(names)

    def _take(  # noqa: PLR0917 - see `reserve`
        self,
        execute: Execute,
        kind: str,
        names: tuple[str, ...],
        priority: Priority,
        longest: float,
        known: Sequence[Arrival],
    ) -> tuple[float, PendingRequest]:
        begun = self._clock()
        rows, now = self._table.read(execute, kind, names)
        windows = {name: row.window for name, row in rows.items()}
        self._local.enter(windows, now - self._clock())
        for arrival in known:
            arrival.enter(windows)
        slot = place((*windows.values(),), now, priority)
        ahead = slot - now
        if ahead > longest:
            raise too_far(names, ahead)
        for window in windows.values():
            window.add(slot)
        self._table.save(execute, rows, now)
        left = {name: row.window.limit.requests - row.used(slot, slot) for name, row in rows.items()}
        learned = {name: row.learned for name, row in rows.items()}
        ageing = frozenset(name for name, row in rows.items() if self._ages(row, name, now))
        return ahead, PendingRequest(names, begun + ahead, self._clock() + ahead, slot, left, learned, ageing)

    def _ages(self, row: Row, name: str, now: float) -> bool:
        lowered = row.learned is not None and row.learned < self._limits[name].requests
        return lowered and now - row.learned_at > CONFIRMED_FOR

    def _learn(
        self, execute: Execute, kind: str, names: tuple[str, ...], hint: RateLimitHint, sent: PendingRequest | None
    ) -> None:
        rows, now = self._table.read(execute, kind, names)
        if sent and (late := min(self._clock() - sent.due, LATEST)) > MARGIN:
            for row in rows.values():
                row.window.move(sent.slot, sent.slot + late - MARGIN)
        for name in hint.budgets_meant(names, self._limits):
            row = rows[name]
            if hint.throttled:
                row.cool_down(hint, now)
                continue
            if hint.limit is not None:
                # As stated, although it may be more than this connection's own limit: another's may be higher.
                row.learned, row.learned_at = hint.limit, now
                row.window.limit = self._table.limit(name, row.learned)
            if sent and self._clock() - sent.due < LATEST:
                row.leave_to_others(hint, sent.slot, now)
        self._table.save(execute, rows, now)

    def _news(self, hint: RateLimitHint, names: tuple[str, ...], sent: PendingRequest | None) -> bool:
        """Tell whether an answer says anything that the store does not know."""
        if hint.throttled:
            return True
        if sent is None:
            return False
        if self._clock() - sent.due > MARGIN:
            return True
        for name in hint.budgets_meant(names, self._limits):
            known = self._limits[name].requests
            if hint.limit is not None:
                differs = min(hint.limit, known) != min(sent.learned[name] or known, known)
                if differs or name in sent.to_confirm:
                    return True
            if hint.remaining is not None and hint.remaining < sent.left[name]:
                return True
        return False

    def _fall_back(self, error: StoreError) -> None:
        self._ask_again = self._clock() + ASK_AGAIN
        metrics.count("mkt.store.failures", what="budgets")
        if not self._troubled:
            self._troubled = True
            part = f"{ALONE:.0%}"
            log.warning("%s Until it works again, this process keeps to %s of the rate limits on its own.", error, part)

    def _show(self, sent: PendingRequest) -> None:
        if metrics.on():
            for name, left in sent.left.items():
                permitted = self._table.limit(name, sent.learned[name]).requests
                metrics.budget(self._table.label, name, permitted - left, permitted)

    def _recover(self) -> None:
        if self._troubled:
            self._troubled = False
            self._local.forget()
            log.info("The shared state store works again; rate limits are shared.")

    def after_fork(self) -> None:
        """Forget, in a forked child, what belongs to the parent."""
        self._in_flight.clear()
        self._local.after_fork()


_budgets: dict[tuple[str, ...], SharedBudget] = {}


def budget_for(
    account: tuple[str, ...], limits: Mapping[str, Limit], share: float, headers: str = RATE_HEADERS
) -> SharedBudget:
    """Return the budget of an account; all processes that name the same account share its slots.

    :param account: what the vendor counts by, e.g. vendor, base URL and a digest of the key
    :param limits: limits by budget name
    :param share: the part of them to use
    :param headers: what the names of the vendor's rate limit headers begin with
    """
    settings = (*account, repr(sorted(limits.items())), str(share))
    return _budgets.setdefault(settings, SharedBudget(account, limits, share, headers=headers))


def _after_fork() -> None:
    for budget in _budgets.values():
        budget.after_fork()


os.register_at_fork(after_in_child=_after_fork)
