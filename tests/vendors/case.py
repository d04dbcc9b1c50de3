# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What one line of the conformance table says, and how it is compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_mkt.client.endpoint import Endpoint
from airflow_provider_mkt.sandbox.server import Sandbox

Given = Callable[[Any, Sandbox], dict[str, str]]
"""Makes what a call needs, by a hook, and returns its names."""


def nothing(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    return {}


@dataclass(frozen=True)
class Rows:
    """A list: how many rows it has, and what is true of its first."""

    count: int | None = None
    first: Any = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One endpoint.

    ``{names}`` in arguments, path, query and body stand for what ``given`` made.

    :param endpoint: the row of the vendor's table
    :param method: the hook's method
    :param args: its positional arguments
    :param kwargs: its keyword arguments
    :param sends: method and path that have to arrive
    :param safety: what may be repeated, as the vendor's documents are read
    :param answer: what the method returns, see :func:`differences`
    :param query: the query that has to arrive
    :param body: the body that has to arrive; ``...`` when it is no JSON
    :param errors: documented error statuses besides 5xx
    :param given: makes what the call needs
    :param connection: which connection is used; empty: the default one
    :param renewed_on: statuses after which a new token is fetched, where that differs from the vendor's other routes
    :param sends_key: an idempotency key is sent although none is documented, in case it should be heeded
    :param final_429: not even a refusal for the moment is followed by another attempt
    :param hidden_effect: what it does is not told from what any call may do, such as fetching a token
    """

    endpoint: Endpoint
    method: str
    sends: str
    safety: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    answer: Any = None
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    errors: tuple[int, ...] = ()
    given: Given = nothing
    connection: str = ""
    renewed_on: tuple[int, ...] | None = None
    sends_key: bool = False
    final_429: bool = False
    hidden_effect: bool = False

    @property
    def has_effect(self) -> bool:
        """Whether the ledger has an entry of its own for it."""
        return self.safety != "READ" and not self.hidden_effect


def filled(value: Any, made: Mapping[str, str]) -> Any:
    """Return a copy of ``value`` in which the names stand for what was made."""
    if isinstance(value, str):
        for name, text in made.items():
            value = value.replace("{" + name + "}", text)
        return value
    if isinstance(value, Rows):
        return replace(value, first=filled(value.first, made))
    if isinstance(value, Mapping):
        return {key: filled(part, made) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(filled(part, made) for part in value)
    return value


def differences(found: Any, expected: Any, place: str = "answer") -> Iterator[str]:
    """Yield where ``found`` is not as expected.

    Objects may have more fields than expected; a type stands for any value of it; :class:`Rows` for a lazy list.
    """
    if isinstance(expected, Rows):
        yield from _rows(found, expected, place)
    elif isinstance(expected, type):
        if not isinstance(found, expected):
            yield f"{place} is {found!r}, not a {expected.__name__}"
    elif isinstance(expected, dict) and isinstance(found, dict):
        for name, value in expected.items():
            if name in found:
                yield from differences(found[name], value, f"{place}.{name}")
            else:
                yield f"{place} has no {name}: {found!r}"
    elif found != expected:
        yield f"{place} is {found!r}, not {expected!r}"


def _rows(found: Any, expected: Rows, place: str) -> Iterator[str]:
    if not isinstance(found, Iterator):
        yield f"{place} is not lazy: {found!r}"
    rows = list(found)
    if expected.count is not None and len(rows) != expected.count:
        yield f"{place} has {len(rows)} rows instead of {expected.count}"
    if rows:
        yield from differences(rows[0], expected.first, f"{place}[0]")
    elif expected.count is None:
        yield f"{place} is empty"
