# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Values as both databases take them, whoever wrote them: the text of a brief, a filter on a page, a vendor's id.

Drivers refuse some texts and numbers with errors of their own, each driver others: a post with a NUL in it would be
launched beside SQLite and not beside PostgreSQL. Two texts that are stored alike are also found alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_mkt.client.storable import storable

MAX_INTEGER = 2**63 - 1
"""The largest whole number of both databases. A larger one is only ever compared with: nothing here counts so far."""


def stored(value: Any) -> Any:
    """Return a value of a statement as every database takes it."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        return MAX_INTEGER if value > 0 else -MAX_INTEGER
    return value


def stored_values(_: Any, __: Any, statement: str, values: Any, ___: Any, many: bool) -> tuple[str, Any]:
    """Return what SQLAlchemy is about to hand to the driver, with its values as :func:`stored` returns them."""
    return statement, [_each(row) for row in values] if many else _each(values)


def _each(values: Any) -> Any:
    if isinstance(values, Mapping):
        return {name: stored(value) for name, value in values.items()}
    return tuple(stored(value) for value in values)
