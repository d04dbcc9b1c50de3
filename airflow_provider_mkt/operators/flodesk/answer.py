# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the answer to a batch of upserts says about each person. Vendor document: Flodesk OpenAPI description."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_mkt.client.redaction import Redactor, personal_values
from airflow_provider_mkt.operators.flodesk.refusals import OTHER, Refusal
from airflow_provider_mkt.planning.people import Person, identity

WORDS = re.compile(r"[A-Za-z0-9]+")
UNACCOUNTED = "unaccounted"
"""Our code for people whom the vendor's answer does not mention."""


def refused_in(answer: Mapping[str, Any], batch: Sequence[Person], redactor: Redactor) -> list[Refusal]:
    """Return who of a batch was not stored, without personal data in the reasons.

    :param answer: the vendor's answer
    :param batch: who was sent
    :param redactor: knows the connection's secrets
    """
    bodies = [person.body for person in batch]
    found = refused(bodies, answer)
    if not found:
        return []
    quoted = set(_quoted(bodies, found))
    hiding = redactor.with_values(quoted)
    return [_refusal(batch, index, failure, hiding, quoted) for index, failure in found]


def refused(batch: Sequence[Mapping[str, Any]], answer: Mapping[str, Any]) -> list[tuple[int | None, Any]]:
    """Return who of a batch was not stored: their index (None when the vendor does not say whose it is) and its reason.

    Whom the answer does not mention at all was not stored either, unless it mentions as many others: then the vendor
    spells their addresses in another way.
    """
    names = [_names(person) for person in batch]
    found: dict[int, Any] = {}
    nobodys: list[Any] = []
    for failure in answer["failures"]:
        index = _index(failure, names)
        if index is None or index in found:
            nobodys.append(failure)
        else:
            found[index] = failure
    stored = [_names(success) for success in answer["successes"]]
    known = set().union(*stored)
    silent = [index for index, own in enumerate(names) if index not in found and not own & known]
    strangers = sum(1 for success in stored if success and not any(success & own for own in names))
    for index in silent if len(silent) > strangers else []:
        found[index] = (
            nobodys.pop(0) if nobodys else {"code": UNACCOUNTED, "message": "the answer does not mention them"}
        )
    # One who contradicts himself may name more failures than there are people.
    return [*sorted(found.items()), *((None, failure) for failure in nobodys)][: len(batch)]


def _quoted(bodies: list[dict[str, Any]], found: list[tuple[int | None, Any]]) -> Iterator[str]:
    """Yield the personal data that reasons may quote, however spelled: letters and digits always stand for themselves.

    A pattern for each value of each batch would cost more time than the requests do.
    """
    told = str([failure for _, failure in found]).casefold()
    return (value for value in personal_values(bodies) if all(word.casefold() in told for word in WORDS.findall(value)))


def _names(person: Any) -> set[str]:
    """Return what somebody is recognised by: each alone is enough."""
    own = person if isinstance(person, Mapping) else {}
    return {identity({name: own[name]}) for name in ("email", "id") if isinstance(own.get(name), str) and own[name]}


def _index(failure: Any, names: list[set[str]]) -> int | None:
    told = _names(failure)
    index = failure.get("index") if isinstance(failure, Mapping) else None
    usable = isinstance(index, int) and not isinstance(index, bool) and 0 <= index < len(names)
    # A name is trusted more than a number.
    return next((number for number, own in enumerate(names) if own & told), index if usable else None)


def _refusal(
    batch: Sequence[Person], index: int | None, failure: Any, redactor: Redactor, quoted: Collection[str]
) -> Refusal:
    told = failure if isinstance(failure, Mapping) else {"message": "unreadable reason"}
    code, message = str(told.get("code") or "refused"), str(told.get("message") or "no reason given")
    # A code that quotes somebody is no code.
    words = set(WORDS.findall(code.casefold()))
    named = any(words.issuperset(own) for value in quoted if (own := WORDS.findall(value.casefold())))
    code = code if redactor.text(code) == code and not named else OTHER
    if index is None:
        return Refusal("unknown", code, redactor.text(message), {})
    who: dict[str, Any] = {name: batch[index].body[name] for name in ("email", "id") if name in batch[index].body}
    return Refusal(batch[index].place, code, redactor.text(message), who)
