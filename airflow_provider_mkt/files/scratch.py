# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A place for what does not fit into memory while something is read."""

from __future__ import annotations

import sqlite3


def scratch_database(schema: str, cache_kib: int) -> sqlite3.Connection:
    """Return a private database with one transaction open, for a single run.

    It is a file without a name, which SQLite deletes when the connection is closed or the process ends.

    :param schema: the statement that makes its table
    :param cache_kib: how much of it is held in memory
    """
    connection = sqlite3.connect("", isolation_level=None)
    for setting in (f"cache_size = -{cache_kib}", "journal_mode = OFF", "synchronous = OFF", "temp_store = FILE"):
        connection.execute(f"PRAGMA {setting}")
    connection.execute(schema)
    connection.execute("BEGIN")
    return connection
