# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The inbox: verified deliveries of webhooks, each kept once, from its receipt until a week later.

A delivery is stored before the vendor is told that it arrived. Its payload is encrypted: it may hold personal data.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, text

from airflow_provider_mkt.client.durations import DAY
from airflow_provider_mkt.state.database.shared import store
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.doorbell import RING, Doorbell
from airflow_provider_mkt.state.encryption import Encryptor, configured_encryptor
from airflow_provider_mkt.state.errors import StoreError

KEPT = 7 * DAY
"""Seconds for which a delivery is kept, and for which a repetition is recognised."""
PURGE_EVERY = 500
"""Deliveries after which the old ones are dropped."""
LOOKED_BACK = 500
"""Rows before the last one seen that are looked at again: a transaction that began earlier may end later."""

PENDING, HANDED_OVER, UNWANTED, UNREADABLE = "pending", "handed over", "no consumer", "unreadable"
STATES = (PENDING, HANDED_OVER, UNWANTED, UNREADABLE)

COLUMNS = "id, conn_id, event, identity, payload, received_at, state, replays"
_INSERT = (
    "INSERT INTO mkt_inbox "
    "(account, conn_id, event, subject, identity, payload, received_at, state, not_before, replays) "
    "VALUES (:account, :conn_id, :event, :subject, :identity, :payload, {clock}, 'pending', 0, 0) "
    "ON CONFLICT (conn_id, identity) DO NOTHING"
)
_PURGE = "DELETE FROM mkt_inbox WHERE received_at < {clock} - :kept"
_DUE = (
    f"SELECT {COLUMNS} FROM mkt_inbox "  # noqa: S608 - constants
    "WHERE state = 'pending' AND not_before <= {clock} ORDER BY id LIMIT :limit"
)
_ONE = f"SELECT {COLUMNS} FROM mkt_inbox WHERE id = :id"  # noqa: S608 - constants
_SETTLE = "UPDATE mkt_inbox SET state = :state, not_before = {clock} + :pause WHERE id = :id"
_REPLAY = "UPDATE mkt_inbox SET state = 'pending', not_before = 0, replays = replays + 1 WHERE id = :id"
_LATEST = "SELECT COALESCE(MAX(id), 0) FROM mkt_inbox"
_NEWS = "SELECT id, account, subject FROM mkt_inbox WHERE id > :after ORDER BY id"


@dataclass(frozen=True)
class Delivery:
    """A verified delivery.

    :param account: digest of the account's name
    :param conn_id: the connection in its address
    :param event: the event's name
    :param subject: digest of the id of what it is about; "" when that is not known
    :param identity: digest of what tells this event from all others of the connection
    :param payload: the JSON object, as it came
    """

    account: str
    conn_id: str
    event: str
    subject: str
    identity: str
    payload: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Row:
    """A delivery in the inbox.

    :param id: its number, in the order of arrival
    :param conn_id: the connection in its address
    :param event: the event's name
    :param identity: as in :class:`Delivery`
    :param encrypted: the payload
    :param received_at: Unix time by the store's clock
    :param state: one of :data:`STATES`
    :param replays: how often it was handed over again on request
    """

    id: int
    conn_id: str
    event: str
    identity: str
    encrypted: str = field(repr=False)
    received_at: float
    state: str
    replays: int


@dataclass(frozen=True)
class News:
    """That something arrived.

    :param id: number of the delivery
    :param account: digest of the account's name
    :param subject: digest of the id of what it is about, or ""
    """

    id: int
    account: str
    subject: str


