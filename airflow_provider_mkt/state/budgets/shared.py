# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Rate budgets that all processes on all hosts share.

A request asks for a slot and is told how long to wait for it. One transaction takes the slot in every budget that the
endpoint names, first come first served, by the database's clock; :mod:`.sliding_window` says where it may lie. A vendor
counts arrivals, which come later than slots: an answer that arrives noticeably late moves its slot. What is not used is
given back.

When the store fails, requests are not refused, since a launch that does not happen is worse than a 429. This host then
paces itself at a quarter of the limit, without bursts, and asks the store again every few seconds; what it sent in the
meantime is entered as soon as the store is back. A server that only has no connection left is waited for instead:
others are using the store at that very moment.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping

from airflow_provider_mkt import metrics
from airflow_provider_mkt.client.endpoint import Limit, Priority
from airflow_provider_mkt.client.outcome import Outcome
from airflow_provider_mkt.client.retry_after import RATE_HEADERS
from airflow_provider_mkt.clock import monotonic
from airflow_provider_mkt.exceptions import RateLimitError
from airflow_provider_mkt.state.budgets.booking import Booking, Wish
from airflow_provider_mkt.state.budgets.in_flight import InFlight, PendingRequest
from airflow_provider_mkt.state.budgets.local import ALONE, LocalBudget
from airflow_provider_mkt.state.budgets.rate_headers import RateLimitHint, rate_limit_hint
from airflow_provider_mkt.state.budgets.sliding_window import MARGIN
from airflow_provider_mkt.state.budgets.stock import Stock
from airflow_provider_mkt.state.budgets.table import LATEST, BudgetTable, BudgetUse, account_label, reset, snapshot
from airflow_provider_mkt.state.budgets.untold import Note, Untold
from airflow_provider_mkt.state.database.shared import host_store, store
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from airflow_provider_mkt.state.idle import Idle

__all__ = ["BudgetUse", "SharedBudget", "account_label", "budget_for", "reset", "snapshot"]

log = logging.getLogger(__name__)

MAX_WAIT = 3600.0
"""Seconds beyond which no slot is handed out, so that a queue cannot grow without bound."""
POLLS_AHEAD = 15.0
"""Seconds that the slot of a poll may lie ahead; who has to wait longer asks again. Many waits that end at once, with a
process that is killed for example, leave next to nothing behind that others wait for."""
ASK_AGAIN = 5.0
"""Seconds before a store that failed is asked again."""
POLLS_WAIT = 3.0
"""Seconds that a poll waits while the server has no connection left: it holds a thread meanwhile."""
TOLD_AFTER = 1.0
"""Seconds after the last request at which the store is told what it does not know yet, if no request does that."""
SHORT = 10.0
"""Seconds. In a window that is shorter, the store is told at once when a request arrived later than its slot."""


