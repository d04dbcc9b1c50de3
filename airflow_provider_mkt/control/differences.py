# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What is different between two questions of a task, for the person who answers the later one."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

from airflow_provider_mkt.state.launches.approvals import Approval
from airflow_provider_mkt.submission.question import money_of

MAX_VALUE = 120
"""Characters of a value that are told."""
SAMENESS: tuple[Callable[[Approval], Hashable], ...] = (
    lambda each: each.digest,
    lambda each: (each.vendor, each.what),
    lambda each: each.vendor,
)
"""By what two requests are taken for the same, the surest first."""
NOTHING = "nothing"


def differences(now: Sequence[Approval], before: Sequence[Approval]) -> list[str]:
    """Return one line for each thing that is new, changed or gone, in the order of the requests.

    :param now: the requests of the question
    :param before: those of an earlier one
    """
    left = list(before)
    pairs: dict[int, Approval] = {}
    for sameness in SAMENESS:
        known: dict[Hashable, list[Approval]] = defaultdict(list)
        for row in reversed(left):
            known[sameness(row)].append(row)
        for at, each in enumerate(now):
            if at not in pairs and known.get(sameness(each)):
                pairs[at] = known[sameness(each)].pop()
        left = [row for rows in known.values() for row in reversed(rows)]
    told: list[str] = []
    for at, each in enumerate(now):
        name = f"{each.what}: " if len(now) > 1 else ""
        changes = _changes(each, pairs[at]) if at in pairs else iter([f"new, at {each.vendor}"])
        told += [f"{name}{line}" for line in changes]
    return told + [f"no longer asked about: {row.what}" for row in left]


def _changes(now: Approval, before: Approval) -> Iterator[str]:
    """Yield what is different in one request."""
    if now.digest == before.digest:
        return
    told = False
    for name, new, old in (*_facts(now, before), *_parts(now, before)):
        if new != old:
            told = True
            yield f"{name} is {_short(new)}, it was {_short(old)}"
    if not told:
        yield "something that is not shown differs: the people, a file, or the account's credential"


def _facts(now: Approval, before: Approval) -> Iterator[tuple[str, str, str]]:
    facts: dict[str, Callable[[Approval], str]] = {
        "what is launched": lambda row: row.what,
        "the account": lambda row: row.account,
        "the amount": lambda row: money_of(row.amount, row.currency),
        "the time": lambda row: row.goes_live or "at once",
        "the number of people or posts": lambda row: "" if row.audience is None else f"{row.audience:,}",
    }
    yield from ((name, of(now), of(before)) for name, of in facts.items())


def _parts(now: Approval, before: Approval) -> Iterator[tuple[str, str, str]]:
    """Yield each part of the request as JSON, with its path, now and before."""
    new, old = (dict(_flat("", json.loads(row.request))) for row in (now, before))
    for path in [*new, *(path for path in old if path not in new)]:
        yield path, new.get(path, ""), old.get(path, "")


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        inner: list[tuple[str, Any]] = [(f"{path}.{name}" if path else str(name), each) for name, each in value.items()]
    elif isinstance(value, list):
        inner = [(f"{path}[{at}]", each) for at, each in enumerate(value)]
    else:
        yield path, value if isinstance(value, str) else json.dumps(value)
        return
    for name, each in inner:
        yield from _flat(name, each)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return (text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}…") or NOTHING
