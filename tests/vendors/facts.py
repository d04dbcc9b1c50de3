# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What has to be written down of a vendor, from its documents, so that all tables of the tests cover it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.vendors.case import Case, Given, nothing

MINUTE = 60.0
RECEIVER = "https://airflow.example.com/mkt/webhooks/mine"

Limits = Mapping[str, tuple[int, float]]
"""How many requests in how many seconds, by budget."""


@dataclass(frozen=True)
class Walk:
    """A list of several pages.

    :param method: the hook's method
    :param path: path that is asked
    :param rows: how many rows there are
    :param pages: name of the query parameter that counts, and its values in turn
    :param kwargs: arguments of the method
    :param given: makes what the list shows; it is called again before each walk
    """

    method: str
    path: str
    rows: int
    pages: tuple[str, tuple[str | None, ...]]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    given: Given = nothing


def _no_headers(case: Case) -> Mapping[str, str | None]:
    return {}


@dataclass(frozen=True)
class Facts:
    """A vendor, as its documents describe it. Nothing here is taken from the package.

    :param base_url: base of its API
    :param routes: how many routes its documents have
    :param limits: rate limits by plan; None for an account without one
    :param counted: its routes, a line each, by the budgets that they count in
    :param cases: a case for every endpoint
    :param spends: what may be repeated, for the endpoints that cost money or a token
    :param tasks: operators, sensors and transfers by name: the arguments that they need, and one that may be mapped
    :param walks: lists of several pages
    :param headers: headers that a case's request has (None: does not have), besides those that all have
    :param connections: changes of the default connection, by the names that cases use
    :param extra: what a connection in memory needs besides its credentials
    :param renewed_on: statuses after which a new token is fetched
    :param without_case: rows of the vendor's table that no method calls, and why
    :param without_endpoint: public methods of the hook that are no endpoint, and why
    :param assumed_routes: routes of the sandbox that no document gives, and why
    :param open_routes: routes of the sandbox that need no credentials
    :param envelope: names of an error's fields
    """

    base_url: str
    routes: int
    limits: Mapping[str | None, Limits]
    counted: Mapping[tuple[str, ...], str]
    cases: tuple[Case, ...]
    envelope: frozenset[str]
    tasks: Mapping[str, tuple[Mapping[str, Any], str]]
    spends: Mapping[str, str] = field(default_factory=dict)
    walks: tuple[Walk, ...] = ()
    headers: Callable[[Case], Mapping[str, str | None]] = _no_headers
    connections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    renewed_on: tuple[int, ...] = ()
    without_case: Mapping[str, str] = field(default_factory=dict)
    without_endpoint: Mapping[str, str] = field(default_factory=dict)
    assumed_routes: Mapping[str, str] = field(default_factory=dict)
    open_routes: frozenset[str] = frozenset()

    def rows(self) -> list[tuple[str, tuple[str, ...]]]:
        """Return the routes with their budgets."""
        return [
            (line.strip(), budgets)
            for budgets, lines in self.counted.items()
            for line in lines.split("\n")
            if line.strip()
        ]
