# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Field types that several vendors share: dates, names, addresses. Violations read like a vendor's message."""

from __future__ import annotations

import re
from datetime import date, datetime, timezone
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

_RFC3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})", flags=re.ASCII
)
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_EARLIEST = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LATEST = datetime(9990, 1, 1, tzinfo=timezone.utc)


class Body(BaseModel):
    """A request body: strict types, unknown fields refused."""

    model_config = ConfigDict(strict=True, extra="forbid")


class Loose(BaseModel):
    """A request body whose schema the vendor does not publish: unknown fields are let through."""

    model_config = ConfigDict(strict=True, extra="allow")


def moment(text: Any) -> datetime:
    """An RFC 3339 date-time with an offset, as UTC.

    :raises ValueError: anything else
    """
    match = _RFC3339.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("must be an RFC 3339 date-time with a time zone, such as 2030-01-31T09:00:00Z")
    day, clock, fraction, zone = match.groups()
    offset = "+00:00" if zone in "Zz" else zone
    try:
        parsed = datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0')[:6].ljust(6, '0')}{offset}")
        parsed = parsed.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise ValueError("is not a possible date and time") from None
    if not _EARLIEST <= parsed < _LATEST:
        raise ValueError("must lie between the years 1970 and 9990")
    return parsed


def day(text: Any) -> date:
    """A date in the form YYYY-MM-DD.

    :raises ValueError: anything else
    """
    if not isinstance(text, str) or re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, flags=re.ASCII) is None:
        raise ValueError("must be a date in the form YYYY-MM-DD")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("is not a possible date") from None


def time_or_day(text: Any) -> datetime:
    """A date-time, or a date, which means its first moment in UTC."""
    if isinstance(text, str) and len(text) == len("2030-01-31"):
        text = f"{day(text).isoformat()}T00:00:00Z"
    return moment(text)


def is_email(text: str) -> bool:
    """Whether a text looks like an e-mail address of at most 254 characters."""
    return len(text) <= 254 and _EMAIL.fullmatch(text) is not None


def address_problem(url: str, *, https_only: bool) -> str | None:
    """Why a callback address is refused, or None."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return "must be a valid URL"
    if parts.scheme not in ({"https"} if https_only else {"https", "http"}) or not host:
        return "must be an https URL"
    if https_only and (host == "localhost" or host.startswith(("127.", "10.", "192.168.", "[")) or "." not in host):
        return "must have a public host"
    return None


def _no_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


def any_of(*names: str) -> dict[str, Any]:
    """The schema of a body in which at least one of some texts must be given."""
    return {"anyOf": [{"required": [name], "properties": {name: {"type": "string", "minLength": 1}}} for name in names]}


Instant = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""A date-time in an answer."""
HttpsAddress = Annotated[str, Field(min_length=1, max_length=2048, json_schema_extra={"format": "uri"})]
"""A callback address; :func:`address_problem` judges it."""
Moment = Annotated[
    datetime, BeforeValidator(moment), Field(json_schema_extra={"type": "string", "format": "date-time"})
]
Name = Annotated[str, Field(min_length=1, max_length=255, pattern=r"\S"), AfterValidator(_no_blank)]
"""A text of 1 to 255 characters that is not blank."""
