# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Single-use refresh tokens: each is spent once, under a lease, with a journal, and its successor stored before use.

Before the call, "refresh begun" is committed; that proves the store can be written, too. After it the successor is
committed, and only then is the access token used. Whoever finds the journal open, after a crash or a lost answer, tries
the same token once more: the call may never have reached the vendor, and vendors often accept a token again for a short
while. When it is refused then, it is gone: that is remembered, nothing spends it again, and every caller gets the same
error until the account is authorised again. While answers keep being lost, tries are further and further apart.

Call and commit are made in a thread of their own, which no timeout of the task interrupts.

Without the store nothing is spent. If the store fails between the call and the commit, saving is repeated for half a
minute and then with every later call of this process.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Collection
from contextlib import suppress

from airflow_provider_mkt import metrics
from airflow_provider_mkt.client.auth import Token
from airflow_provider_mkt.exceptions import ApiError, AuthenticationError, OutcomeUnknownError
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import Encryptor, digest
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.state.patience import patiently
from airflow_provider_mkt.state.tokens.lease import LeaseHeartbeat
from airflow_provider_mkt.state.tokens.live import Busy, Claimed, Live, live, new_token
from airflow_provider_mkt.state.tokens.refresh_outcome import (
    GIVEN_TO_ANOTHER,
    NOT_AUTHORISED,
    RefreshOutcome,
    reauthorise_message,
    refresh_outcome,
)
from airflow_provider_mkt.state.tokens.table import MAX_PAUSE, RENEW_AT, ClaimSeed, TokenRow, change

log = logging.getLogger(__name__)

SAVE_PATIENCE = 30.0
"""Seconds for which storing a successor is repeated."""


