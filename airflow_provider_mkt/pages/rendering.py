# Licensed under the Apache License, Version 2.0; see LICENSE.
"""From templates to answers. What is put into a template is escaped; nothing on a page comes from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.state.launches.caps import amount_of
from airflow_provider_mkt.submission.summary import in_order, printable

HERE = Path(__file__).parent
CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
}
NAMED = 8
"""Characters of a launch's name that are shown."""


def moment(seconds: float | None, zone: tzinfo) -> str:
    """Return a moment for people."""
    return "" if not seconds else f"{datetime.fromtimestamp(seconds, zone):%Y-%m-%d %H:%M}"


def iso(seconds: float | None, zone: tzinfo) -> str:
    """Return a moment for programs."""
    return "" if not seconds else datetime.fromtimestamp(seconds, zone).isoformat(timespec="seconds")


def planned(text: str, zone: tzinfo) -> str:
    """Return when something goes live, as the register has it, for people."""
    try:
        return f"{datetime.fromisoformat(text.replace('Z', '+00:00')).astimezone(zone):%Y-%m-%d %H:%M}" if text else ""
    except (ValueError, OverflowError):  # the latter at either end of the calendar, which other zones have passed
        return text


def money(mills: int | None, currency: str = "") -> str:
    """Return an amount for people; "" where there is none."""
    return "" if mills is None else f"{amount_of(mills)} {currency}".rstrip()


@cache
def environment() -> Environment:
    """Return the templates. What a vendor or a DAG has written is shown without secrets and personal data.

    Only what a person is asked to approve is shown to the letter (``exact``). Wherever a text comes from, characters
    that reorder what stands around it are escaped.
    """
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=in_order,
    )
    hidden = Redactor()
    made.filters.update(
        moment=moment,
        iso=iso,
        planned=planned,
        money=money,
        exact=lambda text: printable(str(text)),
        safe_text=lambda text: hidden.text(str(text)),
    )
    return made


def rendered(template: str, values: Mapping[str, Any], status: int = 200) -> HTMLResponse:
    """Return a page."""
    return HTMLResponse(environment().get_template(template).render(values), status, dict(HEADERS))