class Inbox:
    """The deliveries of all connections.

    :param get_store: returns the store
    :param get_encryptor: returns what encrypts payloads
    """

    def __init__(
        self, get_store: Callable[[], Store] = store, get_encryptor: Callable[[], Encryptor] = configured_encryptor
    ) -> None:
        self._store, self._encryptor = get_store, get_encryptor
        self._until_purge = 0

    def add(self, deliveries: Sequence[Delivery]) -> int:
        """Store deliveries in one transaction, so that they outlive a power failure.

        :param deliveries: what arrived; what is there already is passed over
        :return: how many are new
        :raises StoreError: when none of them was stored
        """
        used, encryptor = self._store(), self._encryptor()
        rows = [
            {
                "account": each.account,
                "conn_id": each.conn_id,
                "event": each.event,
                "subject": each.subject,
                "identity": each.identity,
                "payload": encryptor.encrypt(json.dumps(each.payload)),
            }
            for each in deliveries
        ]
        insert = text(_INSERT.format(clock=used.clock))
        purge = self._until_purge <= 0

        def work(connection: Connection) -> int:
            if purge:
                connection.execute(text(_PURGE.format(clock=used.clock)), {"kept": KEPT})
            added = sum(connection.execute(insert, row).rowcount for row in rows)
            if added and used.kind == "postgresql":
                connection.execute(text(RING))
            return added

        added = used.run(work, durable=True)
        self._until_purge = (PURGE_EVERY if purge else self._until_purge) - len(rows)
        return added

    def doorbell(self) -> Doorbell:
        """Return what rings when something is added."""
        return Doorbell(self._store)

    def due(self, limit: int = 100) -> list[Row]:
        """Return the deliveries that are to be handed over now, in the order of their arrival.

        :raises StoreError: when the store fails
        """
        used = self._store()
        select = text(_DUE.format(clock=used.clock))
        return used.run(lambda connection: [_row(row) for row in connection.execute(select, {"limit": limit})])

    def settle(self, row_id: int, state: str, pause: float = 0.0) -> None:
        """Note what became of a delivery. A power failure may undo that: then it is handed over again, to no effect.

        :param row_id: its number
        :param state: one of :data:`STATES`
        :param pause: seconds before a pending one is due again
        :raises StoreError: when the store fails
        """
        used = self._store()
        update, values = text(_SETTLE.format(clock=used.clock)), {"id": row_id, "state": state, "pause": pause}
        used.run(lambda connection: connection.execute(update, values))

    def replay(self, row_id: int) -> bool:
        """Let a delivery be handed over again.

        :return: whether there is one of that number
        :raises StoreError: when the store fails
        """
        return self._store().run(
            lambda connection: connection.execute(text(_REPLAY), {"id": row_id}).rowcount > 0, durable=True
        )

    def find(
        self, conn_id: str = "", event: str = "", states: Collection[str] = STATES, limit: int = 100, before: int = 0
    ) -> list[Row]:
        """Return the latest deliveries, the newest first.

        :param conn_id: only those of this connection; "" for all
        :param event: only this event; "" for all
        :param states: only in these states
        :param limit: how many at most
        :param before: only those with lower numbers; 0 for all
        :raises StoreError: when the store fails
        """
        select = text(
            f"SELECT {COLUMNS} FROM mkt_inbox WHERE (:conn_id = '' OR conn_id = :conn_id) "  # noqa: S608 - constants
            "AND (:before = 0 OR id < :before) AND (:event = '' OR event = :event) "
            "AND state IN :states ORDER BY id DESC LIMIT :limit"
        ).bindparams(bindparam("states", expanding=True))
        values = {"conn_id": conn_id, "event": event, "states": list(states), "limit": limit, "before": before}
        return self._store().run(lambda connection: [_row(row) for row in connection.execute(select, values)])

    def counts(self) -> dict[str, int]:
        """Return how many deliveries there are in each state.

        :raises StoreError: when the store fails
        """
        statement = text("SELECT state, COUNT(*) FROM mkt_inbox GROUP BY state")
        return self._store().run(lambda connection: {str(k): int(v) for k, v in connection.execute(statement)})

    def get(self, row_id: int) -> Row | None:
        """Return a delivery by its number.

        :raises StoreError: when the store fails
        """
        return self._store().run(
            lambda connection: next((_row(row) for row in connection.execute(text(_ONE), {"id": row_id})), None)
        )

    def payload(self, row: Row) -> dict[str, Any] | None:
        """Return the payload as it came; None when none of the present Fernet keys decrypts it."""
        try:
            payload: dict[str, Any] = json.loads(self._encryptor().decrypt(row.encrypted))
        except StoreError:
            return None
        return payload

    def latest(self) -> int:
        """Return the number of the latest delivery, 0 when there is none.

        :raises StoreError: when the store fails
        """
        return self._store().run(lambda connection: int(connection.execute(text(_LATEST)).scalar_one()))

    def news(self, after: int) -> list[News]:
        """Return what arrived after the delivery ``after``, and a few before it.

        :raises StoreError: when the store fails
        """
        values = {"after": max(0, after - LOOKED_BACK)}
        return self._store().run(lambda connection: [News(*row) for row in connection.execute(text(_NEWS), values)])


def _row(row: Any) -> Row:
    return Row(row.id, row.conn_id, row.event, row.identity, row.payload, row.received_at, row.state, row.replays)
