# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Whether what a vendor shows is what was sent. It may show less, or write it otherwise."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any

from airflow_provider_mkt import validation
from airflow_provider_mkt.client.storable import storable
from airflow_provider_mkt.exceptions import ValidationError

SAME_SECOND = 1.0
"""Seconds by which two ways to write one moment may differ."""
MIN_MILLISECONDS = 10**11
"""Numbers from here on are milliseconds, smaller ones seconds."""


def differing(row: Mapping[str, Any], body: Mapping[str, Any]) -> list[str]:
    """Return the names of the fields that ``row`` shows with another value than ``body`` has."""
    return [name for name, value in body.items() if row.get(name) is not None and not alike(row[name], value)]


def not_as_sent(answer: Any, body: Any, echoed: Iterable[str]) -> list[str]:
    """Return which of the ``echoed`` fields an answer shows with another value than was sent."""
    if not isinstance(answer, Mapping) or not isinstance(body, Mapping):
        return []
    return differing(answer, {name: body[name] for name in echoed if body.get(name) is not None})


def alike(shown: Any, sent: Any) -> bool:
    """Tell whether the vendor shows what was sent, perhaps written otherwise: 1000 as "1000.00", a day as a moment."""
    if shown == sent:
        return True
    if isinstance(shown, str) and isinstance(sent, str) and _plain(shown) == _plain(sent):
        return True
    if isinstance(shown, list) and isinstance(sent, list):
        return sorted(map(str, shown)) == sorted(map(str, sent))
    with suppress(InvalidOperation):
        return Decimal(str(shown)) == Decimal(str(sent))
    with suppress(ValidationError):
        return abs(_seconds(shown) - _seconds(sent)) < SAME_SECOND
    return False


def _plain(text: str) -> str:
    """Return a text without what a vendor may write otherwise: blanks at its ends, line ends, composed characters.

    What no database takes was replaced in the answer, as :func:`.answer.parse` does.
    """
    return unicodedata.normalize("NFC", storable(text)).replace("\r\n", "\n").strip()


def _seconds(value: Any) -> float:
    """Return a moment in Unix time: vendors write it as text, as seconds or as milliseconds."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value / 1000 if value >= MIN_MILLISECONDS else float(value)
    moment: float = validation.parsed("moment", value).timestamp()
    return moment
