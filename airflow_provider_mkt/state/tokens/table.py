# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One account's token as stored: read under lock, changed, written back, in one transaction."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, text

from airflow_provider_mkt.exceptions import ApiError, AuthenticationError
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import Encryptor, digest

T = TypeVar("T")

RENEW_AT = 0.8
"""The part of its life after which a token is renewed."""
SEEDS_KEPT = 100
MAX_LEASE = 60.0
"""Seconds that a lease may last from now on. A longer one was taken before the database's clock was set back."""
MAX_PAUSE = 600.0
"""Seconds between two tries of a refresh token whose fate is unknown, at most."""


@dataclass
class TokenRow:
    """What is known of one account's tokens. Secrets are encrypted; moments are Unix seconds by the database's clock.

    :param name: digest of the account's key
    :param access: the encrypted access token
    :param access_digest: its digest, to compare with a token that was refused
    :param renew_at: when to get another one
    :param expires_at: when it ends
    :param lease: who is getting another one at present
    :param lease_until: until when that one is believed to be alive
    :param failed_at: when getting a token last failed
    :param failure: with what, as JSON
    :param seeds: digests of the connection's refresh tokens that were seen: alone, and with who issued them
    :param refresh: the encrypted refresh token
    :param refresh_digest: its digest
    :param begun_at: the journal: when spending the refresh token was begun; None when it certainly is unspent
    :param tries: how often that was begun
    :param not_before: when it may be begun again
    :param unusable_reason: why the refresh token cannot be used any more
    """

    name: str
    access: str | None = field(default=None, repr=False)
    access_digest: str | None = None
    renew_at: float = 0.0
    expires_at: float = 0.0
    lease: str | None = None
    lease_until: float = 0.0
    failed_at: float = 0.0
    failure: str | None = None
    seeds: list[str] = field(default_factory=list)
    refresh: str | None = field(default=None, repr=False)
    refresh_digest: str | None = None
    begun_at: float | None = None
    tries: int = 0
    not_before: float = 0.0
    unusable_reason: str | None = None

    def set_access(self, encryptor: Encryptor, value: str, lifetime: float, renew_at: float, now: float) -> None:
        """Keep a new access token."""
        self.access, self.access_digest = encryptor.encrypt(value), digest(value)
        self.renew_at, self.expires_at = now + lifetime * renew_at, now + lifetime
        self.failed_at, self.failure = 0.0, None

    def drop_access(self) -> None:
        """Forget the access token."""
        self.access = self.access_digest = None
        self.renew_at = self.expires_at = 0.0

    def set_refresh(self, encryptor: Encryptor, value: str) -> None:
        """Keep a refresh token that is unspent."""
        self.refresh, self.refresh_digest = encryptor.encrypt(value), digest(value)
        self.close_journal()
        self.unusable_reason = None

    def close_journal(self) -> None:
        """Note that the refresh token is certainly unspent."""
        self.begun_at, self.tries, self.not_before = None, 0, 0.0

    def note_failure(self, error: ApiError, now: float) -> None:
        """Remember why getting a token failed, for those who wait for it."""
        self.failed_at, self.failure = now, json.dumps(error.to_event())

    def failure_since(self, began: float | None) -> ApiError | None:
        """Return what getting a token failed with since ``began``; None when it did not, or ``began`` is None."""
        if began is None or self.failed_at < began:
            return None
        try:
            event = json.loads(self.failure or "{}")
        except ValueError:  # an earlier version kept the message only
            return AuthenticationError(self.failure or "")
        return ApiError.from_event(event) or AuthenticationError("The vendor refused to issue a token.")

    def release(self, owner: str) -> None:
        """End the lease, if it is still the owner's."""
        if self.lease == owner:
            self.lease, self.lease_until = None, 0.0

    def void_the_impossible(self, now: float) -> None:
        """End what lies further ahead than it can: the database's clock was set back.

        A lease whose owner is alive is extended all the time, so it is cut short rather than ended.
        """
        self.lease_until = min(self.lease_until, now + MAX_LEASE)
        if self.not_before > now + MAX_PAUSE:
            self.not_before = now
        if self.failed_at > now:
            self.failed_at, self.failure = 0.0, None

    def leased_to_another(self, owner: str, now: float) -> bool:
        """Tell whether somebody else is getting a token and believed to be alive."""
        return self.lease not in (None, owner) and now < self.lease_until

    def seed_with(self, encryptor: Encryptor, seed: str) -> None:
        """Start afresh from another refresh token."""
        self.drop_access()
        self.set_refresh(encryptor, seed)
        self.lease, self.lease_until = None, 0.0
        self.note_seed(digest(seed))

    def note_seed(self, name: str) -> None:
        """Remember the digest of a refresh token that was seen."""
        self.seeds = [*(one for one in self.seeds if one != name), name][-SEEDS_KEPT:]


