# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the tests of the store write into it, and how another process sees it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sqlalchemy import Connection, text

from airflow_provider_mkt.state.database import migrations
from airflow_provider_mkt.state.database.plain import Execute

COLUMNS = "(name, label, requests, period, slots, quiet_from, quiet_until, seen)"


def versions(connection: Connection) -> int:
    return migrations.version(connection)


def add_budget(connection: Connection, name: str = "x", slots: bytes = b"") -> None:
    values = {"name": name, "slots": slots}
    insert = f"INSERT INTO mkt_budget {COLUMNS} VALUES (:name, 'l', 1, 1, :slots, 0, 0, 0)"
    connection.execute(text(insert), values)


def add_plainly(execute: Execute, name: str = "x", slots: bytes = b"") -> None:
    execute(f"INSERT INTO mkt_budget {COLUMNS} VALUES (?, 'l', 1, 1, ?, 0, 0, 0)", (name, slots))


def count(connection: Connection) -> int:
    return int(connection.execute(text("SELECT count(*) FROM mkt_budget")).scalar_one())


def elsewhere(path: Path, statement: str = "SELECT count(*) FROM mkt_budget") -> int:
    """Open the file in another process, ask it something, and close it: the last one to close it removes its log."""
    script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); print(c.execute(sys.argv[2]).fetchone()[0])"
    script = f"{script}; c.close()"
    command = [sys.executable, "-c", script, str(path), statement]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
