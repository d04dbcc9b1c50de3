# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A trigger's line to its vendor: a client to ask with, and what the vendor delivers meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.state.encryption import digest
from airflow_provider_mkt.triggers.wake import Waiter, Wake

if TYPE_CHECKING:
    from airflow_provider_mkt.client.api_client import ApiClient
    from airflow_provider_mkt.hooks.base import MarketingHook
    from airflow_provider_mkt.waiting.base import Watch


class Line:
    """Asks the vendor, and hears from it, for as long as the ``with`` block lasts.

    :param hook: the vendor's
    :param conn_id: connection
    :param waiter: whom deliveries wake
    """

    def __init__(self, hook: type[MarketingHook], conn_id: str, waiter: Waiter) -> None:
        self._hook, self._conn_id, self._waiter = hook, conn_id, waiter
        self._client: ApiClient | None = None
        self._open = ExitStack()

    @classmethod
    def of(cls, watch: Watch, conn_id: str) -> Line:
        """Return the line of a trigger that looks alone."""
        return cls(watch.hook, conn_id, Waiter("", set(subjects(watch.arguments()))))

    def __enter__(self) -> Line:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    async def client(self) -> ApiClient:
        """Return the client.

        :raises AirflowNotFoundException: when there is no such connection
        :raises ApiError: when the connection cannot be used
        :raises StoreError: when the shared store fails
        """
        if self._client is None:
            connection = await self._hook.aget_connection(self._conn_id)
            hook = self._hook(self._conn_id, connection=connection)
            # It imports the HTTP stack, and reads the store, which would block the loop.
            client, account = await asyncio.to_thread(_prepared, hook)
            self._client = client
            if account:
                self._open.enter_context(Wake.here().waiting(account, self._waiter))
        return self._client

    def hang_up(self) -> None:
        """Forget the client: the connection may have changed. The next one is made from it as it is then."""
        self._open.close()
        self._client = None

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds``, or as soon as the vendor delivers news of what is watched."""
        await self._waiter.sleep(seconds)


def _prepared(hook: MarketingHook) -> tuple[ApiClient, str]:
    """Return the client, and the name under which deliveries for it arrive; "" when none can."""
    from airflow_provider_mkt.webhooks.senders import sender_for  # loads SQLAlchemy

    sender = sender_for(hook.account)
    return hook.client, sender.account if sender else ""


def subjects(arguments: Mapping[str, Any]) -> Iterator[str]:
    """Yield the digests of all ids in the arguments of a watch, by which deliveries name what they are about."""
    for value in arguments.values():
        yield from (
            digest(each)
            for each in (value if isinstance(value, (list, tuple)) else [value])
            if each and isinstance(each, str)
        )
