# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What people read of a submission: in lists, on the command line, in notifications."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_mkt.submission.record import HELD, Record, UnreadableRecordError
from airflow_provider_mkt.vendors import installed_vendors
from airflow_provider_mkt.vendors.base import Vendor


def printable(text: str) -> str:
    """Return ``text`` with characters that act on a terminal, or reorder what it shows, written as escapes."""
    return "".join(each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in text)


REORDERING = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What moves, hides or turns round the text that stands beside it, and halves of characters."""


def in_order(value: Any) -> Any:
    """Return a text with the characters that reorder what is beside it written as escapes; other values as they are.

    Unlike :func:`printable` it leaves the joiners of emoji and the blanks of other languages alone.
    """
    if type(value) is str and REORDERING.search(value):
        return REORDERING.sub(lambda found: ascii(found[0])[1:-1], value)
    return value


def read(value: Any) -> Record | None:
    """Return the record that is kept in the store; None when it is none, or one of a later version."""
    try:
        return Record.of(value)
    except UnreadableRecordError:
        return None


def problem_of(value: Any) -> str:
    """Say why a record cannot be used; "" when it can."""
    try:
        return Record.of(value).problem
    except UnreadableRecordError as error:
        return str(error)


def is_unsettled(value: Any) -> bool:
    """Tell whether a submission may wait for a person: its outcome is unknown, or it was held back."""
    record = read(value)
    return record is None or is_open(record)


def is_open(record: Record) -> bool:
    """Tell the same of a record that can be read."""
    return bool(record.problem) or record.state == HELD or record.conclusive_at > 0 or record.executed


def vendor_of(name: str) -> Vendor | None:
    """Return the vendor that people call ``name``; None for a record of an earlier version, or of no vendor here."""
    return next((vendor for vendor in installed_vendors() if vendor.name == name), None)


def amount_of(record: Record) -> str:
    """Return what a launch may spend, such as "1,500.00 USD"; "" when its body names no amount.

    Where the body names no currency, as Flow Living's does not, it is the plan's.
    """
    vendor = vendor_of(record.vendor)
    body = record.body if isinstance(record.body, Mapping) else {}
    amount, *currency = [body.get(name) for name in vendor.amount] if vendor and vendor.amount else [None]
    if amount is None:
        return ""
    return " ".join([_grouped(amount), *(str(each) for each in currency if each)])


def _grouped(amount: Any) -> str:
    try:
        return f"{float(amount):,.2f}"
    except (TypeError, ValueError):
        return str(amount)


def ids_of(record: Record) -> list[Any]:
    """Return the vendor's ids of what was submitted, in the order of the parts; empty when there are none."""
    ids = record.receipt.get(record.id_field)
    return ids if isinstance(ids, list) else [] if ids is None else [ids]
