# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Tasks need no right to make tables: one role makes them, another one uses them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import URL, Engine, create_engine, make_url, text

from airflow_provider_mkt.client.endpoint import Limit
from airflow_provider_mkt.state.budgets.shared import SharedBudget, snapshot
from airflow_provider_mkt.state.database.migrations import STEPS, VERSION_TABLE
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError, StoreFailure

OWNER, TASKS = "mkt_owner_of_test", "mkt_tasks_of_test"


@pytest.fixture
def admin(clean_postgres: str) -> Iterator[Engine]:
    engine = create_engine(clean_postgres, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for role in (OWNER, TASKS):
            connection.execute(text(f"DROP ROLE IF EXISTS {role}"))
            connection.execute(text(f"CREATE ROLE {role} LOGIN"))
        connection.execute(text("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
        connection.execute(text(f"GRANT CREATE, USAGE ON SCHEMA public TO {OWNER}"))
        rights = f"GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {TASKS}"
        connection.execute(text(f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA public {rights}"))
    yield engine
    with engine.connect() as connection:
        for role in (OWNER, TASKS):
            connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = :role"), {"role": role}
            )
            connection.execute(text(f"DROP OWNED BY {role} CASCADE"))
            connection.execute(text(f"DROP ROLE {role}"))
    engine.dispose()


@pytest.fixture
def url(admin: Engine, clean_postgres: str) -> URL:
    return make_url(clean_postgres)


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
    tasks.close()


def test_an_older_schema_is_told_by_its_version(url: URL, admin: Engine) -> None:
    Store(url.set(username=OWNER)).run(lambda _: None)
    with admin.connect() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version = {len(STEPS) - 1}"))
        connection.execute(text("ALTER TABLE mkt_budget DROP COLUMN learned_at"))
    with pytest.raises(StoreError, match=f"has version {len(STEPS) - 1}, this code needs {len(STEPS)}"):
        Store(url.set(username=TASKS)).run(lambda _: None)
    Store(url.set(username=OWNER)).run(lambda _: None)
    Store(url.set(username=TASKS)).run(lambda _: None)
