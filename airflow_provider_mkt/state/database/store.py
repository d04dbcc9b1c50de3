# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The durable store that processes share: SQLite in AIRFLOW_HOME, or PostgreSQL by ``[mkt] state_url``.

Work is done in short transactions, each a function of a connection that may be run a second time when the database was
restarted in between. Every failure becomes a :class:`StoreError` that says what to do.
"""

from __future__ import annotations

import copy
import logging
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from airflow_provider_mkt.state.database.dialects import (
    CLOCK,
    READ_COMMITTED,
    begin_immediate,
    may_hold_a_password,
    place_of,
    postgres_arguments,
    postgres_settings,
    pragma,
    set_up_sqlite,
    usable,
    without_secrets,
)
from airflow_provider_mkt.state.database.file import DatabaseFile
from airflow_provider_mkt.state.database.fork_safety import CONNECTIONS
from airflow_provider_mkt.state.database.listening import Listening
from airflow_provider_mkt.state.database.migrations import STEPS, migrate, schema_version
from airflow_provider_mkt.state.database.plain import Execute, plain_transaction
from airflow_provider_mkt.state.database.pool import MAX_CONNECTIONS, IdleConnections
from airflow_provider_mkt.state.database.values import stored_values
from airflow_provider_mkt.state.database.watchdog import Watchdog
from airflow_provider_mkt.state.errors import StoreError, StoreFailure, classify

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds to wait for a lock, and for any one statement."""
CONNECTION_WAIT = 30.0
"""Seconds to wait for a server that has no connection left, unless the caller has less time."""
FIRST_PAUSE, MAX_PAUSE = 0.05, 1.0

T = TypeVar("T")


