# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Checks of what users hand in, before anything is sent. Every message names the field, the problem and the remedy."""

from __future__ import annotations

import difflib
import ipaddress
import json
import re
import uuid
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_mkt import clock
from airflow_provider_mkt.exceptions import ValidationError

MAX_MONEY = 1_000_000_000
"""No budget of a campaign is as high: a typing mistake."""
NOTHING = "None"
"""What a template shows that has nothing to show. Nobody's id or name."""
FLAGS = {"true": True, "false": False}
ALIKE = 0.8
"""How much a word has to be like another one, from 0 to 1, to be taken for a typing mistake."""


def text(field: str, value: Any, *, longest: int = 255) -> str:
    """Return ``value`` as non-empty text of at most ``longest`` characters."""
    if isinstance(value, bool) or not isinstance(value, (str, int)) or not str(value).strip():
        raise ValidationError(f"{field} must be non-empty text, got {_shown(value)}.")
    if str(value).strip() == NOTHING:
        raise ValidationError(
            f"{field} must be non-empty text, got {_shown(value)}: a template had nothing to show. Check what it "
            "refers to."
        )
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
    doubled = sorted(value for value, times in Counter(checked).items() if times > 1)
    if doubled:
        raise ValidationError(f"{field} names {', '.join(doubled)} more than once; remove the repetition.")
    return checked


def ids(field: str, values: Any) -> list[str]:
    """Return one id, given as text, or several as a list."""
    return [text(field, values)] if isinstance(values, str) else texts(field, values, most=10_000)


def choice(field: str, value: Any, allowed: Collection[str]) -> str:
    """Return ``value``, which must be one of ``allowed``."""
    if not isinstance(value, str) or value not in allowed:
        raise ValidationError(f"{field} must be one of {', '.join(allowed)}, got {_shown(value)}.")
    return value


def choices(field: str, values: Any, allowed: Collection[str]) -> list[str]:
    """Return ``values`` as a list of one or more different members of ``allowed``."""
    checked = texts(field, values, most=len(allowed))
    return [choice(f"{field}[{index}]", value, allowed) for index, value in enumerate(checked)]


def statuses(field: str, values: Any, known: Collection[str], *, closed: bool) -> list[str]:
    """Return one status to wait for, given as text, or several as a list.

    :param known: the vendor's statuses, as far as they are known
    :param closed: whether the vendor documents them all; otherwise others pass, unless they look like a typing mistake
    """
    if closed:
        return choices(field, [values] if isinstance(values, str) else values, known)
    wanted = ids(field, values)
    for status in wanted:
        near = [] if status in known else difflib.get_close_matches(status.strip().lower(), known, 1, ALIKE)
        if near:
            raise ValidationError(f"{field} names {_shown(status)}; {near[0]!r} is probably meant.")
    return wanted


def known_fields(field: str, value: Any, known: Collection[str]) -> Mapping[str, Any]:
    """Return ``value``, which must be an object without other fields than ``known``. No value is quoted."""
    if not isinstance(value, Mapping):
        raise ValidationError(f"{field} must be an object with some of {', '.join(sorted(known))}.")
    unknown = sorted(set(map(str, value)) - set(known))
    if unknown:
        raise ValidationError(f"{field} has unknown fields {', '.join(unknown)}; known are {', '.join(sorted(known))}.")
    return value


def json_object(field: str, value: Any, example: str) -> dict[str, Any]:
    """Return ``value`` as a non-empty JSON object.

    :param example: what it could be, for the message
    """
    if not isinstance(value, Mapping) or not value:
        raise ValidationError(f"{field} must be an object such as {example}, got {_shown(value)}.")
    for name, part in value.items():
        if not isinstance(name, str) or not _is_json(part):
            raise ValidationError(f"{field}[{name!r}] is not JSON: {_shown(part)}; write dates and decimals as text.")
    return dict(value)


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def count(field: str, value: Any, *, most: int) -> int:
    """Return a whole number from 1 to ``most``."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise ValidationError(f"{field} must be a whole number from 1 to {most}, got {_shown(value)}.")
    return value


def flag(field: str, value: Any) -> bool:
    """Return ``value``, which must be true or false; as text when it comes from a template."""
    word = value.strip().lower() if isinstance(value, str) else value
    if isinstance(word, str) and word in FLAGS:
        return FLAGS[word]
    if not isinstance(word, bool):
        raise ValidationError(f"{field} must be true or false, got {_shown(value)}.")
    return word


def key(value: str | None) -> str:
    """Return an idempotency key: the given one, or a new UUID."""
    return str(uuid.uuid4()) if value is None else text("idempotency_key", value)


def https_url(field: str, value: Any, *, anywhere: bool = False) -> str:
    """Return ``value`` as an address that a vendor calls. It is not quoted in messages: it may hold a token.

    :param anywhere: allow http and hosts inside a network as well
    """
    url = text(field, value, longest=2_048)
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    schemes = ("https", "http") if anywhere else ("https",)
    if parts.scheme not in schemes or not host or any(sign.isspace() for sign in url):
        raise ValidationError(f"{field} must be a full {schemes[0]} address, like https://example.com/hook.")
    if not anywhere and not _public(host):
        raise ValidationError(f"{field} must have a public host, which the vendor can reach; {host} is not one.")
    return url


def _public(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host.strip(".") and not host.endswith((".localhost", ".local", ".internal"))


def day(field: str, value: Any) -> str:
    """Return ``value`` as a day, ``YYYY-MM-DD``; of a date and time it is the day in UTC."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, flags=re.ASCII) is None:
        raise ValidationError(f"{field} must be a day like 2026-06-08, got {_shown(value)}.")
    return parsed(field, value).astimezone(timezone.utc).date().isoformat()


def in_order(start_field: str, start: str | None, end_field: str, end: str | None) -> None:
    """Refuse an end before its start; both as :func:`moment` or :func:`day` return them."""
    if start is not None and end is not None and end < start:
        raise ValidationError(f"{end_field} must not be before {start_field}: {end} is before {start}; swap them.")


def parsed(field: str, value: Any) -> datetime:
    """Return ``value`` as an aware datetime; without a time zone it is UTC, a day is its first moment."""
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
    if value is not None and parsed(field, value) <= (now := clock.utcnow()):
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
    if number >= MAX_MONEY:
        raise ValidationError(f"{field} must be below {MAX_MONEY:,}, got {_shown(value)}; check the amount.")
    if number != round(number, 2):
        raise ValidationError(f"{field} must have at most two decimals, got {number}; round it.")
    return int(number) if number == number.to_integral_value() else float(number)


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:59] + "…"


def positive(name: str, value: float | timedelta) -> float:
    """Return ``value`` in seconds.

    :raises ValueError: when it is not above 0
    """
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds > 0:
        raise ValueError(f"{name} must be a number of seconds above 0, got {value!r}")
    return float(seconds)
