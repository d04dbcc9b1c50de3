# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Faults on order: which request is hit, how often, by what. ``http/fault_effects.py`` carries them out."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KINDS: dict[str, tuple[str, frozenset[str]]] = {
    "status": (
        "answer with an error status in the vendor's envelope",
        frozenset({"status", "body", "headers", "retry_after", "processed", "message"}),
    ),
    "delay": ("wait before or after processing", frozenset({"seconds", "when"})),
    "drop_before": ("close the connection, nothing processed, no byte sent", frozenset()),
    "drop_after": ("process, then close the connection without a byte", frozenset()),
    "reset_before": ("reset the connection (RST), nothing processed", frozenset()),
    "reset_after": ("process, then reset the connection (RST)", frozenset()),
    "drop_mid": ("process, send the head and half the body, then close", frozenset()),
    "truncate": ("process, send a body that is cut in half but well framed", frozenset()),
    "malformed": ("process, answer with a body that is not JSON", frozenset()),
    "html": ("answer with an HTML page", frozenset({"status", "processed"})),
    "wrong_types": ("process, answer with JSON of the wrong shape", frozenset({"value", "inner"})),
    "empty": ("process, answer with the same status and no body", frozenset()),
    "huge": ("process, answer with a very large JSON body", frozenset({"megabytes", "endless"})),
    "rate_limit": ("429, nothing processed", frozenset({"retry_after", "seconds"})),
    "expired_token": ("refuse the token and really revoke it, nothing processed", frozenset()),
    "slow_body": ("process, send the body in small pieces over some seconds", frozenset({"seconds", "pieces"})),
    "redirect": ("307, nothing processed", frozenset({"location", "status"})),
}
_COMMON = frozenset({"route", "kind", "count", "skip", "probability", "seed"})


@dataclass
class Fault:
    """A rule.

    :param route: ``METHOD /path``; ``*`` matches anything, ``{name}`` one segment
    :param count: how many requests it still hits (None: until removed)
    :param skip: how many matching requests still pass unharmed
    :param probability: share of the matching requests that are hit
    :param seed: which ones: the same request, sent as often before, always has the same luck
    :param parameters: what belongs to the kind
    """

    number: int
    route: str
    kind: str
    count: int | None = 1
    skip: int = 0
    probability: float = 1.0
    seed: int = 0
    parameters: dict[str, Any] = field(default_factory=dict)
    hits: int = 0

    def __post_init__(self) -> None:
        method, _, path = self.route.partition(" ")
        self._method = method.upper()
        self._path = re.compile(_pattern(path.strip()))
        self._sent: Counter[str] = Counter()

    def matches(self, method: str, path: str) -> bool:
        """Whether the request is one that the rule speaks of."""
        return self._method in ("*", method) and self._path.fullmatch(path) is not None

    def lucky(self, request: str) -> bool:
        """Draw whether this request passes. Others that come in between make no difference."""
        if self.probability >= 1:
            return False
        self._sent[request] += 1
        luck = random.Random(f"{self.seed}/{self.number}/{request}/{self._sent[request]}")  # noqa: S311 - repeatable
        return luck.random() >= self.probability

    def describe(self) -> dict[str, Any]:
        """The rule as JSON."""
        return {
            "id": self.number,
            "route": self.route,
            "kind": self.kind,
            "count": self.count,
            "skip": self.skip,
            "probability": self.probability,
            "seed": self.seed,
            "hits": self.hits,
            **self.parameters,
        }


class Faults:
    """The rules in force, oldest first. The first one that applies is used; a request suffers one fault."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Remove all rules."""
        self._rules: list[Fault] = []
        self._last = 0

    def add(self, order: Mapping[str, Any]) -> Fault:
        """Add a rule from a control request.

        :raises ValueError: names what is wrong with it
        """
        rule = _parse(order, self._last + 1)
        self._last += 1
        self._rules.append(rule)
        return rule

    def remove(self, number: int) -> bool:
        """Remove one rule; False when there is none of that number."""
        kept = [rule for rule in self._rules if rule.number != number]
        found = len(kept) < len(self._rules)
        self._rules = kept
        return found

    def describe(self) -> list[dict[str, Any]]:
        """All rules, also the used-up ones."""
        return [rule.describe() for rule in self._rules]

    def draw(self, method: str, path: str, content: str = "") -> Fault | None:
        """The fault that hits this request, counted. Nothing is awaited here, so the count is exact.

        :param content: what tells the request from others on its route
        """
        request = f"{method} {path} {content}"
        for rule in self._rules:
            if rule.count == 0 or not rule.matches(method, path):
                continue
            if rule.skip > 0:
                rule.skip -= 1
                continue
            if rule.lucky(request):
                continue
            if rule.count is not None:
                rule.count -= 1
            rule.hits += 1
            return rule
        return None


def _pattern(path: str) -> str:
    pieces = re.split(r"(\{[^/{}]*\}|\*|\?)", path)
    special = {"*": ".*", "?": "."}
    return "".join(
        "[^/]+" if piece.startswith("{") and piece.endswith("}") else special.get(piece, re.escape(piece))
        for piece in pieces
    )


def _number(order: Mapping[str, Any], name: str, default: float, least: float, most: float) -> float:
    value = order.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ValueError(f"{name} must be a number from {least:g} to {most:g}")
    return value


def _parse(order: Mapping[str, Any], number: int) -> Fault:
    route, kind = order.get("route"), order.get("kind")
    if not isinstance(route, str) or re.fullmatch(r"(\*|[A-Za-z]+) +(/|\*).*", route) is None:
        raise ValueError("route must look like 'POST /flow-living/campaigns/publish' or '* /flokit/*'")
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}")
    parameters = {name: value for name, value in order.items() if name not in _COMMON}
    unknown = set(parameters) - KINDS[kind][1]
    if unknown:
        raise ValueError(f"fault {kind} has no parameter {min(unknown)!r}")
    if kind == "status" and "status" not in parameters:
        raise ValueError("fault status needs the parameter status")
    _number(parameters, "status", 500, 200, 599)
    _number(parameters, "seconds", 1, 0, math.inf)
    _number(parameters, "megabytes", 50, 0, 10_000)
    _number(parameters, "pieces", 10, 1, 100_000)
    if parameters.get("when", "before") not in ("before", "after"):
        raise ValueError("when must be before or after")
    count = order.get("count", 1)
    return Fault(
        number,
        route,
        kind,
        None if count is None else int(_number(order, "count", 1, 1, math.inf)),
        int(_number(order, "skip", 0, 0, math.inf)),
        float(_number(order, "probability", 1.0, 0, 1)),
        int(_number(order, "seed", 0, 0, math.inf)),
        parameters,
    )
