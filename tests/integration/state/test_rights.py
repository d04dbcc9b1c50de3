# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Tasks need no right to make tables: one role makes them, another one uses them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import URL, create_engine, make_url, text

from airflow_provider_mkt.client.endpoint import Limit
from airflow_provider_mkt.state.budgets.shared import SharedBudget, snapshot
from airflow_provider_mkt.state.database import migrations
from airflow_provider_mkt.state.database.migrations import STEPS
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.encryption import Encryptor
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from airflow_provider_mkt.state.inbox import Delivery, Inbox

DELIVERY = Delivery("account", "conn", "report.ready", "", "identity", {"id": "evt_1"})
OWNER, TASKS = "mkt_owner_of_test", "mkt_of_test"
PAGE = Path(__file__).parents[3] / "docs" / "operating.md"


def documented(part: int) -> list[str]:
    """Return the statements of the documentation, before or after it connects, with names of the test's own."""
    block = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    statements = re.split(r"\\connect mkt\n", block)[part].replace("mkt_owner", OWNER)
    statements = re.sub(r"\bmkt\b", TASKS, statements)
    return [statement for statement in statements.split(";") if statement.strip()]


def execute(url: URL, statements: list[str]) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


@pytest.fixture
def url(clean_postgres: str) -> Iterator[URL]:
    """A database as docs/operating.md sets it up."""
    server = make_url(clean_postgres)
    gone = [
        f"DROP DATABASE IF EXISTS {TASKS} WITH (FORCE)",
        *(f"DROP ROLE IF EXISTS {role}" for role in (OWNER, TASKS)),
    ]
    execute(server, gone + documented(0))
    execute(server.set(database=TASKS), documented(1))
    yield server.set(database=TASKS)
    execute(server, gone)


def test_tasks_use_what_the_owner_made(url: URL) -> None:
    tasks = Store(url.set(username=TASKS))
    with pytest.raises(StoreError, match="run `airflow mkt db upgrade` with a") as caught:
        tasks.run(lambda _: None)
    assert caught.value.failure is StoreFailure.OLDER
    assert f"has version 0, this code needs {len(STEPS)}" in str(caught.value)
    Store(url.set(username=OWNER)).run(lambda _: None)
    budget = SharedBudget(("v", "http://v", "k"), {"default": Limit(10, 60.0)}, 1.0, lambda: tasks, get_host_store=None)
    assert budget.reserve(("default",)) < 0.5
    assert snapshot(tasks)[0].used == 1
    encryptor = Encryptor(Fernet.generate_key().decode())
    inbox = Inbox(lambda: tasks, lambda: encryptor)
    assert inbox.add([DELIVERY]) == 1, "a table with a sequence"
    tasks.close()


def test_an_older_schema_is_told_by_its_version(url: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as older:
        older.setattr(migrations, "STEPS", STEPS[:-1])
        Store(url.set(username=OWNER)).run(lambda _: None)
    with pytest.raises(StoreError, match=f"has version {len(STEPS) - 1}, this code needs {len(STEPS)}"):
        Store(url.set(username=TASKS)).run(lambda _: None)
    Store(url.set(username=OWNER)).run(lambda _: None)
    Store(url.set(username=TASKS)).run(lambda _: None)
