# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Tokens that can be fetched again: whoever has the lease makes the vendor's call, the others wait for its result."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial

from airflow_provider_mkt.client.auth import Token
from airflow_provider_mkt.exceptions import ApiError
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import Encryptor
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.state.tokens.lease import LeaseHeartbeat
from airflow_provider_mkt.state.tokens.live import Busy, Claimed, Live, live, new_token
from airflow_provider_mkt.state.tokens.table import RENEW_AT, ClaimSeed, TokenRow, change

log = logging.getLogger(__name__)


class Fetching:
    """The way to one account's live token, which all processes share.

    :param store: the store
    :param encryptor: encrypts secrets
    :param key: the account
    :param lease: seconds after which whoever was getting a token is taken to be dead
    :param refused: digests of access tokens that the vendor refused
    """

    def __init__(self, store: Store, encryptor: Encryptor, key: str, lease: float, refused: Collection[str]) -> None:
        self.store = store
        self._encryptor, self._key, self._lease, self._refused = encryptor, key, lease, refused
        self._owner = uuid.uuid4().hex

    def claim(self, row: TokenRow, now: float, began: float | None, _: ClaimSeed) -> Live | Busy | Claimed:
        """Return the live token, or take the lease.

        :param began: since when the caller has been waiting
        :raises ApiError: what the call that it has been waiting for failed with
        """
        if (failure := row.failure_since(began)) is not None:
            raise failure
        busy = row.leased_to_another(self._owner, now)
        if (found := live(row, now, self._encryptor, self._refused, stale=busy)) is not None:
            return found
        if busy:
            return Busy(now)
        row.lease, row.lease_until = self._owner, now + self._lease
        return Claimed()

    def call(self, fetch: Callable[[], Token]) -> Token:
        """Make the vendor's call, keeping the lease; one that fails is noted, for those who wait.

        :raises ApiError: whatever ``fetch`` raises
        """
        try:
            with LeaseHeartbeat(self.store, self._key, self._owner, self._lease):
                return fetch()
        except BaseException as error:
            # Should the store fail as well, the lease runs out by itself.
            with suppress(StoreError):
                change(self.store, self._key, partial(self._give_up, error))
            raise

    def save(self, token: Token) -> Live:
        """Store the new token, and return it, or the one that somebody else has stored meanwhile.

        :raises StoreError: when it could not be stored
        """
        return change(self.store, self._key, lambda row, now: self._replace(row, now, token))

    def _give_up(self, error: BaseException, row: TokenRow, now: float) -> None:
        row.release(self._owner)
        if isinstance(error, ApiError):
            row.note_failure(error, now)

    def _replace(self, row: TokenRow, now: float, token: Token) -> Live:
        replaced = row.leased_to_another(self._owner, now) or row.lease is None
        row.release(self._owner)
        if replaced and (found := live(row, now, self._encryptor, self._refused)) is not None:
            return found
        row.set_access(self._encryptor, token.value, token.lifetime, RENEW_AT, now)
        return new_token(token)
