# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The two kinds of database that a store may be: their URLs, drivers and settings."""

from __future__ import annotations

from importlib.util import find_spec
from ipaddress import ip_address
from itertools import chain
from typing import Any

from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError

from airflow_provider_mkt import clock
from airflow_provider_mkt.client.secret import Secret
from airflow_provider_mkt.state.errors import StoreError, StoreFailure

EPOCH_DAY, DAY = 2440587.5, 86_400.0
"""The Julian day on which Unix time begins, and the seconds of a day."""
CLOCK = {
    # SQLite's julianday counts milliseconds; finer functions came with 3.42, which not every system has.
    "sqlite": "(julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION)",
}
CONNECT_PATIENCE = 3
"""Seconds to wait for a server to take a connection."""
DRIVERS = {"sqlite": ("pysqlite",), "postgresql": ("psycopg", "psycopg2")}
BEGIN = "BEGIN IMMEDIATE"
"""Takes SQLite's write lock at once: a transaction that reads first and writes later could fail half-way."""


OTHER_KINDS = frozenset({"mysql", "mariadb", "mssql", "oracle", "asyncpg", "pg8000", "psycopg2cffi", "aiosqlite"})
"""Databases and drivers that are named when they are configured; anything else may be a part of a password."""
SECRET_PARAMETERS = ("sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")
"""Parameters of PostgreSQL's client that hold a secret, besides ``password``."""


def may_hold_a_password(url: URL) -> bool:
    """Tell whether what looks like host, port and database may be a password: it does where the host was forgotten.

    ``postgresql://airflow:123/secret`` names a host and a port. This machine and IP addresses are no user names.
    """
    if url.username is not None or url.host in (None, "localhost"):
        return False
    try:
        ip_address(str(url.host))
    except ValueError:
        return True
    return False


def place_of(url: URL) -> str:
    """Name the database without its credentials."""
    if url.get_backend_name() == "sqlite":
        return f"SQLite, {url.database}"
    if may_hold_a_password(url):
        return "PostgreSQL, at an address without a user name, which is not shown"
    return f"PostgreSQL, {url.host or 'local'}:{url.port or 5432}/{url.database or ''}"


def usable(url: str | URL) -> URL:
    """Return ``url`` with a driver that is installed.

    :raises StoreError: when it is no URL, names another kind of database, its password is not escaped, or its driver is
        missing; nothing of the URL but the kind of database is quoted
    """
    try:
        if isinstance(url, str) and url.startswith("postgres://"):
            url = url.replace("postgres", "postgresql", 1)
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise StoreError(StoreFailure.MISCONFIGURED) from None
    kind, _, driver = parsed.drivername.partition("+")
    if kind not in DRIVERS or (driver and driver not in DRIVERS[kind]):
        known = {"", *DRIVERS, *chain.from_iterable(DRIVERS.values()), *OTHER_KINDS}
        shown = {kind, driver} <= known
        raise StoreError(StoreFailure.MISCONFIGURED, said=f"it names {parsed.drivername}" if shown else "")
    if kind == "sqlite":
        if parsed.host or parsed.username:
            raise StoreError(StoreFailure.MISCONFIGURED, said="a file has no host; its path follows sqlite:///")
        return parsed.set(drivername="sqlite+pysqlite")
    if any("@" in (part or "") for part in (parsed.host, parsed.database)):
        # It is the rest of a password, so nothing of it is quoted.
        raise StoreError(StoreFailure.MISCONFIGURED, said="in a user name or password @ is written %40, and / is %2F")
    if password := parsed.query.get("password"):
        # There it would be shown with the rest of the URL. It is the one that counts.
        last = password if isinstance(password, str) else password[-1]
        parsed = parsed.set(password=last).difference_update_query(("password",))
    wanted = (driver,) if driver else DRIVERS[kind]
    installed = next((name for name in wanted if find_spec(name)), None)
    if installed is None:
        raise StoreError(StoreFailure.NO_DRIVER)
    return parsed.set(drivername=f"{kind}+{installed}")


def without_secrets(url: URL) -> tuple[URL, dict[str, str]]:
    """Return ``url`` without those of its parameters that are secrets, which every repr of it would show, and these."""
    found = {name: Secret(url.query[name]) for name in SECRET_PARAMETERS if isinstance(url.query.get(name), str)}
    return url.difference_update_query(SECRET_PARAMETERS), {**found}


def postgres_arguments(url: URL, patience: float) -> dict[str, Any]:
    """Return what to connect to PostgreSQL with.

    There is no ``options``: pgbouncer refuses it, see :func:`postgres_settings`.
    """
    arguments: dict[str, Any] = {
        "connect_timeout": CONNECT_PATIENCE,
        "application_name": "airflow-provider-mkt",
        "tcp_user_timeout": int(patience * 1000),
        "keepalives_idle": 30,
    }
    arguments = {name: value for name, value in arguments.items() if name not in url.query}
    if url.get_driver_name() == "psycopg":
        # Server-side prepared statements do not survive a pooler such as pgbouncer.
        arguments["prepare_threshold"] = None
    return arguments


READ_COMMITTED = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"
"""Set in each transaction: a driver that sets it for a connection asks the server again with every change of mode."""


def postgres_settings(patience: float, *, durable: bool) -> str:
    """Return the statement that begins every transaction: nothing may take much longer than ``patience`` seconds.

    The settings end with the transaction, as a pooler gives the next one another session.
    """
    wait = int(patience * 1000)
    settings = {
        "lock_timeout": wait,
        "statement_timeout": wait,
        "idle_in_transaction_session_timeout": 2 * wait,
        # Commits of budgets need not survive a power failure; those of tokens ask for it, see `Store.run`.
        "synchronous_commit": "on" if durable else "off",
    }
    return "SELECT " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())


def pragma(connection: Connection, statement: str) -> Any:
    """Execute a pragma outside of any transaction."""
    cursor = connection.connection.cursor()
    try:
        row = cursor.execute(f"PRAGMA {statement}").fetchone()
    finally:
        cursor.close()
    return row[0] if row else None


def set_up_sqlite(connection: Any, _: Any) -> None:
    """Set up a new connection of the pool."""
    connection.isolation_level = None  # BEGIN is ours
    connection.execute("PRAGMA synchronous = NORMAL")
    if clock.moved():
        # The store goes by the database's clock, so that one has to move as well.
        connection.create_function("julianday", 1, lambda _: EPOCH_DAY + clock.now() / DAY)


def begin_immediate(connection: Connection) -> None:
    """Begin a transaction on SQLite."""
    connection.exec_driver_sql(BEGIN)
