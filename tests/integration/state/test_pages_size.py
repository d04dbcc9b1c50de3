# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Pages of the control room answer within a second where the register holds 100,000 launches, on PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from airflow_provider_mkt.state.database.shared import separate_store
from airflow_provider_mkt.state.database.store import Store
from tests.integration.state.test_register_size import fill
from tests.unit.pages.conftest import Browser, api_server, browser

__all__ = ["api_server", "browser"]

pytestmark = pytest.mark.proof

MAX_SECONDS = 1.0
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


def test_every_page_is_there_within_a_second(
    store: Store, browser: Callable[[str], Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__MKT__DEPLOYMENT", "production")
    fill(store)
    reader, took = browser("vera"), {}
    reader.get("/launches")
    for path in ASKED:
        began = time.monotonic()
        answer = reader.get(path)
        assert answer.status_code == 200, answer.text
        took[path] = round(time.monotonic() - began, 3)
    print(took)  # noqa: T201 - the measurement
    assert max(took.values()) < MAX_SECONDS, took
