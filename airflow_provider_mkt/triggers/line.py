# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A trigger's line to its vendor: a client to ask with, and what the vendor delivers meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt import clock

if TYPE_CHECKING:
    from airflow_provider_mkt.client.api_client import ApiClient
    from airflow_provider_mkt.hooks.base import MarketingHook
    from airflow_provider_mkt.triggers.wake import Waiter
    from airflow_provider_mkt.waiting.base import Watch


class Line:
    """Asks the vendor, and hears from it, for as long as the ``with`` block lasts.

    :param watch: what is watched
    :param conn_id: connection
    """

    def __init__(self, watch: Watch, conn_id: str) -> None:
        self._watch, self._conn_id = watch, conn_id
        self._client: ApiClient | None = None
        self._waiter: Waiter | None = None
        self._open = ExitStack()

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
            connection = await self._watch.hook.aget_connection(self._conn_id)
            hook = self._watch.hook(self._conn_id, connection=connection)
            # It imports the HTTP stack, and reads the store, which would block the loop.
            client, account = await asyncio.to_thread(_prepared, hook)
            self._client = client
            if account:
                from airflow_provider_mkt.triggers.wake import Wake  # loads SQLAlchemy

                ids = set(subjects(self._watch.arguments()))
                self._waiter = self._open.enter_context(Wake.here().waiting(account, ids))
        return self._client

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds``, or as soon as the vendor delivers news of what is watched."""
        await (self._waiter.sleep(seconds) if self._waiter else clock.asleep(seconds))


def _prepared(hook: MarketingHook) -> tuple[ApiClient, str]:
    """Return the client, and the name under which deliveries for it arrive; "" when none can."""
    from airflow_provider_mkt.webhooks.senders import sender_for  # loads SQLAlchemy

    sender = sender_for(hook.account)
    return hook.client, sender.account if sender else ""


def subjects(arguments: Mapping[str, Any]) -> Iterator[str]:
    """Yield the digests of all ids in the arguments of a watch, by which deliveries name what they are about."""
    from airflow_provider_mkt.state.encryption import digest

    for value in arguments.values():
        yield from (
            digest(each)
            for each in (value if isinstance(value, (list, tuple)) else [value])
            if each and isinstance(each, str)
        )
