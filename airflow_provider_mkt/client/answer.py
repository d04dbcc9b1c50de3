# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Reading the body of an answer: JSON without its envelope, with the fields that its endpoint promises."""

from __future__ import annotations

import html
import itertools
import json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from airflow_provider_mkt.client.endpoint import Endpoint
from airflow_provider_mkt.client.storable import may_need_it, storable_data

MAX_VALUES = 500_000
"""Values in one answer, about. Each takes up to some 120 bytes, so that an answer takes at most some 60 MB."""
MAX_DEPTH = 100
MAX_DIGITS = 100
LEVELS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
NO_BRACKETS = bytes(set(range(256)) - LEVELS.keys())
TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
LOOKED_AT = 64 * 1024
"""Bytes of a body that is no JSON in which its words are looked for."""
UNSEEN = re.compile(r"<(/?)(style|script|head)\b[^<>]{0,1000}>", re.IGNORECASE)
TAGS = re.compile(r"<[^<>]{0,1000}>")

Rows = list[dict[str, Any]]


KINDS = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}


class UnreadableError(ValueError):
    """A body that is not what the endpoint answers with."""


def parse(body: bytes) -> Any:
    """Parse a JSON body. What no database takes is replaced in its texts: a vendor's id may become a row or an XCom.

    :raises UnreadableError: when it is empty, not JSON, or of more values, levels or digits than any answer has
    """
    if not body.strip():
        raise UnreadableError("the body is empty")
    _check_size(body)
    try:
        text = body.decode(json.detect_encoding(body), "surrogatepass")
        found = json.loads(text, parse_int=_whole_number, parse_float=_finite, parse_constant=_no_number)
    except UnreadableError:
        raise
    except RecursionError:
        raise UnreadableError("the body is nested too deeply") from None
    except ValueError:
        start = body.lstrip()[:1]
        raise UnreadableError("the body is HTML" if start == b"<" else "the body is not JSON") from None
    return storable_data(found) if may_need_it(text) else found


def _check_size(body: bytes) -> None:
    """Refuse what would unpack to far more memory than the body takes, before it is unpacked.

    :raises UnreadableError: saying what there is too much of
    """
    if sum(map(body.count, (b"[", b"{", b","))) > MAX_VALUES:
        raise UnreadableError(f"the body holds more than {MAX_VALUES} values")
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH:
        # Brackets inside texts are no levels.
        level = itertools.accumulate(map(LEVELS.__getitem__, TEXTS.sub(b"", body).translate(None, NO_BRACKETS)))
        if max(level, default=0) > MAX_DEPTH:
            raise UnreadableError("the body is nested too deeply")


def _whole_number(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise UnreadableError(f"the body holds a number of more than {MAX_DIGITS} digits")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _no_number("a number beyond all numbers")


def _no_number(name: str) -> NoReturn:
    raise UnreadableError(f"the body holds {name}, which is no JSON")


def plain_text(body: bytes) -> str:
    """Return the words of a body that is no JSON, as proxies and gateways answer: text, or a page without its tags."""
    text = body[:LOOKED_AT].decode(errors="replace")
    if text.lstrip()[:1] == "<":
        text = html.unescape(TAGS.sub(" ", _without_cdata(_seen(text))))
    return " ".join(text.split())


def _seen(text: str) -> str:
    """Return a page without its styles, its scripts and its head; each tag is looked at once, closed or not."""
    pieces, since, hidden = [], 0, None
    for tag in UNSEEN.finditer(text):
        if hidden is None:
            hidden = None if tag[1] else tag
        elif tag[1] and tag[2].lower() == hidden[2].lower():
            pieces.append(text[since : hidden.start()])
            since, hidden = tag.end(), None
    return " ".join([*pieces, text[since:]])


def _without_cdata(text: str) -> str:
    """Return a page with the sections that stand for themselves as plain text."""
    first, *sections = text.split("<![CDATA[")
    return first + "".join(
        html.escape(inner) + rest for inner, _, rest in (section.partition("]]>") for section in sections)
    )


def read_answer(endpoint: Endpoint, body: bytes) -> Any:
    """Parse a 2xx body, take it out of its envelope and check its shape against the endpoint.

    :raises UnreadableError: naming what is missing or of the wrong type
    """
    if endpoint.answer is None:
        return None
    answer = parse(body)
    if endpoint.envelope and isinstance(answer, dict) and endpoint.envelope in answer:
        answer = answer[endpoint.envelope]
    if endpoint.rows is not None:
        rows_of(endpoint, answer)
        return answer
    if isinstance(endpoint.answer, type):
        if not isinstance(answer, endpoint.answer):
            raise UnreadableError(f"expected {KINDS[endpoint.answer]}, got {_kind(answer)}")
        return answer
    _check_fields(endpoint.answer, answer)
    return answer


def _check_fields(fields: Mapping[str, type | tuple[type, ...]], answer: Any) -> None:
    if fields and not isinstance(answer, dict):
        raise UnreadableError(f"expected an object, got {_kind(answer)}")
    for name, kind in fields.items():
        if name not in answer:
            raise UnreadableError(f"the field {name!r} is missing")
        if not isinstance(answer[name], kind) or (isinstance(answer[name], bool) and kind is not bool):
            raise UnreadableError(f"the field {name!r} is {_kind(answer[name])}")
        if kind is str and not answer[name]:
            raise UnreadableError(f"the field {name!r} is empty")


def rows_of(endpoint: Endpoint, answer: Any) -> Rows:
    """Return the rows of a list answer: a bare array, or the array under one of the endpoint's names.

    :raises UnreadableError: when there is no array, or it holds anything but rows (objects, as a rule)
    """
    rows = answer
    if isinstance(answer, dict):
        rows = next((answer[name] for name in endpoint.rows or () if name in answer), None)
    if not isinstance(rows, list):
        raise UnreadableError(f"no list under {' or '.join(map(repr, endpoint.rows or ()))}".removesuffix(" under "))
    if not all(isinstance(row, endpoint.row) for row in rows):
        raise UnreadableError(f"the list holds something else than {'objects' if endpoint.row is dict else 'texts'}")
    return rows


def _kind(value: Any) -> str:
    return KINDS.get(type(value), "a number")
