# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The store's tables, as the steps that lead to them. A step that was released is never changed; new ones are appended.

Names are digests, except where people look for them. Secrets are encrypted, moments are Unix seconds by the database's
clock.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, inspect, text

from airflow_provider_mkt.state.errors import StoreError, StoreFailure

STEPS: Sequence[Sequence[str]] = (
    (
        """
        CREATE TABLE mkt_budget (
            name VARCHAR(120) PRIMARY KEY,
            label VARCHAR(200) NOT NULL,
            requests INTEGER NOT NULL,
            period DOUBLE PRECISION NOT NULL,
            slots {bytes} NOT NULL,
            quiet_from DOUBLE PRECISION NOT NULL,
            quiet_until DOUBLE PRECISION NOT NULL,
            learned INTEGER,
            seen DOUBLE PRECISION NOT NULL
        )
        """,
        """
        CREATE TABLE mkt_token (
            name VARCHAR(64) PRIMARY KEY,
            access TEXT,
            access_digest VARCHAR(64),
            renew_at DOUBLE PRECISION NOT NULL,
            expires_at DOUBLE PRECISION NOT NULL,
            lease VARCHAR(32),
            lease_until DOUBLE PRECISION NOT NULL,
            failed_at DOUBLE PRECISION NOT NULL,
            failure TEXT,
            seeds TEXT NOT NULL,
            refresh TEXT,
            refresh_digest VARCHAR(64),
            begun_at DOUBLE PRECISION,
            tries INTEGER NOT NULL,
            not_before DOUBLE PRECISION NOT NULL,
            dead TEXT
        )
        """,
    ),
    (
        """
        CREATE TABLE mkt_webhook (
            account VARCHAR(64) NOT NULL,
            webhook_id TEXT NOT NULL,
            address VARCHAR(64) NOT NULL,
            events TEXT NOT NULL,
            secret TEXT,
            made_by VARCHAR(36),
            kept_at DOUBLE PRECISION NOT NULL,
            retired_at DOUBLE PRECISION,
            PRIMARY KEY (account, webhook_id)
        )
        """,
    ),
    ("ALTER TABLE mkt_budget ADD COLUMN learned_at DOUBLE PRECISION NOT NULL DEFAULT 0",),
    (
        """
        CREATE TABLE mkt_inbox (
            id {number},
            account VARCHAR(64) NOT NULL,
            conn_id VARCHAR(250) NOT NULL,
            event VARCHAR(100) NOT NULL,
            subject VARCHAR(64) NOT NULL,
            identity VARCHAR(64) NOT NULL,
            payload TEXT NOT NULL,
            received_at DOUBLE PRECISION NOT NULL,
            state VARCHAR(20) NOT NULL,
            not_before DOUBLE PRECISION NOT NULL,
            replays INTEGER NOT NULL,
            UNIQUE (conn_id, identity)
        )
        """,
        "CREATE INDEX mkt_inbox_state ON mkt_inbox (state, id)",
    ),
    (
        """
        CREATE TABLE mkt_answer (
            account VARCHAR(64) NOT NULL,
            question VARCHAR(64) NOT NULL,
            answer TEXT,
            read_at DOUBLE PRECISION NOT NULL,
            asked_until DOUBLE PRECISION NOT NULL,
            PRIMARY KEY (account, question)
        )
        """,
    ),
    (
        """
        CREATE TABLE mkt_launch (
            launch VARCHAR(36) PRIMARY KEY,
            deployment VARCHAR(40) NOT NULL,
            vendor VARCHAR(100) NOT NULL,
            account TEXT NOT NULL,
            conn_id VARCHAR(250) NOT NULL,
            dag_id VARCHAR(250) NOT NULL,
            run_id VARCHAR(250) NOT NULL,
            task_id VARCHAR(250) NOT NULL,
            map_index INTEGER NOT NULL,
            number VARCHAR(40) NOT NULL,
            generation INTEGER NOT NULL,
            what TEXT NOT NULL,
            amount BIGINT,
            currency VARCHAR(10) NOT NULL,
            goes_live VARCHAR(40) NOT NULL,
            audience BIGINT,
            reference TEXT NOT NULL,
            content VARCHAR(64) NOT NULL,
            triggered_by TEXT NOT NULL,
            approved_by TEXT NOT NULL,
            vendor_ids TEXT NOT NULL,
            state VARCHAR(20) NOT NULL,
            writer VARCHAR(64) NOT NULL,
            begun_at DOUBLE PRECISION NOT NULL,
            changed_at DOUBLE PRECISION NOT NULL,
            counted_at DOUBLE PRECISION
        )
        """,
        "CREATE INDEX mkt_launch_begun ON mkt_launch (begun_at)",
        "CREATE INDEX mkt_launch_run ON mkt_launch (dag_id, run_id)",
        "CREATE INDEX mkt_launch_state ON mkt_launch (state, changed_at)",
        "CREATE INDEX mkt_launch_content ON mkt_launch (content)",
        "CREATE INDEX mkt_launch_counted ON mkt_launch (currency, counted_at)",
    ),
    (
        """
        CREATE TABLE mkt_stop (
            id {number},
            vendor VARCHAR(100) NOT NULL,
            conn_id VARCHAR(250) NOT NULL,
            dag_id VARCHAR(250) NOT NULL,
            run_id VARCHAR(250) NOT NULL,
            reason TEXT NOT NULL,
            stopped_by TEXT NOT NULL,
            stopped_at DOUBLE PRECISION NOT NULL,
            lift_reason TEXT,
            lifted_by TEXT,
            lifted_at DOUBLE PRECISION
        )
        """,
    ),
    (
        """
        CREATE TABLE mkt_approval (
            id {number},
            ask VARCHAR(32) NOT NULL,
            code VARCHAR(64) NOT NULL,
            scope VARCHAR(10) NOT NULL,
            deployment VARCHAR(40) NOT NULL,
            dag_id VARCHAR(250) NOT NULL,
            run_id VARCHAR(250) NOT NULL,
            task_id VARCHAR(250) NOT NULL,
            map_index INTEGER NOT NULL,
            digest VARCHAR(64) NOT NULL,
            vendor VARCHAR(100) NOT NULL,
            account TEXT NOT NULL,
            what TEXT NOT NULL,
            request TEXT NOT NULL,
            amount BIGINT,
            currency VARCHAR(10) NOT NULL,
            goes_live VARCHAR(40) NOT NULL,
            audience BIGINT,
            asked_at DOUBLE PRECISION NOT NULL,
            state VARCHAR(20) NOT NULL,
            answered_by TEXT NOT NULL,
            reason TEXT NOT NULL,
            source VARCHAR(40) NOT NULL,
            answered_at DOUBLE PRECISION,
            launch VARCHAR(36) NOT NULL
        )
        """,
        "CREATE INDEX mkt_approval_ask ON mkt_approval (ask)",
        "CREATE INDEX mkt_approval_run ON mkt_approval (dag_id, run_id, digest)",
        "CREATE INDEX mkt_approval_state ON mkt_approval (state, asked_at)",
    ),
    ("ALTER TABLE mkt_launch ADD COLUMN channel VARCHAR(100) NOT NULL DEFAULT ''",),
)

