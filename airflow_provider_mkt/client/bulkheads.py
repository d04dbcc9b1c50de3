# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Threads for calls from an event loop, a few for each account: a vendor that hangs holds up only its own.

Airflow's default pool is small, and shared by everything in a triggerer.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

THREADS = 16
"""Threads of one account. A vendor takes at most ten calls a second, and what only waits holds none."""
MAX_ACCOUNTS = 256
"""Accounts whose threads are kept; those of the one that was asked longest ago end, once they have nothing to do."""

T = TypeVar("T")


class Bulkheads:
    """The threads of all accounts of a process."""

    def __init__(self) -> None:
        self.after_fork()

    def after_fork(self) -> None:
        """Start again in a forked child, which has none of the parent's threads."""
        self._lock = threading.Lock()
        self._pools: OrderedDict[str, ThreadPoolExecutor] = OrderedDict()
        self._flights: dict[str, Future[Any]] = {}

    async def run(self, account: str, function: Callable[..., T], *args: Any) -> T:
        """Run ``function`` on a thread of ``account``."""
        with self._lock:
            pool = self._pool(account)
        return await asyncio.get_running_loop().run_in_executor(pool, function, *args)

    async def share(self, account: str, key: str, function: Callable[[], T]) -> T:
        """Run ``function`` once for all who ask for ``key`` while it runs. They wait without a thread.

        It may repeat a call and wait in between, so it holds none of the threads on which the account's calls run, but
        one of a few that are kept for this. What it raises is raised for each of them.
        """
        with self._lock:
            flight: Future[T] | None = self._flights.get(key)
            if flight is None:
                flight = self._flights[key] = self._pool(f"{account} shared", "mkt-shared").submit(function)
                landed = flight
            else:
                landed = None
        if landed is not None:
            landed.add_done_callback(lambda _: self._land(key, landed))
        waiting = asyncio.wrap_future(flight)
        # Of those who have left, none asks what it raised; asyncio would log that for each of them.
        waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
        # One who is cancelled does not cancel it for the others.
        return await asyncio.shield(waiting)

    def _land(self, key: str, flight: Future[Any]) -> None:
        with self._lock:
            if self._flights.get(key) is flight:
                del self._flights[key]

    def _pool(self, account: str, prefix: str = "mkt-http") -> ThreadPoolExecutor:
        if account not in self._pools:
            self._pools[account] = ThreadPoolExecutor(THREADS, thread_name_prefix=prefix)
            if len(self._pools) > MAX_ACCOUNTS:
                self._pools.popitem(last=False)[1].shutdown(wait=False)
        self._pools.move_to_end(account)
        return self._pools[account]


BULKHEADS = Bulkheads()
"""Those of this process."""

os.register_at_fork(after_in_child=BULKHEADS.after_fork)
