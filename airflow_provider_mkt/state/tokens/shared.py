# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Access tokens, one per account for all processes: fetched once, renewed at 80 % of their life.

Whoever finds no live token takes a lease in the store and makes the vendor's token call; the others use the old token
while it lives, or wait. When the call fails, those who waited get the same error, rather than each asking again; within
a process no lock is held meanwhile.

Tokens are read from the store at most every few seconds; in between, a process goes by what it read. A token that was
refused is forgotten by comparing it first: of many processes that see a 401 only one makes the next call.

When the store fails, :meth:`Tokens.get` fetches for this process alone. :meth:`Tokens.get_rotating` uses the access
token it has while it lives, and then fails: see :mod:`.rotation`.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from airflow_provider_mkt import metrics
from airflow_provider_mkt.client.auth import Token
from airflow_provider_mkt.clock import monotonic
from airflow_provider_mkt.exceptions import ApiError
from airflow_provider_mkt.state.database.shared import store
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import Encryptor, configured_encryptor, digest
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from airflow_provider_mkt.state.tokens.cache import TokenCache
from airflow_provider_mkt.state.tokens.fetching import Fetching
from airflow_provider_mkt.state.tokens.lease import LEASE
from airflow_provider_mkt.state.tokens.live import Busy, Claimed, Live, new_token
from airflow_provider_mkt.state.tokens.rotation import Rotation
from airflow_provider_mkt.state.tokens.shielded import shielded
from airflow_provider_mkt.state.tokens.single_flight import SingleFlight
from airflow_provider_mkt.state.tokens.table import RENEW_AT, ClaimSeed, TokenRow, change, update_row_and_claim

log = logging.getLogger(__name__)

Claim = Callable[[TokenRow, float, float | None, ClaimSeed], Live | Busy | Claimed]
"""Gets an account's row, the time, since when the caller has been waiting, and :data:`ClaimSeed`."""
MAX_WAIT = 300.0
"""Seconds after which waiting for another process's token call is given up."""
FIRST_LOOK, MAX_LOOK = 0.05, 0.5


def _mask(secret: str) -> None:
    from airflow.sdk.log import mask_secret

    mask_secret(secret)


def _counted(key: str, fetch: Callable[[], Token]) -> Token:
    try:
        token = fetch()
    except ApiError:
        metrics.token(key, "failed")
        raise
    metrics.token(key, "fetched")
    return token


