# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Who is getting a token at present. A lease is kept alive while the call lasts, and runs out when its owner dies."""

from __future__ import annotations

import logging
import threading
from types import TracebackType

from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.state.tokens.table import TokenRow, change

log = logging.getLogger(__name__)

LEASE = 30.0
"""Seconds after which the owner of a lease that shows no sign of life is taken to be dead. A call may last longer."""


class LeaseHeartbeat:
    """Extends a lease from a thread of its own, for as long as the ``with`` block lasts.

    :param store: the store
    :param key: the account
    :param owner: who holds the lease
    :param lease: its length in seconds
    """

    def __init__(self, store: Store, key: str, owner: str, lease: float) -> None:
        self._store, self._key, self._owner, self._lease = store, key, owner, lease
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mkt-token-lease", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(self._lease / 3):
            try:
                change(self._store, self._key, self._extend, durable=False)
            except StoreError as error:
                log.debug("A lease could not be extended: %s", error)

    def _extend(self, row: TokenRow, now: float) -> None:
        if row.lease == self._owner:
            row.lease_until = now + self._lease
