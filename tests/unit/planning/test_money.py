# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Amounts as people write them: taken, or refused with the amount that is meant, if that is clear."""

from __future__ import annotations

import pytest

from airflow_provider_mkt.planning.money import budget

UNCLEAR = "1450 or 1450.50"


@pytest.mark.parametrize(
    ("text", "amount"), [("1450", 1450), ("1450.5", 1450.5), ("0.50", 0.5), ("9999999.99", 9999999.99)]
)
def test_amounts(text: str, amount: float) -> None:
    assert budget(text) == amount


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("€1.450,50", "1450.50"),
        ("1,450.00", "1450.00"),
        ("1 450", "1450"),
        ("1\u202f450,5 €", "1450.5"),
        ("1’450.50 CHF", "1450.50"),
        ("€0,50", "0.50"),
        ("EUR 1.450.000", "1450000"),
        ("1e3", UNCLEAR),
        ("1.4k", UNCLEAR),
        ("0x10", UNCLEAR),
        ("1_450", UNCLEAR),
        ("0.001", UNCLEAR),
        ("-5", UNCLEAR),
        ("1450 to 2000", UNCLEAR),
    ],
)
def test_what_is_meant(text: str, meant: str) -> None:
    """Nothing is suggested that may be another amount."""
    with pytest.raises(ValueError, match="is not an amount") as caught:
        budget(text)
    assert str(caught.value).endswith(f"before the decimals: {meant}")


@pytest.mark.parametrize("text", ["10000000", "145050000"])
def test_too_much(text: str) -> None:
    with pytest.raises(ValueError, match="is a decimal point missing"):
        budget(text)
