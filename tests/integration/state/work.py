# Licensed under the Apache License, Version 2.0; see LICENSE.
"""How much a database does for what it is asked: the same on every machine, however busy that is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from airflow_provider_mkt.state.database.store import Store

STEP = 100
"""Instructions of SQLite's virtual machine after which it calls back."""
REMOVED = ("Rows Removed by Filter", "Rows Removed by Index Recheck")


class Work:
    """What was done.

    :param statements: that were asked
    :param rows: that PostgreSQL has read for them, those included that it left out again
    :param instructions: of SQLite's virtual machine, which does not count rows: some 10 to 40 for each that is read
    """

    def __init__(self) -> None:
        self.statements = self.rows = self.instructions = 0

    def of_sqlite(self, _: Any, cursor: Any, *__: Any) -> None:
        """Have SQLite count what it does from now on: it does so while the rows are fetched."""
        self.statements += 1
        cursor.connection.set_progress_handler(self._went_on, STEP)

    def _went_on(self) -> None:
        self.instructions += STEP

    def of_postgresql(self, _: Any, cursor: Any, statement: str, parameters: Any, *__: Any) -> None:
        """Ask once more, and have PostgreSQL say what it read for that."""
        if statement.lstrip().startswith(("SELECT", "WITH")):
            self.statements += 1
            with cursor.connection.cursor() as again:
                again.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", parameters)
                self.rows += _rows_read(again.fetchone()[0][0]["Plan"])


def _rows_read(node: dict[str, Any]) -> int:
    """Return how many rows of tables a plan has read."""
    own = node["Actual Rows"] + sum(node.get(name, 0) for name in REMOVED) if "Relation Name" in node else 0
    return int(own * node["Actual Loops"]) + sum(map(_rows_read, node.get("Plans", ())))


@contextmanager
def counted(store: Store) -> Iterator[Work]:
    """Count what a store's database does inside the block."""
    work, engine = Work(), store._engine
    name, listener = {
        "sqlite": ("before_cursor_execute", work.of_sqlite),
        "postgresql": ("after_cursor_execute", work.of_postgresql),
    }[store.kind]
    event.listen(engine, name, listener)
    try:
        yield work
    finally:
        event.remove(engine, name, listener)
        # SQLite counts for as long as a connection is open.
        engine.dispose()