class Tokens:
    """Gets and keeps tokens.

    :param get_store: returns the store
    :param get_encryptor: returns what encrypts secrets
    :param clock: seconds that only go forward
    :param lease: seconds after which a process that was getting a token is taken to be dead
    :param mask: hides a secret in logs
    :param sleep: waits for some seconds
    """

    def __init__(
        self,
        get_store: Callable[[], Store] = store,
        get_encryptor: Callable[[], Encryptor] = configured_encryptor,
        *,
        clock: Callable[[], float] = monotonic,
        lease: float = LEASE,
        mask: Callable[[str], None] = _mask,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store, self._encryptor, self._clock, self._lease = get_store, get_encryptor, clock, lease
        self._sleep = sleep
        self._kept = TokenCache(clock, mask)
        self._refused: set[str] = set()
        self._unsaved: dict[str, tuple[Rotation, Claimed, Token]] = {}
        self._warned = False
        self._flights = SingleFlight()

    def __repr__(self) -> str:
        return f"<Tokens of {len(self._kept)} accounts>"

    def get(self, key: str, fetch: Callable[[], Token]) -> str:
        """Return the live token for ``key``.

        :param key: the account
        :param fetch: gets a new token; called by one process at a time
        :raises ApiError: whatever ``fetch`` raises; the next caller tries again
        """
        if (kept := self._kept.fresh(key)) is not None:
            return kept
        return self._flights.do(key, lambda: self._get(key, fetch), lambda: self._kept.alive(key, ""))

    def _get(self, key: str, fetch: Callable[[], Token]) -> str:
        try:
            return self._kept.keep(key, self._shared(key, fetch))
        except StoreError as error:
            return self._alone(key, fetch, error)

    def get_rotating(self, key: str, seed: str, refresh: Callable[[str], Token], issuer: str = "") -> str:
        """Return the live token of an account whose refresh tokens are single-use.

        :param key: the account; it must stay the same when only the seed or a client secret changes
        :param seed: the connection's refresh token, used first; another one than ever before starts afresh. Empty when
            the account is authorised by a consent, whose tokens only the store has
        :param refresh: exchanges a refresh token for a token that names its successor; not repeated by itself
        :param issuer: who issued the seed, which only one account may spend
        :raises AuthenticationError: when the account must be authorised again, or the seed is another account's
        :raises OutcomeUnknownError: when the answer to a refresh was lost; a later call finds out
        :raises StoreError: when the store fails and no access token is left
        """
        if (kept := self._kept.fresh(key, seed)) is not None:
            return kept
        return self._flights.do(
            (key, seed), lambda: self._get_rotating(key, seed, refresh, issuer), lambda: self._kept.alive(key, seed)
        )

    def _get_rotating(self, key: str, seed: str, refresh: Callable[[str], Token], issuer: str) -> str:
        try:
            settings: dict[str, Any] = {"lease": self._lease, "issuer": issuer, "refused": self._refused}
            rotation = Rotation(self._store(), self._encryptor(), key, seed, **settings)
            return self._kept.keep(key, self._rotate(key, rotation, refresh), seed)
        except StoreError as error:
            if (kept := self._kept.alive(key, seed)) is None:
                raise
            self._warn(error)
            return kept

    def discard(self, key: str, value: str) -> None:
        """Forget ``value``, unless somebody has replaced it already.

        :param key: the account
        :param value: the token that was refused
        """
        refused = digest(value)

        def forget(row: TokenRow, _: float) -> None:
            if row.access_digest == refused:
                row.drop_access()

        self._refused.add(refused)
        self._kept.drop(key, value)
        try:
            change(self._store(), key, forget)
        except StoreError as error:
            self._warn(error)

    def adopt(self, key: str, seed: str, token: Token) -> None:
        """Keep tokens that were got by authorising again; whatever was known of the account is replaced.

        :param key: the account
        :param seed: the connection's present refresh token, if any, which must not win over the new one later
        :param token: the new tokens, with a refresh token
        :raises StoreError: when they could not be stored
        """
        if token.refresh_token is None:
            raise ValueError("the token has no refresh token")
        successor, encryptor = token.refresh_token, self._encryptor()

        def replace(row: TokenRow, now: float) -> None:
            row.seed_with(encryptor, seed)
            row.set_refresh(encryptor, successor)
            row.set_access(encryptor, token.value, token.lifetime, RENEW_AT, now)

        self._kept.drop(key)
        self._unsaved.pop(key, None)
        change(self._store(), key, replace)

    def _shared(self, key: str, fetch: Callable[[], Token]) -> Live:
        """Return the token that all processes share, getting it if nobody else does."""
        fetching = Fetching(self._store(), self._encryptor(), key, self._lease, self._refused)
        step = self._acquire(fetching.store, key, fetching.claim)
        if isinstance(step, Live):
            return step
        token = fetching.call(lambda: _counted(key, fetch))
        # A vendor may give the same token again while it lives.
        self._refused.discard(digest(token.value))
        try:
            return fetching.save(token)
        except StoreError as error:
            self._warn(error)
            return new_token(token)

    def _rotate(self, key: str, rotation: Rotation, refresh: Callable[[str], Token]) -> Live:
        if (unsaved := self._unsaved.get(key)) is not None:
            former, claimed, token = unsaved
            former.save(claimed, token)
            self._saved(key, unsaved)
        for _ in range(10):
            step = self._acquire(rotation.store, key, rotation.claim)
            if isinstance(step, Live):
                return step
            found = shielded(partial(self._exchange, key, rotation, step, refresh))
            if found is not None:
                return found
        raise StoreError(StoreFailure.LOCKED, rotation.store.where, "others keep replacing the token")

    def _exchange(self, key: str, rotation: Rotation, claimed: Claimed, refresh: Callable[[str], Token]) -> Live | None:
        """Spend a refresh token and store its successor; None when the caller should look again."""
        token = rotation.spend(claimed, refresh)
        if token is None:
            return None
        self._refused.discard(digest(token.value))
        unsaved = self._unsaved[key] = (rotation, claimed, token)
        found = rotation.save_patiently(claimed, token)
        self._saved(key, unsaved)
        return found

    def _saved(self, key: str, unsaved: tuple[Rotation, Claimed, Token]) -> None:
        # A call that was interrupted may still be saving an earlier one in its own thread.
        if self._unsaved.get(key) is unsaved:
            self._unsaved.pop(key, None)

    def _acquire(self, used: Store, key: str, claim: Claim) -> Live | Claimed:
        """Wait until there is a live token or the lease is ours."""
        began, look, deadline = None, FIRST_LOOK, self._clock() + MAX_WAIT
        while True:
            step = update_row_and_claim(used, key, lambda row, now, take: claim(row, now, began, take))  # noqa: B023
            if not isinstance(step, Busy):
                return step
            if self._clock() > deadline:
                raise StoreError(
                    StoreFailure.LOCKED, used.where, "another process has been getting a token for minutes"
                )
            began = step.now if began is None else began
            self._sleep(look)
            look = min(2 * look, MAX_LOOK)

    def _alone(self, key: str, fetch: Callable[[], Token], error: StoreError) -> str:
        self._warn(error)
        if (kept := self._kept.keep_on(key)) is not None:
            return kept
        token = _counted(key, fetch)
        self._refused.discard(digest(token.value))
        return self._kept.keep(key, new_token(token))

    def _warn(self, error: StoreError) -> None:
        metrics.count("mkt.store.failures", what="tokens")
        level = logging.DEBUG if self._warned else logging.WARNING
        self._warned = True
        log.log(level, "%s Until it works again, this process keeps its tokens to itself.", error)

    def after_fork(self) -> None:
        """Forget, in a forked child, what the parent's threads are at, and what the parent still saves."""
        self._flights.after_fork()
        self._unsaved = {}


TOKENS = Tokens()
"""The tokens of every account this process uses."""

os.register_at_fork(after_in_child=TOKENS.after_fork)
