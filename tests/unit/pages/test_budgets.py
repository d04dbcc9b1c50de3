# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Rate budgets and caps on a page, in figures."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_mkt.client.endpoint import Limit
from airflow_provider_mkt.state.budgets.shared import SharedBudget
from airflow_provider_mkt.state.launches.launch import ACCEPTED
from tests.unit.pages.conftest import Browser, launch, put

pytestmark = pytest.mark.slow

Browsers = Callable[[str], Browser]


def text_of(page: str) -> str:
    """Return what a person reads."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_without_requests_and_caps_it_says_so(browser: Browsers, store: Any) -> None:
    page = browser("vera").get("/budgets").text
    assert "There are no caps" in page
    assert "No request has been sent yet" in page


def test_caps_with_what_is_left(browser: Browsers, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__MKT__CAPS", "GBP: launch 2000, day 5000")
    now = store.now()
    put(
        store,
        launch(1, state=ACCEPTED, amount=1_450_500, currency="GBP", counted_at=now),
        launch(2, state=ACCEPTED, amount=500_000, currency="GBP", counted_at=now, dag_id="autumn"),
    )
    shown = text_of(browser("vera").get("/budgets").text)
    assert "all accounts day 5,000.00 GBP 1,950.50 3,049.50" in shown
    assert "spring 1,450.50, autumn 500.00" in shown
    assert "checked for each launch by itself" in shown


def test_other_dags_are_not_named(browser: Browsers, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__MKT__CAPS", "GBP: day 5000")
    put(store, launch(2, state=ACCEPTED, amount=500_000, currency="GBP", counted_at=store.now(), dag_id="autumn"))
    shown = text_of(browser("sam").get("/budgets").text)
    assert "autumn" not in shown
    assert "another DAG 500.00" in shown


def test_caps_that_cannot_be_read_do_not_hide_the_rest(
    browser: Browsers, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__MKT__CAPS", "lots")
    page = browser("vera").get("/budgets")
    assert page.status_code == 200
    assert "[mkt] caps" in page.text


def test_what_is_used_of_a_rate_budget(browser: Browsers, store: Any) -> None:
    budgets = SharedBudget(
        ("flow_social", "https://api.example.com", "key"), {"default": Limit(100)}, get_store=lambda: store
    )
    for _ in range(7):
        budgets.reserve(("default",))
    shown = text_of(browser("vera").get("/budgets").text)
    assert re.search(r"default \d+ 100 in 60 s", shown)
