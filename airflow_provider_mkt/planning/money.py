# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Amounts of money as people write them in a plan."""

from __future__ import annotations

import re

from airflow_provider_mkt import validation

MAX_BUDGET = 10_000_000
"""An amount from here on is taken for a mistyped one: a missing decimal point, for example."""
MONEY = re.compile(r"\d{1,12}(?:\.\d{1,2})?", re.ASCII)
GROUPED = re.compile(
    r"(?<![\d.,])(\d{1,3}(?:([.,' ])\d{3})(?:\2\d{3})*|\d{1,12})(?:[.,](\d{1,2}))?(?![\d.,])", re.ASCII
)
"""An amount as people write it, in thousands perhaps."""
UNCLEAR = re.compile(r"[-\d_]")
"""Beside an amount, what may make it another one."""
LETTER = re.compile(r"[^\W\d_]")
"""Right behind an amount, what may multiply it: ``1.4k``, ``1e3``."""


def budget(text: str) -> float | int:
    """Return the amount that ``text`` means, above 0 and below ``MAX_BUDGET``.

    :raises ValueError: saying what to write instead, where that is clear
    """
    if not MONEY.fullmatch(text):
        written = text if len(text) <= 40 else text[:39] + "…"
        raise ValueError(
            f"{written!r} is not an amount; write the number alone, above 0, with a point before the decimals: "
            f"{_amount_meant(text)}"
        )
    amount = validation.amount("it", text)
    if amount >= MAX_BUDGET:
        raise ValueError(f"{text} is too much: budgets are below {MAX_BUDGET:,}; is a decimal point missing?")
    return amount


def _amount_meant(text: str) -> str:
    """Return how to write the amount that somebody has written with a currency, or as in other countries."""
    text = re.sub(r"[\s’]", " ", text)
    found = GROUPED.search(text)
    if (
        found is None
        or UNCLEAR.search(f"{text[: found.start()]} {text[found.end() :]}")
        or LETTER.match(text, found.end())
    ):
        return "1450 or 1450.50"
    whole = re.sub(r"[.,' ]", "", found[1])
    if whole.startswith("0") and whole != "0":
        return "1450 or 1450.50"
    return f"{whole}.{found[3]}" if found[3] else whole
