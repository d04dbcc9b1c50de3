# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Checks of what users hand in, before anything is sent. Every message names the field, the problem and the remedy."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

from airflow_provider_mkt.exceptions import ValidationError

MOST_MONEY = 1_000_000_000
"""No budget of a campaign is as high: a slip of the pen."""


def text(field: str, value: Any, *, longest: int = 255) -> str:
    """Return ``value`` as non-empty text of at most ``longest`` characters."""
    if isinstance(value, bool) or not isinstance(value, (str, int)) or not str(value).strip():
        raise ValidationError(f"{field} must be non-empty text, got {_shown(value)}.")
    if len(str(value)) > longest:
        raise ValidationError(
            f"{field} has {len(str(value)):,} characters; at most {longest:,} are allowed. Shorten it."
        )
    return str(value)


def texts(field: str, values: Any, *, most: int, least: int = 1) -> list[str]:
    """Return ``values`` as a list of ``least`` to ``most`` different, non-empty texts."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Sequence):
        raise ValidationError(f"{field} must be a list, got {_shown(values)}; write [{values!r}] for a single one.")
    if len(values) < least:
        raise ValidationError(f"{field} is empty; name at least one.")
    if len(values) > most:
        raise ValidationError(f"{field} has {len(values)} entries; at most {most} are allowed. Split the request.")
    checked = [text(f"{field}[{index}]", value) for index, value in enumerate(values)]
    doubled = sorted({value for value in checked if checked.count(value) > 1})
    if doubled:
        raise ValidationError(f"{field} names {', '.join(doubled)} more than once; remove the repetition.")
    return checked


def ids(field: str, values: Any) -> list[str]:
    """Return one id, given as text, or several as a list."""
    return [text(field, values)] if isinstance(values, str) else texts(field, values, most=10_000)


def parsed(field: str, value: Any) -> datetime:
    """Return ``value`` as an aware datetime; without a time zone it is UTC."""
    try:
        return _aware(value)
    except (TypeError, ValueError, OverflowError):
        raise ValidationError(
            f"{field} must be a date and time like 2026-06-08T09:00:00Z, got {_shown(value)}."
        ) from None


def _aware(value: Any) -> datetime:
    if not isinstance(value, (str, date)):
        raise TypeError("a number may mean seconds, milliseconds or a day")
    # Python 3.10 does not read the "Z" that every vendor writes.
    text_ = str(value).strip().upper().replace("Z", "+00:00")
    found = value if isinstance(value, datetime) else datetime.fromisoformat(text_)
    found = found if found.tzinfo else found.replace(tzinfo=timezone.utc)
    found.astimezone(timezone.utc)  # overflows at either end of the calendar
    return found


def moment(field: str, value: Any) -> str | None:
    """Return ``value`` as ISO 8601 in UTC with milliseconds and ``Z``, or None for none."""
    if value is None or value == "":
        return None
    return parsed(field, value).astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def not_in_the_past(field: str, value: Any) -> None:
    """Refuse a moment that has passed."""
    if value is not None and parsed(field, value) <= (now := datetime.now(timezone.utc)):
        raise ValidationError(
            f"{field} is in the past: {value} (it is {now:%Y-%m-%dT%H:%M:%SZ} now); choose a later one."
        )


def amount(field: str, value: Any) -> float | int:
    """Return an amount of money above 0 with at most two decimals."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal(0)
    if isinstance(value, bool) or not number.is_finite() or number <= 0:
        raise ValidationError(f"{field} must be a number above 0, got {_shown(value)}.")
    if number >= MOST_MONEY:
        raise ValidationError(f"{field} must be below {MOST_MONEY:,}, got {_shown(value)}; check the amount.")
    if number != round(number, 2):
        raise ValidationError(f"{field} must have at most two decimals, got {number}; round it.")
    return int(number) if number == number.to_integral_value() else float(number)


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:59] + "…"