class Rotation:
    """The way to a live token of one account.

    :param store: the store
    :param encryptor: encrypts secrets
    :param key: the account
    :param seed: the connection's refresh token, or "" when only the store has one
    :param lease: seconds after which whoever was spending a token is taken to be dead
    :param issuer: who issued the seed; only one account may spend it
    :param refused: digests of access tokens that the vendor refused
    """

    def __init__(
        self,
        store: Store,
        encryptor: Encryptor,
        key: str,
        seed: str,
        *,
        lease: float,
        issuer: str = "",
        refused: Collection[str] = (),
    ) -> None:
        self.store = store
        self._encryptor, self._key, self._seed, self._lease, self._refused = encryptor, key, seed, lease, refused
        self._issued = digest(f"{issuer}\n{seed}")
        self._owner = uuid.uuid4().hex
        self._tried_twice = False

    def claim(self, row: TokenRow, now: float, began: float | None, take_over: ClaimSeed) -> Live | Busy | Claimed:
        """Return a live token, or begin a refresh: take the lease and open the journal.

        :param began: since when the caller has been waiting
        :param take_over: makes sure that no other account has the seed
        :raises AuthenticationError: when the account must be authorised again, or the seed is another account's
        :raises OutcomeUnknownError: when it is too early to try a token of unknown fate again
        :raises ApiError: what the refresh that the caller has been waiting for failed with
        """
        self._note_seed(row, take_over)
        self._raise_if_hopeless(row, began)
        busy = row.leased_to_another(self._owner, now)
        early = row.begun_at is not None and now < row.not_before
        if (found := live(row, now, self._encryptor, self._refused, stale=busy or early)) is not None:
            return found
        if early and not busy:
            self._raise_if_much_too_early(row, now)
        return Busy(now) if busy or early else self._begin(row, now)

    def _note_seed(self, row: TokenRow, take_over: ClaimSeed) -> None:
        """Start afresh when the connection has another refresh token than ever before."""
        if not self._seed:
            return
        if digest(self._seed) not in row.seeds:
            if not take_over(digest(self._seed), self._issued, GIVEN_TO_ANOTHER):
                raise AuthenticationError(GIVEN_TO_ANOTHER)
            row.seed_with(self._encryptor, self._seed)
        if self._issued not in row.seeds:
            row.note_seed(self._issued)

    def _raise_if_hopeless(self, row: TokenRow, began: float | None) -> None:
        if row.refresh is None:
            raise AuthenticationError(NOT_AUTHORISED)
        if row.unusable_reason:
            raise AuthenticationError(row.unusable_reason)
        if (failure := row.failure_since(began)) is not None:
            raise failure

    def _raise_if_much_too_early(self, row: TokenRow, now: float) -> None:
        """A short wait for the next try of a token of unknown fate is waited for; a long one is not."""
        left = row.not_before - now
        if left > self._lease:
            raise OutcomeUnknownError(
                f"The answer to a token refresh was lost; whether it was executed is unknown. The next try is in "
                f"{left:.0f} s.",
                retry_after=left,
            )

    def _begin(self, row: TokenRow, now: float) -> Claimed:
        if row.refresh is None or row.refresh_digest is None:
            raise RuntimeError("the account has no refresh token")
        again = row.begun_at is not None
        row.lease, row.lease_until = self._owner, now + self._lease
        row.begun_at = row.begun_at if row.begun_at is not None else now
        row.not_before = now + min(self._lease * 2.0 ** min(row.tries, 20), MAX_PAUSE)
        row.tries += 1
        return Claimed(self._encryptor.decrypt(row.refresh), row.refresh_digest, again)

    def spend(self, claimed: Claimed, refresh: Callable[[str], Token]) -> Token | None:
        """Make the vendor's call.

        :return: the new tokens, not stored yet; None when the caller should look again
        :raises ApiError: see :meth:`claim`, or what ``refresh`` raised when the token is certainly unspent
        """
        try:
            with LeaseHeartbeat(self.store, self._key, self._owner, self._lease):
                token = refresh(claimed.refresh)
        except ApiError as error:
            metrics.token(self._key, "failed")
            self._settle_failure(claimed, error)
            return None
        except BaseException:
            # The journal stays open. Should the store fail as well, the lease runs out by itself.
            with suppress(StoreError):
                change(self.store, self._key, lambda row, _: row.release(self._owner))
            raise
        metrics.token(self._key, "refreshed")
        return token

    def _settle_failure(self, claimed: Claimed, error: ApiError) -> None:
        """Settle a failed call; return when another look at the store may help."""
        verdict = refresh_outcome(error, again=claimed.again)
        log.warning("A token refresh failed, the refresh token is %s: %s", verdict.value, error)
        dead = change(self.store, self._key, lambda row, now: self._settle(row, now, claimed, error))
        if dead:
            raise AuthenticationError(dead) from error
        if verdict is RefreshOutcome.UNSPENT or (verdict is RefreshOutcome.LOST and self._tried_twice):
            raise error
        self._tried_twice = self._tried_twice or verdict is RefreshOutcome.LOST

    def _settle(self, row: TokenRow, now: float, claimed: Claimed, error: ApiError) -> str | None:
        """Note a failed call in the row. Returns why the account is dead, if it is now."""
        verdict = refresh_outcome(error, again=claimed.again)
        row.release(self._owner)
        if row.refresh_digest != claimed.digest:
            return None
        if verdict is RefreshOutcome.REFUSED:
            begun = row.begun_at if claimed.again else None
            row.unusable_reason = reauthorise_message(error, None if begun is None else max(0.0, now - begun))
        elif verdict is RefreshOutcome.UNSPENT:
            row.tries -= 1
            row.not_before = now
            if not claimed.again:
                row.close_journal()
            row.note_failure(error, now)
        elif not self._tried_twice:
            row.not_before = now
        return row.unusable_reason

    def save(self, claimed: Claimed, token: Token) -> Live | None:
        """Store the successor and the access token.

        :return: the token, or None when another refresh token is in force by now
        :raises StoreError: when it could not be stored
        """
        successor = token.refresh_token or claimed.refresh

        def work(row: TokenRow, now: float) -> Live | None:
            row.release(self._owner)
            if row.refresh_digest == claimed.digest:
                row.set_refresh(self._encryptor, successor)
                row.set_access(self._encryptor, token.value, token.lifetime, RENEW_AT, now)
            elif row.refresh_digest != digest(successor):
                return None
            # Else it is stored already, and somebody may have begun to spend it.
            return new_token(token)

        return change(self.store, self._key, work)

    def save_patiently(self, claimed: Claimed, token: Token) -> Live | None:
        """Store as :meth:`save`, again and again for half a minute: what is not stored now is lost."""
        try:
            return patiently(lambda: self.save(claimed, token), SAVE_PATIENCE)
        except StoreError as error:
            log.error(  # noqa: TRY400 - the trace says no more
                "A new refresh token could not be stored and exists only in the memory of this process, which keeps "
                "trying while it runs. If it ends before that, the account must be authorised again. %s",
                error,
            )
            raise
