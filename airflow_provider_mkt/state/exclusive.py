# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One process at a time: a lease in the shared store, kept alive while the work lasts.

The owner of a lease that stood still for longer than its length may find that somebody else took over. It asks, with
:meth:`ExclusiveLease.ensure_owner`, before each step that must not be taken by two. The lease is a row of the table of
tokens, and is deleted when the work is done.
"""

from __future__ import annotations

import logging
import time
import uuid
from contextlib import suppress
from types import TracebackType

from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from airflow_provider_mkt.state.tokens.lease import LEASE, LeaseHeartbeat
from airflow_provider_mkt.state.tokens.table import TokenRow, change, drop

log = logging.getLogger(__name__)

MAX_WAIT = 180.0
"""Seconds after which waiting for another process's turn to end is given up."""
FIRST_LOOK, MAX_LOOK = 0.05, 1.0


class ExclusiveLease:
    """The right to be the only one at work on something, for as long as the ``with`` block lasts.

    :param store: the store
    :param key: what it is; also the name of the lease's row
    :param lease: seconds after which an owner that shows no sign of life is taken to be dead
    :raises StoreError: on entry when the store fails, cannot be written, or another process goes on for minutes
    """

    def __init__(self, store: Store, key: str, lease: float = LEASE) -> None:
        self._store, self._key, self._lease = store, key, lease
        self._owner = uuid.uuid4().hex
        self._alive = LeaseHeartbeat(store, key, self._owner, lease)

    def __enter__(self) -> ExclusiveLease:
        look, deadline = FIRST_LOOK, time.monotonic() + MAX_WAIT
        while not change(self._store, self._key, self._take):
            if time.monotonic() > deadline:
                raise StoreError(
                    StoreFailure.LOCKED, self._store.where, "another task is at the same work, for minutes"
                )
            if look == FIRST_LOOK:
                log.info("Another task is at the same work; waiting for it.")
            time.sleep(look)
            look = min(2 * look, MAX_LOOK)
        self._alive.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._alive.__exit__(kind, error, trace)
        # Should the store fail, the lease runs out by itself.
        with suppress(StoreError):
            drop(self._store, self._key, self._owner)

    def ensure_owner(self) -> None:
        """Make sure that the turn is still ours, and that the store can be written.

        :raises StoreError: when it is not, or cannot
        """
        if not change(self._store, self._key, self._extend):
            raise StoreError(StoreFailure.LOCKED, self._store.where, "this task stood still, and another one took over")

    def _take(self, row: TokenRow, now: float) -> bool:
        if row.leased_to_another(self._owner, now):
            return False
        row.lease, row.lease_until = self._owner, now + self._lease
        return True

    def _extend(self, row: TokenRow, now: float) -> bool:
        if row.lease != self._owner:
            return False
        row.lease_until = now + self._lease
        return True
