# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The webhook subscriptions that were made from here, with the secrets that vendors show only once.

A row is written as soon as the vendor's answer has arrived, before anything else is noted of it. It also remembers what
a vendor's list may not show yet. Secrets are encrypted, addresses are digests: some of them end with a token.

A subscription that is replaced or gone is retired. Its secret is kept for a day: deliveries signed with it may be under
way, or be tried again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Connection, text

from airflow_provider_mkt.client.durations import DAY
from airflow_provider_mkt.state.database.shared import store
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import Encryptor, configured_encryptor, digest
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.state.patience import patiently

log = logging.getLogger(__name__)

RETIRED_KEPT = DAY
"""Seconds for which the secret of a retired subscription is kept."""
SAVE_PATIENCE = 30.0
"""Seconds for which storing a new secret is repeated: the vendor does not show it again."""

_SELECT = "SELECT webhook_id, address, events, secret, made_by, kept_at, retired_at, {clock} AS now FROM mkt_webhook"
_INSERT = (
    "INSERT INTO mkt_webhook (account, webhook_id, address, events, secret, made_by, kept_at, retired_at) "
    "VALUES (:account, :webhook_id, :address, :events, :secret, :made_by, {clock}, NULL) "
    "ON CONFLICT (account, webhook_id) DO UPDATE SET address = :address, events = :events, secret = :secret, "
    "made_by = :made_by, kept_at = {clock}, retired_at = NULL"
)
_RETIRE = (
    "UPDATE mkt_webhook SET retired_at = {clock} "
    "WHERE account = :account AND webhook_id = :webhook_id AND retired_at IS NULL"
)
_PURGE = "DELETE FROM mkt_webhook WHERE retired_at < {clock} - :kept"


@dataclass(frozen=True)
class Kept:
    """What is remembered of one subscription.

    :param webhook_id: the vendor's id
    :param address: digest of the address that it was made for, without its token
    :param events: what it was made for
    :param encrypted: the encrypted secret; None where the vendor does not sign
    :param made_by: key of the submission that made it; None when it was found at the vendor
    :param age: seconds since it was made or found
    :param retired: whether it was replaced, or is gone
    """

    webhook_id: str
    address: str
    events: frozenset[str]
    encrypted: str | None = field(repr=False)
    made_by: str | None
    age: float
    retired: bool


class WebhookSecrets:
    """The subscriptions of one account.

    :param account: name of the account; it must stay the same when only its password changes
    :param get_store: returns the store
    :param get_encryptor: returns what encrypts secrets
    """

    def __init__(
        self,
        account: str,
        get_store: Callable[[], Store] = store,
        get_encryptor: Callable[[], Encryptor] = configured_encryptor,
    ) -> None:
        self._account, self._store, self._encryptor = digest(account), get_store, get_encryptor

    def rows(self) -> list[Kept]:
        """Return what is remembered, the latest first.

        :raises StoreError: when the store fails
        """
        used = self._store()
        select = text(
            f"{_SELECT.format(clock=used.clock)} WHERE account = :account "
            f"AND (retired_at IS NULL OR retired_at >= {used.clock} - :kept) ORDER BY kept_at DESC, webhook_id"
        )

        def work(connection: Connection) -> list[Kept]:
            values = {"account": self._account, "kept": RETIRED_KEPT}
            return [_kept(row) for row in connection.execute(select, values)]

        return used.run(work)

    def secret(self, kept: Kept) -> str | None:
        """Return the secret in the clear; None when there is none, or none of the present Fernet keys decrypts it."""
        if kept.encrypted is None:
            return None
        try:
            return self._encryptor().decrypt(kept.encrypted)
        except StoreError as error:
            log.warning("The secret of webhook %s cannot be read. %s", kept.webhook_id, error)
            return None

    def ready_for_secrets(self) -> None:
        """Make sure that a secret could be encrypted.

        :raises StoreError: when there is no usable Fernet key
        """
        self._encryptor()

    def keep(
        self,
        webhook_id: str,
        address: str,
        events: Collection[str],
        secret: str | None,
        *,
        made_by: str | None = None,
    ) -> None:
        """Remember a new subscription, and drop what was retired long ago. A failing store is tried again for a while.

        :param webhook_id: the vendor's id
        :param address: its address, without its token
        :param events: what it is for
        :param secret: its secret; None where the vendor does not sign
        :param made_by: key of the submission that made it
        :raises StoreError: when it could not be stored
        """
        values = {
            "account": self._account,
            "webhook_id": webhook_id,
            "address": digest(address),
            "events": json.dumps(sorted(events)),
            "made_by": made_by,
            "secret": None if secret is None else self._encryptor().encrypt(secret),
        }
        patiently(lambda: self._save(values), SAVE_PATIENCE)

    def _save(self, values: dict[str, Any]) -> None:
        used = self._store()
        used.run(partial(_keep, clock=used.clock, values=values), durable=True)

    def retire(self, webhook_ids: Collection[str]) -> None:
        """Note that subscriptions are being replaced, or are gone.

        :raises StoreError: when the store fails
        """
        used = self._store()
        update = text(_RETIRE.format(clock=used.clock))
        values = [{"account": self._account, "webhook_id": webhook_id} for webhook_id in webhook_ids]
        if values:
            used.run(lambda connection: connection.execute(update, values), durable=True)


def purge(connection: Connection, clock: str) -> None:
    """Drop the subscriptions that were retired long ago.

    :param connection: in a transaction
    :param clock: the database's clock, as SQL
    """
    connection.execute(text(_PURGE.format(clock=clock)), {"kept": RETIRED_KEPT})


def _keep(connection: Connection, clock: str, values: dict[str, Any]) -> None:
    purge(connection, clock)
    connection.execute(text(_INSERT.format(clock=clock)), values)


def _kept(row: Any) -> Kept:
    return Kept(
        webhook_id=row.webhook_id,
        address=row.address,
        events=frozenset(json.loads(row.events)),
        encrypted=row.secret,
        made_by=row.made_by,
        age=row.now - row.kept_at,
        retired=row.retired_at is not None,
    )