COLUMNS = {field.name: "dead" if field.name == "unusable_reason" else field.name for field in fields(TokenRow)}
"""The fields of a row, with the columns in which they are stored."""
_SELECT = f"SELECT {', '.join(f'{column} AS {name}' for name, column in COLUMNS.items())} FROM mkt_token "  # noqa: S608
_INSERT = text(
    "INSERT INTO mkt_token (name, renew_at, expires_at, lease_until, failed_at, seeds, tries, not_before) "
    "VALUES (:name, 0, 0, 0, 0, '[]', 0, 0) ON CONFLICT (name) DO NOTHING"
)
_UPDATE = text(
    f"UPDATE mkt_token SET {', '.join(f'{column} = :{name}' for name, column in COLUMNS.items() if name != 'name')} "  # noqa: S608
    "WHERE name = :name"
)


_DROP = text("DELETE FROM mkt_token WHERE name = :name AND lease = :owner")
_ELSEWHERE = "name <> :name AND seeds LIKE '%' || :issued || '%' AND coalesce(dead, '') <> :why"
_UNSPENT = "refresh_digest = :token AND begun_at IS NULL AND access IS NULL AND dead IS NULL"
_TAKE = text(f"UPDATE mkt_token SET dead = :why WHERE {_ELSEWHERE} AND {_UNSPENT}")  # noqa: S608 - constants
_OTHERS = text(f"SELECT 1 FROM mkt_token WHERE {_ELSEWHERE} LIMIT 1")  # noqa: S608 - constants

ClaimSeed = Callable[[str, str, str], bool]
"""Gets the digests of a refresh token, alone and with who issued it, and why other accounts cannot use it any more.
Returns False when another one may have spent it; where it is certainly unspent, it is taken from that one."""


def change(store: Store, key: str, step: Callable[[TokenRow, float], T], *, durable: bool = True) -> T:
    """Apply ``step`` to the row of ``key`` and write what it changed, in one transaction.

    :param store: the store
    :param key: the account
    :param step: gets the row and the time, may change the row, returns a result
    :return: the step's result
    :raises StoreError: when the store fails; nothing is changed then
    """
    return update_row_and_claim(store, key, lambda row, now, _: step(row, now), durable=durable)


def update_row_and_claim(
    store: Store, key: str, step: Callable[[TokenRow, float, ClaimSeed], T], *, durable: bool = True
) -> T:
    """Do as :func:`change`, with a step that can also make sure that no other row has the same refresh token."""
    return store.run(lambda connection: _change(connection, store.clock, digest(key), step), durable=durable)


def _change(connection: Connection, clock: str, name: str, step: Callable[[TokenRow, float, ClaimSeed], T]) -> T:
    lock = " FOR UPDATE" if connection.dialect.name == "postgresql" else ""
    select = text(f"{_SELECT}WHERE name = :name{lock}")
    while (found := connection.execute(select, {"name": name}).one_or_none()) is None:
        # Somebody else may make the row at the same time, or drop it.
        connection.execute(_INSERT, {"name": name})
    now: float = connection.execute(text(f"SELECT {clock}")).scalar_one()
    row = TokenRow(**{**found._asdict(), "seeds": json.loads(found.seeds)})
    before = replace(row, seeds=list(row.seeds))
    row.void_the_impossible(now)
    result = step(row, now, partial(_take_over, connection, name))
    if row != before:
        connection.execute(_UPDATE, _values(row))
    return result


def _take_over(connection: Connection, name: str, token: str, issued: str, why: str) -> bool:
    """See :data:`ClaimSeed`; ``name`` is the row that wants the token."""
    wanted = {"name": name, "issued": issued, "why": why}
    if connection.dialect.name == "postgresql":
        # Two accounts that take the same token at once would not see each other.
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": int(issued[:15], 16)})
    connection.execute(_TAKE, {**wanted, "token": token})
    return connection.execute(_OTHERS, wanted).one_or_none() is None


def _values(row: TokenRow) -> dict[str, Any]:
    return {**asdict(row), "seeds": json.dumps(row.seeds)}


def drop(store: Store, key: str, owner: str) -> None:
    """Delete the row of ``key``, if its lease is still the owner's: nothing else is kept in it.

    :raises StoreError: when the store fails
    """
    values = {"name": digest(key), "owner": owner}
    store.run(lambda connection: connection.execute(_DROP, values))


def check_writable(store: Store) -> None:
    """Write a token's row, and take it out again: what cannot be stored later is better known before.

    :raises StoreError: when tokens could not be stored
    """
    row = TokenRow(digest(uuid.uuid4().hex))

    def work(connection: Connection) -> None:
        connection.execute(_INSERT, {"name": row.name})
        connection.execute(_UPDATE, _values(row))
        connection.execute(text("DELETE FROM mkt_token WHERE name = :name"), {"name": row.name})

    store.run(work, durable=True)
