# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Transactions by plain SQL, for what is done with every request: the driver's own cursor, and few round trips.

On PostgreSQL statements that return nothing wait for the next one that does, or for the commit, and travel with it: a
transaction that reads and writes once takes two round trips instead of five.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from types import TracebackType
from typing import Any, Protocol

from sqlalchemy import URL

from airflow_provider_mkt.state.database.dialects import BEGIN, postgres_settings
from airflow_provider_mkt.state.database.values import stored

BEGIN_POSTGRES = "BEGIN ISOLATION LEVEL READ COMMITTED"
READING = ("SELECT", "WITH")
"""What statements that return rows begin with."""


Execute = Callable[[str, Sequence[Any]], Sequence[Sequence[Any]]]
"""Executes a statement with the values of its ``?``, and returns its rows."""


class PlainTransaction(Protocol):
    """A transaction for the length of a ``with`` block; what goes wrong in it rolls it back."""

    def __enter__(self) -> object: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def execute(self, statement: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """Execute a statement with the values of its ``?``, and return its rows."""


class SqliteTransaction:
    """A transaction on SQLite.

    :param connection: of the driver
    """

    def __init__(self, connection: Any, _: float) -> None:
        self._connection = connection
        self._cursor = connection.cursor()

    def __enter__(self) -> None:
        self._cursor.execute(BEGIN)

    def execute(self, statement: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """Execute a statement with the values of its ``?``, and return its rows."""
        self._cursor.execute(statement, tuple(map(stored, values)))
        found: Sequence[Sequence[Any]] = self._cursor.fetchall() if self._cursor.description else ()
        return found

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._connection.commit()


class PostgresTransaction:
    """A transaction on PostgreSQL, by a cursor that puts the values into the statements itself.

    :param connection: of the driver
    :param patience: seconds to wait for a lock or an answer
    """

    def __init__(self, connection: Any, patience: float) -> None:
        self._connection = connection
        self._cursor = self._make_cursor()
        self._waiting = [BEGIN_POSTGRES, postgres_settings(patience, durable=False)]
        self._values: list[Any] = []

    def _make_cursor(self) -> Any:
        return self._connection.cursor()

    def __enter__(self) -> None:
        # The driver would send its own BEGIN and COMMIT, each by itself.
        self._connection.autocommit = True

    def execute(self, statement: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """Execute a statement with the values of its ``?``, and return its rows."""
        self._waiting.append(statement.replace("?", "%s"))
        self._values.extend(map(stored, values))
        if not statement.startswith(READING):
            return ()
        self._send()
        return self._rows()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is not None:
                self._roll_back()
                return
            self._waiting.append("COMMIT")
            try:
                self._send()
            except BaseException:  # an interrupt as well must leave no open transaction to the next user
                self._roll_back()
                raise
        finally:
            if not self._connection.closed:
                self._connection.autocommit = False

    def _send(self) -> None:
        statements, self._waiting = "; ".join(self._waiting), []
        values, self._values = tuple(self._values), []
        self._cursor.execute(statements, values)

    def _rows(self) -> Sequence[Sequence[Any]]:
        """Return what the last of several statements returned."""
        found: Sequence[Sequence[Any]] = self._cursor.fetchall()
        return found

    def _roll_back(self) -> None:
        # Should it fail as well, the connection is lost, and what went wrong before says so.
        with suppress(Exception):
            self._cursor.execute("ROLLBACK")


class PsycopgTransaction(PostgresTransaction):
    """The same by psycopg 3, whose usual cursor takes one statement at a time, and which keeps all results."""

    def _make_cursor(self) -> Any:
        # One of two drivers, if it is there.
        return import_module("psycopg").ClientCursor(self._connection)

    def _rows(self) -> Sequence[Sequence[Any]]:
        while self._cursor.nextset():
            pass
        return super()._rows()


def plain_transaction(url: URL) -> Callable[[Any, float], PlainTransaction]:
    """Return what makes transactions on connections to ``url``."""
    if url.get_backend_name() == "sqlite":
        return SqliteTransaction
    return PsycopgTransaction if url.get_driver_name() == "psycopg" else PostgresTransaction