VERSION_TABLE = "mkt_version"
LOCK = 0x6D6B74
"""PostgreSQL's advisory lock under which the schema is set up."""
TYPES = {
    "sqlite": {"bytes": "BLOB", "number": "INTEGER PRIMARY KEY AUTOINCREMENT"},
    "postgresql": {"bytes": "BYTEA", "number": "BIGSERIAL PRIMARY KEY"},
}


def migrate(connection: Connection, where: str) -> None:
    """Bring the schema forward to what this code needs, in the transaction of ``connection``.

    :param connection: in a transaction; on SQLite one that holds the write lock
    :param where: the store, for messages
    :raises StoreError: when the schema is newer than this code
    """
    dialect = connection.dialect.name
    if dialect == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    if not inspect(connection).has_table(VERSION_TABLE):
        connection.execute(text(f"CREATE TABLE {VERSION_TABLE} (version INTEGER NOT NULL)"))
        connection.execute(text(f"INSERT INTO {VERSION_TABLE} (version) VALUES (0)"))  # noqa: S608 - a constant
    have = version(connection)
    if have > len(STEPS):
        raise StoreError(StoreFailure.NEWER, where, f"its schema has version {have}, this code knows {len(STEPS)}")
    for step in STEPS[have:]:
        for statement in step:
            connection.execute(text(statement.format(**TYPES[dialect])))
    connection.execute(text(f"UPDATE {VERSION_TABLE} SET version = :version"), {"version": len(STEPS)})  # noqa: S608


def schema_version(connection: Connection) -> int | None:
    """Return the schema's version, None when there are no tables."""
    return version(connection) if inspect(connection).has_table(VERSION_TABLE) else None


def version(connection: Connection) -> int:
    """Return the schema's version; the version table must exist."""
    return int(connection.execute(text(f"SELECT version FROM {VERSION_TABLE}")).scalar_one())  # noqa: S608
