# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Paging, filters and sorting, as the vendor's page "Querying" has them."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query

from airflow_provider_mkt.sandbox.engine.fields import moment
from airflow_provider_mkt.sandbox.engine.vendor import Call, VendorError, page_of

Page = Annotated[int, Query(ge=1)]
PerPage = Annotated[int, Query(ge=1, le=100)]
_FILTER = re.compile(r"filter\[([^\[\]]*)\](?:\[([^\[\]]*)\])?")
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}

Fields = Mapping[str, Callable[[str], Any]]
"""Filterable fields and how the text of a value is read."""


def milliseconds(value: Any) -> float:
    """A time given as Unix milliseconds or ISO 8601, in milliseconds.

    :raises ValueError: anything else
    """
    if isinstance(value, str) and re.fullmatch(r"\d{1,15}", value, flags=re.ASCII):
        value = int(value)
    if isinstance(value, str):
        return moment(value).timestamp() * 1000
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LATEST:
        raise ValueError("must be Unix milliseconds or an ISO 8601 date-time")
    return float(value)


_LATEST = datetime.fromisoformat("9990-01-01T00:00:00+00:00").timestamp() * 1000


def text(value: str) -> str:
    """A text filter's value as it is."""
    return value


def query_parameters(fields: Fields) -> dict[str, Any]:
    """The OpenAPI form of filters and sorting."""
    names = "|".join(fields)
    return {
        "parameters": [
            {
                "name": "sort",
                "in": "query",
                "required": False,
                "schema": {"type": "string", "pattern": f"^-?({names})(,-?({names}))*$"},
            },
            *(
                {"name": f"filter[{name}]", "in": "query", "required": False, "schema": _schema(read)}
                for name, read in fields.items()
            ),
        ]
    }


def _schema(read: Callable[[str], Any]) -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "maximum": 10**14} if read is milliseconds else {"type": "string"}


def select(
    call: Call, rows: Sequence[dict[str, Any]], fields: Fields, page: int, per_page: int
) -> list[dict[str, Any]]:
    """The rows that pass all filters, sorted, one page of them.

    :raises VendorError: 400 for unknown fields or operators and for bad values
    """
    chosen = list(rows)
    for key, value in call.query:
        if key.startswith("filter"):
            test = _test(key, value, fields)
            chosen = [row for row in chosen if test(row)]
    for name in reversed(_sort_keys(call, fields)):
        field_name = name.removeprefix("-")
        chosen.sort(key=lambda row: row[field_name], reverse=name.startswith("-"))
    return list(page_of(chosen, page, per_page))


def _sort_keys(call: Call, fields: Fields) -> list[str]:
    given = call.parameter("sort")
    keys = [] if given is None else given.split(",")
    for key in keys:
        if key.removeprefix("-") not in fields:
            raise VendorError(400, "Invalid sort", details=[("sort", f"unknown field {key.removeprefix('-')!r}")])
    return keys


def _test(key: str, value: str, fields: Fields) -> Callable[[Mapping[str, Any]], bool]:
    match = _FILTER.fullmatch(key)
    name, operation = (match.group(1), match.group(2) or "eq") if match else ("", "eq")
    if match is None or name not in fields:
        raise VendorError(400, "Invalid filter", details=[(key, "unknown field")])
    read = fields[name]
    try:
        if operation == "in":
            wanted = [read(part) for part in value.split(",")]
            return lambda row: row[name] in wanted
        if operation == "contains" and read is text:
            return lambda row: value in row[name]
        compare = _ORDER[operation]
        single = read(value)
    except KeyError:
        raise VendorError(400, "Invalid filter", details=[(key, f"unknown operator {operation!r}")]) from None
    except ValueError as error:
        raise VendorError(400, "Invalid filter", details=[(key, str(error))]) from None
    return lambda row: compare(row[name], single)
