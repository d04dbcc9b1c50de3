# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Which launches need an approval by their amount, and what the configuration may say."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.state.launches.launch import Effect
from airflow_provider_mkt.submission.approval import is_wanted
from airflow_provider_mkt.submission.spending import approval_limits
from tests.unit.state.launches.test_register import launch

SPENDS = Effect("campaign", spends=True)


def configured(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("AIRFLOW__MKT__APPROVAL_ABOVE", value)


@pytest.mark.parametrize(
    ("spent", "asked"),
    [
        ({"amount": 500_000, "currency": "GBP"}, False),
        ({"amount": 500_001, "currency": "GBP"}, True),
        ({"amount": 599_990, "currency": "EUR"}, False),
        ({"amount": None, "currency": "GBP"}, True),
        ({"amount": 1_000, "currency": "USD"}, True),
        ({"amount": 1_000, "currency": ""}, True),
    ],
    ids=["as much", "more", "another currency", "amount not known", "no limit for it", "currency not known"],
)
def test_by_its_amount(spent: dict[str, Any], asked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_wanted("", SPENDS, launch(**spent))
    configured(monkeypatch, "500 GBP, 599.99 EUR")
    assert is_wanted("", SPENDS, launch(**spent)) is asked
    assert is_wanted("required", SPENDS, launch(**spent))


def test_what_spends_nothing_asks_only_when_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    configured(monkeypatch, "0 GBP")
    assert not is_wanted("", Effect("post"), launch())
    assert is_wanted("required", Effect("post"), launch())


@pytest.mark.parametrize("value", ["500", "GBP 500", "500 gbp", "500 GBP; 600 EUR", "500 GBP, 600 GBP", "-1 GBP", "x"])
def test_what_cannot_be_read_is_named(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(monkeypatch, value)
    with pytest.raises(ValidationError, match=r"\[mkt\] approval_above: '.*' is no amount .* such as '500 GBP'"):
        approval_limits()


def test_none(monkeypatch: pytest.MonkeyPatch) -> None:
    configured(monkeypatch, " , ")
    assert approval_limits() == {}
