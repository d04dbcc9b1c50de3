# Licensed under the Apache License, Version 2.0; see LICENSE.
"""No page of the control room reads a register of 100,000 launches twice, on PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from airflow_provider_mkt.state.database.shared import separate_store
from airflow_provider_mkt.state.database.store import Store
from tests.integration.state.test_register_size import ROWS, fill
from tests.integration.state.work import counted
from tests.unit.pages.conftest import Browser, api_server, browser

__all__ = ["api_server", "browser"]

pytestmark = pytest.mark.proof

MOST_STATEMENTS, MOST_ROWS = 6, 1.1 * ROWS
ASKED = (
    "/launches",
    "/launches?state=unknown",
    "/launches?text=nowhere",
    "/launches?vendor=Vendor+3&dag=dag_8",
    "/calendar",
    "/budgets",
)


@pytest.fixture
def store(clean_postgres: str) -> Iterator[Store]:
    with separate_store(clean_postgres) as made:
        yield made


def test_no_page_reads_the_register_twice(
    store: Store, browser: Callable[[str], Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__MKT__DEPLOYMENT", "production")
    fill(store)
    reader, took, done = browser("vera"), {}, {}
    reader.get("/launches")
    for path in ASKED:
        began = time.monotonic()
        answer = reader.get(path)
        took[path] = round(time.monotonic() - began, 3)
        assert answer.status_code == 200, answer.text
        with counted(store) as work:
            reader.get(path)
        done[path] = (work.statements, work.rows)
    print(took)  # noqa: T201 - a measurement, which is not judged
    assert all(0 < statements <= MOST_STATEMENTS and 0 < rows <= MOST_ROWS for statements, rows in done.values()), done
