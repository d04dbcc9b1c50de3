# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Stores deliveries that arrive at one moment in one transaction: all of them wait for the disk together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from airflow_provider_mkt.state.inbox import Delivery, Inbox

MAX_TOGETHER = 100


class Mailbox:
    """Puts deliveries into the inbox, from one event loop.

    :param inbox: the inbox
    """

    def __init__(self, inbox: Inbox | None = None) -> None:
        self._inbox = inbox or Inbox()
        self._waiting: list[tuple[Delivery, asyncio.Future[bool]]] = []
        self._storing: asyncio.Task[None] | None = None

    async def put(self, delivery: Delivery) -> bool:
        """Store a delivery, and return when it is safe.

        :return: whether it is new; unknown, and True, when several came at one moment
        :raises StoreError: when it could not be stored
        """
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((delivery, stored))
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store())
        return await stored

    async def _store(self) -> None:
        while self._waiting:
            together, self._waiting = self._waiting[:MAX_TOGETHER], self._waiting[MAX_TOGETHER:]
            deliveries = [delivery for delivery, _ in together]
            try:
                added = await asyncio.to_thread(self._inbox.add, deliveries)
            except Exception as error:  # noqa: BLE001 - it belongs to those who wait, each of whom raises it
                _tell(together, lambda stored, error=error: stored.set_exception(error))  # type: ignore[misc]
            else:
                new = added > 0 if len(together) == 1 else True
                _tell(together, lambda stored, new=new: stored.set_result(new))  # type: ignore[misc]


def _tell(
    together: list[tuple[Delivery, asyncio.Future[bool]]], settle: Callable[[asyncio.Future[bool]], None]
) -> None:
    for _, stored in together:
        # Whoever hung up meanwhile does not wait any more.
        if not stored.done():
            settle(stored)
