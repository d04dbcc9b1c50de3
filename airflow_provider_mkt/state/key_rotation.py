# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A new Fernet key: everything that is stored encrypted is encrypted again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import Encryptor
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.state.webhook_secrets import purge

ENCRYPTED = {
    "mkt_token": (("name",), ("access", "refresh")),
    "mkt_webhook": (("account", "webhook_id"), ("secret",)),
    "mkt_inbox": (("id",), ("payload",)),
}
"""Every table with secrets: the columns of its key, and those that are encrypted."""


@dataclass(frozen=True)
class Reencrypted:
    """What became of the stored secrets.

    :param encrypted: how many are encrypted with the present key now
    :param unreadable: how many none of the keys decrypts; they were left as they are
    """

    encrypted: int
    unreadable: int


def reencrypt_all(store: Store, encryptor: Encryptor) -> Reencrypted:
    """Encrypt every stored secret again with the present Fernet key, after a rotation of that key.

    Webhooks that were retired long ago are dropped. A secret that cannot be read keeps nobody from rotating: it may be
    that of a connection which is long gone.

    :raises StoreError: when the store fails; nothing is changed then
    """

    def work(connection: Connection) -> Reencrypted:
        purge(connection, store.clock)
        counts = Counter[bool]()
        for table, (key, encrypted) in ENCRYPTED.items():
            counts += _reencrypt_table(connection, encryptor, table, key, encrypted)
        return Reencrypted(counts[True], counts[False])

    return store.run(work, durable=True)


def _reencrypt_table(
    connection: Connection, encryptor: Encryptor, table: str, key: Sequence[str], encrypted: Sequence[str]
) -> Counter[bool]:
    """Return how many secrets of a table could be read, and how many could not."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"))
    changes, where = (", ".join(_set(encrypted)), " AND ".join(_set(key)))
    update = text(f"UPDATE {table} SET {changes} WHERE {where}")  # noqa: S608 - constants
    select = text(f"SELECT {', '.join((*key, *encrypted))} FROM {table}")  # noqa: S608 - constants
    counts = Counter[bool]()
    for row in connection.execute(select).mappings().all():
        secrets = {name: row[name] for name in encrypted}
        for name, secret in secrets.items():
            if secret is not None:
                secrets[name] = _reencrypted(encryptor, secret)
                counts[secrets[name] is not None] += 1
        # What cannot be read stays: its key may be found yet.
        connection.execute(update, {name: secrets.get(name) or row[name] for name in (*key, *encrypted)})
    return counts


def _reencrypted(encryptor: Encryptor, secret: str) -> str | None:
    try:
        return encryptor.reencrypt(secret)
    except StoreError:
        return None


def _set(names: Sequence[str]) -> list[str]:
    return [f"{name} = :{name}" for name in names]
