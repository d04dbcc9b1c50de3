# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The durable store that processes share: SQLite in AIRFLOW_HOME, or PostgreSQL by ``[mkt] state_url``.

Work is done in short transactions, each a function of a connection that may be run a second time when the database was
restarted in between. Every failure becomes a :class:`StoreError` that says what to do.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from airflow_provider_mkt.state.schema import STEPS, VERSION_TABLE, migrate, version
from airflow_provider_mkt.state.troubles import StoreError, Trouble, understand
from airflow_provider_mkt.state.watchdog import Watchdog

log = logging.getLogger(__name__)

FILE = "mkt_state.db"
PATIENCE = 5.0
"""Seconds to wait for a lock, and for any one statement."""
CONNECT_PATIENCE = 3
LOCAL_EXECUTORS = frozenset({"LocalExecutor", "SequentialExecutor", "DebugExecutor"})
CLOCK = {
    # SQLite's julianday counts milliseconds; finer functions came with 3.42, which not every system has.
    "sqlite": "(julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION)",
}
DRIVERS = {"sqlite": ("pysqlite",), "postgresql": ("psycopg", "psycopg2")}

T = TypeVar("T")


class Store:
    """A database, used by one process.

    :param url: SQLAlchemy URL for SQLite or PostgreSQL
    :param patience: seconds to wait for a lock or an answer
    :raises StoreError: when the URL cannot be used; connecting happens on the first use
    """

    def __init__(self, url: str | URL, patience: float = PATIENCE) -> None:
        self.url = usable(url)
        self.kind = self.url.get_backend_name()
        self.clock = CLOCK[self.kind]
        self.where = _where(self.url)
        self.patience = patience
        self._watchdog = Watchdog(2 * patience) if self.kind == "postgresql" else None
        self._engine = self._make_engine()
        self._prepared = False
        self._preparing = threading.Lock()

    def __repr__(self) -> str:
        return f"<Store {self.where}>"

    def run(self, work: Callable[[Connection], T], *, durable: bool = False) -> T:
        """Do ``work`` in one transaction, which is the only writer while it lasts (SQLite) or locks the rows it reads.

        It is done again, once, when the connection turns out to be dead: after a restart of the database every pooled
        connection is. ``work`` must therefore bear being done twice.

        :param work: does its statements on the connection it is given, and nothing that takes long
        :param durable: the commit must survive a power failure
        :return: what ``work`` returned
        :raises StoreError: when the store fails; anything that ``work`` raises rolls the transaction back
        """
        try:
            self._prepare()
            try:
                return self._transact(work, durable)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                return self._transact(work, durable)
        except SQLAlchemyError as error:
            raise understand(error, self.where) from None

    def close(self) -> None:
        """Close pooled connections."""
        self._engine.dispose()

    def _transact(self, work: Callable[[Connection], T], durable: bool) -> T:
        with ExitStack() as stack:
            if self._watchdog:
                stack.enter_context(self._watchdog.watch())
            connection = stack.enter_context(self._engine.connect())
            if durable and self.kind == "sqlite":
                _pragma(connection, "synchronous = FULL")
                stack.callback(_pragma, connection, "synchronous = NORMAL")
            with connection.begin():
                if durable and self.kind == "postgresql":
                    connection.exec_driver_sql("SET LOCAL synchronous_commit = on")
                return work(connection)

    def _prepare(self) -> None:
        if self._prepared:
            return
        with self._preparing:
            if not self._prepared:
                if self.kind == "sqlite":
                    self._make_file()
                self._transact(self._migrate, durable=True)
                self._prepared = True

    def _migrate(self, connection: Connection) -> None:
        """Look before writing, so that a store that is up to date costs one query and no lock."""
        if not inspect(connection).has_table(VERSION_TABLE) or version(connection) != len(STEPS):
            migrate(connection, self.where)

    def _make_file(self) -> None:
        """Create the file for its owner only; SQLite gives the files beside it the same mode. Switch it to WAL."""
        name = self.url.database
        if not name or name == ":memory:" or name.startswith("file:"):
            return
        try:
            os.close(os.open(name, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            forbidden = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
            full = error.errno == errno.ENOSPC
            trouble = Trouble.READ_ONLY if forbidden else Trouble.FULL if full else Trouble.UNREACHABLE
            raise StoreError(trouble, self.where, str(error.strerror)) from None
        # The switch needs the file for itself, and SQLite does not wait for that.
        deadline = time.monotonic() + self.patience
        while True:
            try:
                with self._engine.connect() as connection:
                    if _pragma(connection, "journal_mode") != "wal":
                        _pragma(connection, "journal_mode = WAL")
                    return
            except DBAPIError as error:
                if "locked" not in str(error.orig) or time.monotonic() > deadline:
                    raise
            time.sleep(0.01)

    def _make_engine(self) -> Engine:
        if self.kind == "sqlite":
            engine = create_engine(self.url, connect_args={"timeout": self.patience}, hide_parameters=True)
            event.listen(engine, "connect", _set_up_sqlite)
            event.listen(engine, "begin", _begin_immediate)
            return engine
        engine = create_engine(
            self.url,
            connect_args=_postgres_arguments(self.url, self.patience),
            isolation_level="READ COMMITTED",
            pool_size=2,
            max_overflow=8,
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


def _where(url: URL) -> str:
    """Name the database without its credentials."""
    if url.get_backend_name() == "sqlite":
        return f"SQLite, {url.database}"
    return f"PostgreSQL, {url.host or 'local'}:{url.port or 5432}/{url.database or ''}"


def usable(url: str | URL) -> URL:
    """Return ``url`` with a driver that is installed.

    :raises StoreError: when it is no URL, names another kind of database, or its driver is missing
    """
    try:
        if isinstance(url, str) and url.startswith("postgres://"):
            url = url.replace("postgres", "postgresql", 1)
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise StoreError(Trouble.MISCONFIGURED) from None
    kind, _, driver = parsed.drivername.partition("+")
    if kind not in DRIVERS or (driver and driver not in DRIVERS[kind]):
        raise StoreError(Trouble.MISCONFIGURED, said=f"it names {parsed.drivername}")
    if kind == "sqlite":
        return parsed.set(drivername="sqlite+pysqlite")
    wanted = (driver,) if driver else DRIVERS[kind]
    installed = next((name for name in wanted if find_spec(name)), None)
    if installed is None:
        raise StoreError(Trouble.NO_DRIVER)
    return parsed.set(drivername=f"{kind}+{installed}")


def _postgres_arguments(url: URL, patience: float) -> dict[str, Any]:
    wait = int(patience * 1000)
    # Commits of budgets need not survive a power failure; those of tokens ask for it, see `Store.run`.
    settings = {
        "lock_timeout": wait,
        "statement_timeout": wait,
        "idle_in_transaction_session_timeout": 2 * wait,
        "synchronous_commit": "off",
    }
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    given = url.query.get("options", "")
    arguments: dict[str, Any] = {
        "connect_timeout": CONNECT_PATIENCE,
        "application_name": "airflow-provider-mkt",
        "tcp_user_timeout": wait,
        "keepalives_idle": 30,
    }
    arguments = {name: value for name, value in arguments.items() if name not in url.query}
    arguments["options"] = f"{options} {given if isinstance(given, str) else ' '.join(given)}".strip()
    if url.get_driver_name() == "psycopg":
        # Server-side prepared statements do not survive a pooler such as pgbouncer.
        arguments["prepare_threshold"] = None
    return arguments


def _pragma(connection: Connection, pragma: str) -> Any:
    """Execute a pragma outside of any transaction."""
    cursor = connection.connection.cursor()
    try:
        row = cursor.execute(f"PRAGMA {pragma}").fetchone()
    finally:
        cursor.close()
    return row[0] if row else None


def _set_up_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # BEGIN is ours, see below
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock at once: a transaction that reads first and writes later could fail half-way."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


_stores: dict[int, Store] = {}


def store() -> Store:
    """Return this process's store. A forked child gets one of its own: connections must not be shared across a fork.

    :raises StoreError: when ``[mkt] state_url`` cannot be used
    """
    mine = os.getpid()
    if mine not in _stores:
        made = Store(configured_url())
        if _stores.setdefault(mine, made) is made:
            warn_if_lonely(made)
    return _stores[mine]


def configured_url() -> str | URL:
    """Return ``[mkt] state_url``, or the URL of the SQLite file in AIRFLOW_HOME when it is empty."""
    from airflow.sdk.configuration import conf  # noqa: PLC0415 - reads the configuration

    if url := str(conf.get("mkt", "state_url", fallback="") or "").strip():
        return url
    home = Path(os.path.expandvars(os.environ.get("AIRFLOW_HOME") or "~/airflow")).expanduser()
    return URL.create("sqlite", database=str(home / FILE))


def warn_if_lonely(used: Store) -> None:
    """Say so when the executor spreads tasks over hosts but the store is a file on one of them."""
    from airflow.sdk.configuration import conf  # noqa: PLC0415

    if used.kind != "sqlite":
        return
    configured = str(conf.get("core", "executor", fallback="LocalExecutor")).split(",")
    names = [name.rsplit(":", 1)[-1].rsplit(".", 1)[-1].strip() for name in configured]
    if distributed := [name for name in names if name not in LOCAL_EXECUTORS]:
        log.warning(
            "Rate limits and tokens are shared through a file on this host (%s), but %s runs tasks on others too: each "
            "host uses the whole rate limit, and single-use refresh tokens can be lost. Set [mkt] state_url to a "
            "PostgreSQL database.",
            used.url.database,
            " and ".join(distributed),
        )