class SharedBudget:
    """The rate budgets of one vendor account.

    :param account: what the vendor counts by
    :param limits: the limits by budget name, as the endpoints name them
    :param share: the part of each limit to use, between 0 and 1; the rest is left to other users of the account
    :param get_store: returns the store
    :param clock: seconds that only go forward, for waits within this process
    :param headers: what the names of the vendor's rate limit headers begin with
    :param get_host_store: returns what the processes of this host share while the store fails; None: nothing
    """

    def __init__(
        self,
        account: tuple[str, ...],
        limits: Mapping[str, Limit],
        share: float = 1.0,
        get_store: Callable[[], Store] = store,
        clock: Callable[[], float] = monotonic,
        *,
        headers: str = RATE_HEADERS,
        get_host_store: Callable[[], Store] | None = host_store,
    ) -> None:
        self._headers = headers
        self._limits = limits
        self._table = BudgetTable(account, limits, share)
        self._booking = Booking(self._table, clock)
        self._store = get_store
        self._clock = clock
        self._in_flight = InFlight(clock)
        self._stock = Stock(limits, clock)
        self._untold = Untold()
        self._idle = Idle(TOLD_AFTER, self._tell, "mkt-budget-idle")
        self._local = LocalBudget(account, limits, share, clock, get_host_store)
        self._ask_again = 0.0
        self._troubled = False

    def __repr__(self) -> str:
        return f"<SharedBudget {self._table.label}>"

    def reserve(self, names: tuple[str, ...], priority: Priority = Priority.LAUNCH, longest: float = MAX_WAIT) -> float:
        """Take the next slot that is free in every named budget.

        :param names: budget names
        :param priority: POLL leaves the last fifth of every window to launches, and books only a little ahead
        :param longest: seconds that the slot may lie ahead; beyond it none is taken
        :return: seconds until the slot begins
        :raises RateLimitError: when the slot would lie further ahead, or the server of the store has no connection left
            for so long; ``retry_after`` says when to ask again
        """
        if not names:
            return 0.0
        if priority is Priority.POLL:
            longest = min(longest, POLLS_AHEAD)
        if self._clock() >= self._ask_again:
            try:
                sent = self._reserve_shared(names, priority, longest)
            except StoreError as error:
                if error.failure is StoreFailure.BUSY:
                    raise RateLimitError(f"No slot of the rate budget: {error}", retry_after=ASK_AGAIN) from error
                self._fall_back(error)
            else:
                self._in_flight.add(sent)
                self._show(sent)
                return max(0.0, sent.due - self._clock())
        wait = self._local.reserve(names, priority, longest)
        moment = self._clock() + wait
        self._untold.add(*(Note.alone(name, moment) for name in names))
        return wait

    def cooldown(self, names: tuple[str, ...]) -> float:
        """Return how many seconds of a cooldown are left in any of the named budgets.

        Less than :data:`.sliding_window.MARGIN` counts as over: clocks read one after the other differ by so much.

        :param names: budget names
        """
        if not names:
            return 0.0
        left = self._cooldown(names)
        return left if left > MARGIN else 0.0

    def missed(self, names: tuple[str, ...], late: float) -> None:
        """Give back a slot that began ``late`` seconds ago, with the next that is asked for: nothing was sent in it.

        Of many that begin at one moment, those that get no processor in time need not wait for the next window.
        """
        if (sent := self._in_flight.unsent(names, -late)) is not None:
            self._return([sent])

    def give_back(self, names: tuple[str, ...], wait: float) -> None:
        """Give back a slot in which nothing will be sent, because whoever waited for it was cancelled.

        :param names: budget names of the request
        :param wait: seconds until the slot begins; one that has begun stays taken
        """
        if wait <= 0 or (sent := self._in_flight.unsent(names, wait)) is None:
            return
        self._untold.add(*(Note.unused(name, sent.slot) for name in names))
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self._tell()
        else:
            # An event loop must not wait for the store, and many are cancelled at once.
            self._idle.touch()

    def observe(self, names: tuple[str, ...], outcome: Outcome) -> None:
        """Learn from an answer. Asks the store only when there is something to tell it.

        :param names: budget names of the request
        :param outcome: how it was answered
        """
        hint = rate_limit_hint(outcome, self._headers)
        self._local.observe(names, hint)
        if hint.throttled:
            self._return(self._stock.left_over(all_of_them=True))
        sent = self._in_flight.answered(names)
        urgent = self._note_late_arrival(sent)
        budgets = hint.budgets_meant(names, self._limits)
        if not hint.throttled:
            budgets = tuple(name for name in budgets if sent and sent.is_news(hint, name, self._limits[name].requests))
        if self._clock() >= self._ask_again and (budgets or urgent):
            self._learn(budgets, hint, sent)

    def after_fork(self) -> None:
        """Forget, in a forked child, what belongs to the parent."""
        self._in_flight.clear()
        self._stock.after_fork()
        self._untold.after_fork()
        self._idle.after_fork()
        self._local.after_fork()

    def _reserve_shared(self, names: tuple[str, ...], priority: Priority, longest: float) -> PendingRequest:
        at_hand = self._stock.take(names, priority)
        if isinstance(at_hand, PendingRequest):
            return at_hand
        self._return(self._stock.left_over())
        wish = Wish(names, priority, longest, *at_hand)
        wait = min(longest, POLLS_WAIT) if priority is Priority.POLL else longest
        used, notes = self._store(), self._untold.take(names)
        try:
            taken = used.transact(
                lambda execute: self._booking.take(execute, used.kind, wish, notes), connection_wait=wait
            )
        except BaseException:  # an interrupt as well must not lose what the store was to be told
            self._untold.add(*notes)
            raise
        self._recover()
        if len(taken) > 1:
            self._idle.touch()
        return self._stock.keep(names, priority, taken)

    def _return(self, slots: list[PendingRequest]) -> None:
        """Have slots given back with the next transaction."""
        for sent in slots:
            self._untold.add(*(Note.unused(name, sent.slot) for name in sent.names))

    def _tell(self) -> None:
        """Tell the store what it does not know yet."""
        self._return(self._stock.left_over(all_of_them=True))
        self._learn((), RateLimitHint(), None)

    def _learn(self, budgets: tuple[str, ...], hint: RateLimitHint, sent: PendingRequest | None) -> None:
        notes = self._untold.take()
        if not budgets and not notes:
            return
        try:
            used = self._store()
            used.transact(
                lambda execute: self._booking.learn(execute, used.kind, budgets, hint, sent, notes),
                connection_wait=POLLS_WAIT,
            )
        except StoreError as error:
            self._untold.add(*notes)
            if error.failure is not StoreFailure.BUSY:
                self._fall_back(error)
        except BaseException:  # as in _reserve_shared
            self._untold.add(*notes)
            raise

    def _cooldown(self, names: tuple[str, ...]) -> float:
        if self._clock() >= self._ask_again:
            try:
                used = self._store()
                return used.transact(lambda execute: self._table.cooldown(execute, used.kind, names))
            except StoreError as error:
                self._fall_back(error)
        return self._local.cooldown(names)

    def _note_late_arrival(self, sent: PendingRequest | None) -> bool:
        """Note when a request arrived later than its slot; return whether the store has to know at once."""
        late = 0.0 if sent is None else min(self._clock() - sent.due, LATEST)
        if sent is None or late <= MARGIN:
            return False
        self._untold.add(*(Note.moved(name, sent.slot, sent.slot + late - MARGIN) for name in sent.names))
        self._idle.touch()
        return any(self._limits[name].window < SHORT for name in sent.names)

    def _fall_back(self, error: StoreError) -> None:
        self._ask_again = self._clock() + ASK_AGAIN
        metrics.count("mkt.store.failures", what="budgets")
        if not self._troubled:
            self._troubled = True
            log.warning("%s Until it works again, this host keeps to %s of the rate limits.", error, f"{ALONE:.0%}")

    def _recover(self) -> None:
        if self._troubled:
            self._troubled = False
            log.info("The shared state store works again; rate limits are shared.")

    def _show(self, sent: PendingRequest) -> None:
        if metrics.on():
            for name, left in sent.left.items():
                permitted = self._table.limit(name, sent.learned[name]).requests
                metrics.budget(self._table.label, name, permitted - left, permitted)


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
