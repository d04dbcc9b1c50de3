# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Which connections may be delivered to, and by what a delivery is known: read from Airflow, and kept for seconds."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from airflow_provider_mkt.clock import monotonic
from airflow_provider_mkt.exceptions import ApiError
from airflow_provider_mkt.hooks.account import Account, account_name, account_of, secrets_of
from airflow_provider_mkt.state.encryption import digest
from airflow_provider_mkt.vendors import installed_vendors
from airflow_provider_mkt.vendors.base import Webhooks
from airflow_provider_mkt.webhooks.assets import CONN_ID

FRESH = 5.0
"""Seconds for which an answer is kept, also that there is none: a new secret is believed after that at the latest."""
MAX_KEPT = 256


@dataclass(frozen=True)
class Sender:
    """Who may deliver to one connection.

    :param conn_id: the connection
    :param account: digest of the account's name
    :param facts: how the vendor delivers
    :param proofs: the secrets or tokens that are believed, the former ones included
    """

    conn_id: str
    account: str
    facts: Webhooks
    proofs: tuple[str, ...] = field(repr=False)


def sender_of(conn_id: str) -> Sender | None:
    """Return who may deliver to a connection; None when nobody may.

    :param conn_id: the connection in the address
    :raises StoreError: when the secrets that were created from here cannot be read
    """
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowException

    if CONN_ID.fullmatch(conn_id) is None:
        return None
    try:
        connection = BaseHook.get_connection(conn_id)
        vendor = next((each for each in installed_vendors() if each.conn_type == connection.conn_type), None)
        if vendor is None:
            return None
        account = account_of(vendor, connection)
    except (AirflowException, ApiError):
        return None
    return sender_for(account)


def sender_for(account: Account) -> Sender | None:
    """Return who may deliver to a connection; None when nobody may, because there is no secret and no token.

    :param account: the checked connection
    :raises StoreError: as :func:`sender_of`
    """
    facts = account.vendor.webhooks
    if facts is None:
        return None
    proofs = tuple(dict.fromkeys(_proofs(account, facts)))
    return Sender(account.conn_id, digest(account_name(account)), facts, proofs) if proofs else None


def _proofs(account: Account, facts: Webhooks) -> list[str]:
    extras = account.extras
    present = extras["webhook_secret" if facts.signed else "webhook_token"]
    known = [each for each in (present, extras["previous_webhook_secret"]) if each]
    if facts.signed:
        kept = secrets_of(account)
        known += [secret for row in kept.rows() if (secret := kept.secret(row)) is not None]
    return known


class Senders:
    """Remembers for a few seconds who may deliver.

    :param find: looks it up, as :func:`sender_of` does
    :param clock: seconds
    """

    def __init__(
        self, find: Callable[[str], Sender | None] = sender_of, clock: Callable[[], float] = monotonic
    ) -> None:
        self._find, self._clock = find, clock
        self._known: OrderedDict[str, tuple[float, Sender | None]] = OrderedDict()
        self._lock = threading.Lock()

    def recent(self, conn_id: str) -> tuple[Sender | None, bool]:
        """Return what is remembered, and whether anything is."""
        with self._lock:
            read_at, sender = self._known.get(conn_id, (None, None))
        fresh = read_at is not None and self._clock() - read_at < FRESH
        return (sender, True) if fresh else (None, False)

    def look_up(self, conn_id: str) -> Sender | None:
        """Look it up, and remember it.

        :raises StoreError: as :func:`sender_of`
        """
        sender = self._find(conn_id)
        with self._lock:
            self._known[conn_id] = (self._clock(), sender)
            self._known.move_to_end(conn_id)
            while len(self._known) > MAX_KEPT:
                self._known.popitem(last=False)
        return sender
