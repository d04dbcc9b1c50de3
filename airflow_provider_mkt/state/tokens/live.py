# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What an account's row may show: a live token, somebody at work on one, or the lease."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache

from airflow_provider_mkt.client.auth import Token
from airflow_provider_mkt.state.encryption import Encryptor
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.state.tokens.table import RENEW_AT, TokenRow

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Live:
    """A token to use.

    :param value: the access token
    :param renew_in: seconds until another one should be got
    :param expires_in: seconds until it ends
    """

    value: str = field(repr=False)
    renew_in: float
    expires_in: float


@dataclass(frozen=True)
class Busy:
    """Somebody else is getting a token, as of ``now`` by the database's clock."""

    now: float


@dataclass(frozen=True)
class Claimed:
    """The lease is ours.

    :param refresh: the refresh token to spend, where there is one
    :param digest: its digest
    :param again: it may have been spent before
    """

    refresh: str = field(default="", repr=False)
    digest: str = ""
    again: bool = False


def new_token(token: Token) -> Live:
    """Return a token that has just been got."""
    return Live(token.value, token.lifetime * RENEW_AT, token.lifetime)


def live(
    row: TokenRow, now: float, encryptor: Encryptor, refused: Collection[str], *, stale: bool = False
) -> Live | None:
    """Return the row's access token, if there is one to use.

    :param refused: digests of tokens that a vendor refused; they are dropped from the row
    :param stale: whether one that should be renewed will do, because somebody is about to
    """
    if row.access is None or now >= (row.expires_at if stale else row.renew_at):
        return None
    if row.access_digest not in refused:
        try:
            return Live(encryptor.decrypt(row.access), row.renew_at - now, row.expires_at - now)
        except StoreError:
            say_that_keys_differ()
    row.drop_access()
    return None


@lru_cache(maxsize=1)
def say_that_keys_differ() -> None:
    """Say, once a process, that somebody with another Fernet key uses the same store."""
    log.error(
        "A token in the shared state store was encrypted with another [core] fernet_key, so it is fetched again. If "
        "this goes on, deployments or hosts with different keys share one store: each fetches what the other one has "
        "just replaced, for ever. Give all of them the same keys, or each deployment a store of its own ([mkt] "
        "state_url)."
    )
