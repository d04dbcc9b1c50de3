# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What waits for a yes, above the list of launches."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_mkt.state.launches.approvals import APPROVED, Approvals, Asked
from tests.unit.pages.conftest import Browser, launch

pytestmark = pytest.mark.slow

Browsers = Callable[[str], Browser]
ASKED = [
    Asked(launch(1, what="campaign for 3 homes", amount=1_450_500, currency="GBP"), "d1", "{}"),
    Asked(launch(2, what="campaign for 2 homes", amount=500_000, currency="GBP"), "d2", "{}"),
]


@pytest.mark.parametrize(("name", "word"), [("uma", "Answer"), ("vera", "Look")])
def test_a_question_is_shown_with_what_it_costs(name: str, word: str, browser: Browsers, store: Any) -> None:
    ask = Approvals().ask(ASKED, "code")
    page = browser(name).get("/launches").text
    assert "campaign for 3 homes and 1 more" in page
    assert "1,950.50 GBP" in page
    assert re.findall(rf'href="/mkt-ui/approvals/{ask}" aria-label="[^"]+">(\w+)<', page) == [word]


def test_what_was_answered_waits_no_more(browser: Browsers, store: Any) -> None:
    ask = Approvals().ask(ASKED, "code")
    Approvals().answer(ask, APPROVED, "ana", "", "a test")
    assert "Waiting for a yes" not in browser("vera").get("/launches").text


def test_questions_of_other_dags_and_deployments_are_not_shown(browser: Browsers, store: Any) -> None:
    Approvals().ask([Asked(launch(1, dag_id="autumn", what="a secret plan"), "d1", "{}")], "one")
    Approvals().ask([Asked(launch(2, deployment="staging", what="another plan"), "d2", "{}")], "two")
    page = browser("sam").get("/launches").text
    assert "a secret plan" not in page
    assert "another plan" not in page