class Store:
    """A database, used by one process.

    :param url: SQLAlchemy URL for SQLite or PostgreSQL
    :param patience: seconds to wait for a lock or an answer
    :raises StoreError: when the URL cannot be used; connecting happens on the first use
    """

    def __init__(self, url: str | URL, patience: float = PATIENCE) -> None:
        self.url, self._secrets = without_secrets(usable(url))
        self.kind = self.url.get_backend_name()
        self.clock = CLOCK[self.kind]
        self.where = place_of(self.url)
        self.patience = patience
        self._file = DatabaseFile(self.url.database if self.kind == "sqlite" else None)
        self._watchdog = Watchdog(2 * patience) if self.kind == "postgresql" else None
        self._engine = self._make_engine()
        event.listen(self._engine, "before_cursor_execute", stored_values, retval=True)
        self._idle = IdleConnections(self._engine) if self.kind == "postgresql" else None
        self._driver: Any = self._engine.dialect.loaded_dbapi
        self._plain = plain_transaction(self.url)
        self._prepared = False
        self._preparing = threading.Lock()
        self._failed: tuple[float, StoreError] | None = None

    def __repr__(self) -> str:
        return f"<Store {self.where}>"

    def run(
        self, work: Callable[[Connection], T], *, durable: bool = False, connection_wait: float = CONNECTION_WAIT
    ) -> T:
        """Do ``work`` in one transaction, which is the only writer while it lasts (SQLite) or locks the rows it reads.

        It is done again, once, when the connection turns out to be dead: after a restart of the database every pooled
        connection is. ``work`` must therefore be safe to do twice.

        :param work: does its statements on the connection it is given, and nothing that takes long
        :param durable: the commit must survive a power failure
        :param connection_wait: seconds to wait while the server has no connection left
        :return: what ``work`` returned
        :raises StoreError: when the store fails; anything that ``work`` raises rolls the transaction back
        """
        return self._done(lambda: self._transact(work, durable), connection_wait)

    def transact(self, work: Callable[[Execute], T], *, connection_wait: float = CONNECTION_WAIT) -> T:
        """Do ``work`` as :meth:`run` does, by plain SQL, for what is done with every request.

        SQLAlchemy keeps the connections and does nothing else: that costs a fifth on SQLite, and half on PostgreSQL.

        :param work: does its statements with the function it is given, and is safe to do twice
        :param connection_wait: as for :meth:`run`
        :return: what ``work`` returned
        :raises StoreError: as :meth:`run`
        """
        return self._done(lambda: self._transact_plainly(work), connection_wait)

    def _done(self, transaction: Callable[[], T], connection_wait: float) -> T:
        deadline, pause = time.monotonic() + connection_wait, FIRST_PAUSE
        while True:
            try:
                return self._done_once(transaction)
            except StoreError as error:
                if error.failure is StoreFailure.DAMAGED:
                    # A file that was emptied gets its tables again, and one that was put back is read afresh.
                    self._engine.dispose()
                    self._prepared = False
                # Others have all connections, and give them back: to go on without the store would not be right.
                if error.failure is not StoreFailure.BUSY or time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads those who wait
            pause = min(2 * pause, MAX_PAUSE)

    def _done_once(self, transaction: Callable[[], T]) -> T:
        def prepared() -> T:
            self._prepare()
            try:
                return transaction()
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                return transaction()

        return self._guarded(prepared)

    def _guarded(self, work: Callable[[], T]) -> T:
        """Do ``work``, and say in our own words what fails."""
        try:
            return work()
        except SQLAlchemyError as error:
            raise self._told(error) from None
        except self._driver.Error as error:
            # From connecting for plain SQL, or from a pragma: both go past SQLAlchemy.
            raise self._told(DBAPIError(None, None, error)) from None

    def _told(self, error: SQLAlchemyError) -> StoreError:
        """Say what failed; in the database's words only where the address that they quote can be no password."""
        told = classify(error, self.where)
        return StoreError(told.failure, self.where) if may_hold_a_password(self.url) else told

    def listen(self, channel: str) -> Listening | None:
        """Return what PostgreSQL tells of a channel; None on SQLite. Raises as :meth:`run` does."""
        return self._guarded(lambda: Listening(self._engine, channel)) if self.kind == "postgresql" else None

    def schema_version(self) -> int | None:
        """Return the version of the schema, None when there are no tables yet. Nothing is made or changed.

        :raises StoreError: when the store fails
        """
        if not self._file.exists():
            return None
        return self._guarded(lambda: self._transact(schema_version, durable=False))

    def now(self) -> float:
        """Return what the database's clock shows, in Unix time."""
        query = text(f"SELECT {self.clock}")
        return float(self.run(lambda connection: connection.execute(query).scalar_one()))

    def close(self) -> None:
        """Close pooled connections."""
        self._engine.dispose()

    def _transact(self, work: Callable[[Connection], T], durable: bool) -> T:
        with ExitStack() as stack:
            stack.enter_context(self._watched())
            connection = stack.enter_context(self._engine.connect())
            if durable and self.kind == "sqlite":
                pragma(connection, "synchronous = FULL")
                stack.callback(pragma, connection, "synchronous = NORMAL")
            with connection.begin():
                if self.kind == "postgresql":
                    connection.exec_driver_sql(f"{READ_COMMITTED}; {postgres_settings(self.patience, durable=durable)}")
                return work(connection)

    def _transact_plainly(self, work: Callable[[Execute], T]) -> T:
        with self._watched(), closing(self._engine.raw_connection()) as connection:
            # Closed, a connection goes back to the pool, which rolls back what was not committed.
            plain = self._plain(connection.dbapi_connection, self.patience)
            try:
                with plain:
                    return work(plain.execute)
            except self._driver.Error as error:
                lost = self._engine.dialect.is_disconnect(error, connection.dbapi_connection, None)
                if lost:
                    # After a restart of the server all the others are dead as well.
                    connection.invalidate(error)
                    self._engine.dispose()
                raise DBAPIError(None, None, error, connection_invalidated=lost) from error

    @contextmanager
    def _watched(self) -> Iterator[None]:
        if self._watchdog is None or self._idle is None:
            with CONNECTIONS.in_use():
                yield
        else:
            with self._idle.in_use(), self._watchdog.watch():
                yield

    def _prepare(self) -> None:
        if self._prepared and self._file.is_still_there():
            return
        asked = time.monotonic()
        with self._preparing:
            if self._failed and self._failed[0] >= asked:
                # Somebody has just tried in vain: each waiting for the server anew would take minutes for many.
                raise copy.copy(self._failed[1])
            if self._prepared and not self._file.is_still_there():
                log.warning("The shared state store was replaced or deleted (%s); opening it again.", self.where)
                self._engine.dispose()
                self._prepared = False
            if not self._prepared:
                try:
                    self._guarded(self._set_up)
                except StoreError as error:
                    self._failed = time.monotonic(), error
                    raise
                self._prepared = True

    def _set_up(self) -> None:
        if self.kind == "sqlite":
            self._make_file()
        self._bring_forward()

    def _bring_forward(self) -> None:
        try:
            self._transact(self._migrate, durable=True)
        except DBAPIError as error:
            failure = self._told(error)
            if failure.failure is StoreFailure.NOT_ALLOWED and not error.connection_invalidated:
                have = self._transact(schema_version, durable=False)
                said = f"its schema has version {have or 0}, this code needs {len(STEPS)}"
                raise StoreError(StoreFailure.OLDER, self.where, said) from None
            raise

    def _migrate(self, connection: Connection) -> None:
        """Look before writing, so that a store that is up to date costs one query and no lock."""
        if schema_version(connection) != len(STEPS):
            migrate(connection, self.where)

    def _make_file(self) -> None:
        """Create the file, if need be, and switch it to WAL."""
        if not self._file.path:
            return
        if CONNECTIONS.inherited(self._file.path):
            raise StoreError(
                StoreFailure.FAILED, self.where, "this process was forked while a transaction was under way"
            )
        self._file.make(self.where)
        # The switch needs the file for itself, and SQLite does not wait for that.
        deadline = time.monotonic() + self.patience
        while True:
            try:
                with CONNECTIONS.in_use(), self._engine.connect() as connection:
                    if pragma(connection, "journal_mode") != "wal":
                        pragma(connection, "journal_mode = WAL")
                    return
            except (DBAPIError, sqlite3.Error) as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
            time.sleep(0.01)

    def _make_engine(self) -> Engine:
        if self.kind == "sqlite":
            engine = create_engine(self.url, connect_args={"timeout": self.patience}, hide_parameters=True)
            event.listen(engine, "connect", set_up_sqlite)
            event.listen(engine, "begin", begin_immediate)
            CONNECTIONS.keep_track_of(engine)
            return engine
        engine = create_engine(
            self.url,
            connect_args={**postgres_arguments(self.url, self.patience), **self._secrets},
            pool_size=MAX_CONNECTIONS,
            max_overflow=0,
            pool_timeout=self.patience,
            hide_parameters=True,
        )
        # Before SQLAlchemy's own listener, which asks the server for its version.
        event.listen(engine, "connect", lambda connection, _: self._guard(connection), insert=True)
        event.listen(engine, "checkout", lambda connection, _, __: self._guard(connection))
        return engine

    def _guard(self, connection: Any) -> None:
        if self._watchdog and not connection.closed:
            self._watchdog.guard(connection.fileno())
