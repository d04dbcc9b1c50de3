# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Answers of vendors that triggerers share: what one has just read, the others need not ask for.

Answers are encrypted, as they may hold personal data, and are dropped after an hour. Ages go by the database's clock.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from airflow_provider_mkt.client.durations import HOUR
from airflow_provider_mkt.state.database.shared import store
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import Encryptor, configured_encryptor
from airflow_provider_mkt.state.errors import StoreError

LEASE = 30.0
"""Seconds for which the others wait for the one that asks. When it dies, another one asks after that."""
MAX_LENGTH = 2_000_000
"""Characters of an encrypted answer up to which it is shared."""
PURGE_EVERY = 200

_READ = (
    "SELECT answer, {clock} - read_at AS age, asked_until - {clock} AS asked FROM mkt_answer "
    "WHERE account = :account AND question = :question"
)
_ASK = (
    "INSERT INTO mkt_answer (account, question, answer, read_at, asked_until) "
    "VALUES (:account, :question, NULL, 0, {clock} + :lease) "
    "ON CONFLICT (account, question) DO UPDATE SET asked_until = {clock} + :lease "
    "WHERE mkt_answer.asked_until <= {clock} AND mkt_answer.read_at <= {clock} - :max_age"
)
_KEEP = (
    "INSERT INTO mkt_answer (account, question, answer, read_at, asked_until) "
    "VALUES (:account, :question, :answer, {clock} - :age, 0) ON CONFLICT (account, question) "
    "DO UPDATE SET answer = excluded.answer, read_at = excluded.read_at, asked_until = 0"
)
_FREE = "UPDATE mkt_answer SET asked_until = 0 WHERE account = :account AND question = :question"
_PURGE = "DELETE FROM mkt_answer WHERE read_at < {clock} - :kept AND asked_until < {clock}"


@dataclass(frozen=True)
class Shared:
    """An answer that somebody has read.

    :param answer: the JSON
    :param age: seconds since it was asked for
    """

    answer: Any
    age: float


@dataclass(frozen=True)
class Wait:
    """Somebody else is asking right now.

    :param seconds: how long that may take at most
    """

    seconds: float


class SharedAnswers:
    """The answers that processes share.

    :param get_store: returns the store
    :param get_encryptor: returns what encrypts answers
    """

    def __init__(
        self, get_store: Callable[[], Store] = store, get_encryptor: Callable[[], Encryptor] = configured_encryptor
    ) -> None:
        self._store, self._encryptor = get_store, get_encryptor
        self._until_purge = 0

    def take(self, account: str, question: str, max_age: float) -> Shared | Wait | None:
        """Return an answer that is young enough, or that somebody is asking for it; None makes the caller that one.

        :param account: digest of what the vendor counts by
        :param question: digest of the request
        :param max_age: seconds; an older answer is none
        :raises StoreError: when the store fails
        """
        used = self._store()
        read, ask = text(_READ.format(clock=used.clock)), text(_ASK.format(clock=used.clock))
        names = {"account": account, "question": question}

        def work(connection: Connection) -> tuple[str, float] | Wait | None:
            row = connection.execute(read, names).one_or_none()
            if row is not None and row.answer is not None and row.age < max_age:
                return row.answer, row.age
            mine = connection.execute(ask, {**names, "lease": LEASE, "max_age": max_age}).rowcount
            return None if mine else Wait(max(0.0, row.asked) if row is not None else LEASE)

        found = used.run(work)
        if not isinstance(found, tuple):
            return found
        answer = self._opened(found[0])
        return None if answer is None else Shared(answer[0], found[1])

    def keep(self, account: str, question: str, answer: Any, age: float) -> None:
        """Share an answer.

        :param answer: JSON
        :param age: seconds since it was asked for
        :raises StoreError: when the store fails
        """
        used = self._store()
        packed = base64.b85encode(zlib.compress(json.dumps(answer).encode(), 1)).decode()
        encrypted = self._encryptor().encrypt(packed)
        if len(encrypted) > MAX_LENGTH:
            self.free(account, question)
            return
        values = {"account": account, "question": question, "answer": encrypted, "age": age}
        purge = self._until_purge <= 0

        def work(connection: Connection) -> None:
            connection.execute(text(_KEEP.format(clock=used.clock)), values)
            if purge:
                connection.execute(text(_PURGE.format(clock=used.clock)), {"kept": HOUR})

        used.run(work)
        self._until_purge = PURGE_EVERY if purge else self._until_purge - 1

    def free(self, account: str, question: str) -> None:
        """Let others ask: there is no answer to share.

        :raises StoreError: when the store fails
        """
        names = {"account": account, "question": question}
        self._store().run(lambda connection: connection.execute(text(_FREE), names))

    def _opened(self, encrypted: str) -> tuple[Any] | None:
        """Return the answer in a tuple, as it may be null; None when the present Fernet keys cannot decrypt it."""
        try:
            packed = self._encryptor().decrypt(encrypted)
        except StoreError:
            return None
        return (json.loads(zlib.decompress(base64.b85decode(packed))),)
