# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Rings when a delivery was stored by any process. Only PostgreSQL can tell; elsewhere, one looks into the inbox.

It only saves time: who waits looks all the same, so nothing depends on it. A pooler that shares sessions, such as
pgbouncer, may keep it silent.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from types import TracebackType

from airflow_provider_mkt.clock import monotonic, sleep
from airflow_provider_mkt.state.database.listening import Listening
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError

log = logging.getLogger(__name__)

CHANNEL = "mkt_inbox"
RING = f"SELECT pg_notify('{CHANNEL}', '')"
"""Rings at the commit of the transaction that it stands in."""
AGAIN = 30.0
"""Seconds after a failure before it listens again."""


class Doorbell:
    """Listens, on a connection of its own, for as long as the ``with`` block lasts. Belongs to one thread, or one loop.

    :param get_store: returns the store
    """

    def __init__(self, get_store: Callable[[], Store]) -> None:
        self._store = get_store
        self._listening: Listening | None = None
        self._again = 0.0

    def __enter__(self) -> Doorbell:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def wait(self, seconds: float) -> bool:
        """Return after ``seconds``, or as soon as it rings.

        :return: whether it rang
        """
        if self._listening is None and monotonic() >= self._again:
            self._listen()
        if self._listening is None:
            sleep(seconds)
            return False
        rang = self._listening.wait(seconds)
        if self._listening.ended:
            self._close()
        return rang

    async def await_ring(self, seconds: float) -> None:
        """Return after ``seconds``, or as soon as it rings, without holding a thread."""
        if self._listening is None and monotonic() >= self._again:
            await asyncio.to_thread(self._listen)
        if self._listening is None:
            await asyncio.sleep(seconds)
            return
        loop, rung, listening = asyncio.get_running_loop(), asyncio.Event(), self._listening
        loop.add_reader(listening, rung.set)
        try:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(rung.wait(), seconds)
        finally:
            loop.remove_reader(listening)
        if rung.is_set():
            listening.take()
        if listening.ended:
            self._close()

    def _listen(self) -> None:
        self._again = monotonic() + AGAIN
        try:
            self._listening = self._store().listen(CHANNEL)
        except StoreError as error:
            log.debug("The inbox is looked into without being told of deliveries: %s", error)

    def _close(self) -> None:
        if self._listening is not None:
            self._listening.close()
            self._listening = None
