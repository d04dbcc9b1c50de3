# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What an error body complains of, whoever made it: the vendor, a framework, a gateway, a proxy."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import Any

from airflow_provider_mkt.client.redaction import HIDDEN, PERSONAL_FIELDS, SECRET_FIELDS

WORDS = ("message", "msg", "error_description", "detail", "reason", "title", "description", "faultstring", "error")
"""Where an object may have its words."""
PLACES = ("field", "name", "pointer", "loc", "path", "param", "parameter", "property", "source")
"""Where it may say what they are about."""
PARTS = (
    *("details", "errors", "detail", "invalid-params", "invalid_params", "invalidParams", "violations"),
    *("validation_errors", "validationErrors", "fields", "field_errors", "causes", "error_details", "issues"),
)
"""Where an error has its parts (RFC 9457 leaves their names to whoever makes one)."""
DATA = ("details", "detail", "error_details")
"""Parts that may be what was sent, rather than what is wrong with it."""
MAX_COMPLAINTS = 20
MAX_LOOKED_AT = 2_000
"""Values of an answer in which they are looked for."""
MAX_DEPTH = 8
CHARSETS = re.compile(r"(utf|iso8859|latin|cp\d|ascii|shift|euc|gb|big5|koi8|mac)", re.IGNORECASE)
"""Beginnings of the charsets that take linear time to read; ``idna`` and ``punycode`` do not."""
DECLARED = re.compile(r"charset\s{0,4}=\s{0,4}[\"']?([\w.:-]{1,40})", re.IGNORECASE)
PROLOG = re.compile(rb"\s{0,64}<\?xml[^<>]{0,200}encoding\s{0,4}=\s{0,4}[\"']([\w.:-]{1,40})")


def complaints_of(answer: Any) -> str:
    """Return the parts of an error body that name fields and problems, in a line; "" when it has none.

    :param answer: the parsed body
    """
    inner = answer.get("error") if isinstance(answer, Mapping) else None
    bodies = [body for body in (inner, answer) if isinstance(body, Mapping)]
    parts = [(name, body[name]) for body in bodies for name in PARTS if name in body]
    left = iter(range(MAX_LOOKED_AT))
    found = (_complaints(part, left, data=name in DATA) for name, part in parts if not isinstance(part, str))
    return _line(_complaints(answer, left) if isinstance(answer, list) else chain.from_iterable(found))


def texts_in(data: Any) -> str:
    """Return all texts of JSON-like data in a line, each with the name of its field."""
    return _line(_complaints(data, iter(range(MAX_LOOKED_AT))))


def _line(complaints: Iterator[str]) -> str:
    return "; ".join(dict.fromkeys(islice(complaints, MAX_COMPLAINTS)))


def _complaints(
    value: Any, left: Iterator[int], name: str = "", depth: int = MAX_DEPTH, *, data: bool = False
) -> Iterator[str]:
    """Yield ``field: problem`` for every text, however lists and objects are nested.

    :param left: gives a number for each value that may still be looked at
    :param data: a text may be the field's value, so that those of people are not shown; those of secrets never are
    """
    if next(left, None) is None:
        return
    if isinstance(value, str) and value.strip():
        yield f"{name}: {value}" if name else value
    elif depth and isinstance(value, list):
        for each in islice(value, MAX_LOOKED_AT):
            yield from _complaints(each, left, name, depth - 1, data=data)
    elif depth and isinstance(value, Mapping):
        yield from _in_object(value, left, name, depth, data=data)


def _in_object(value: Mapping[str, Any], left: Iterator[int], name: str, depth: int, *, data: bool) -> Iterator[str]:
    told = next((text for word in WORDS if isinstance(text := value.get(word), str) and text), None)
    if told is not None:
        yield ": ".join(each for each in (name, _place(value), told) if each)
    for key, each in islice(value.items(), MAX_LOOKED_AT):
        if key in PLACES and (told is not None or key == "loc"):
            continue
        if isinstance(each, (list, Mapping)):
            yield from _complaints(each, left, name if key in PARTS else _within(name, key), depth - 1, data=data)
        elif told is None and isinstance(each, str) and each:
            private = SECRET_FIELDS.search(str(key)) or (data and PERSONAL_FIELDS.search(str(key)))
            yield f"{_within(name, key)}: {HIDDEN if private else each}"


def _within(name: str, key: Any) -> str:
    return f"{name}.{key}" if name else str(key)


def _place(row: Mapping[str, Any]) -> str:
    """Return what an entry is about: a name, a JSON pointer, or a list of steps to it."""
    for name in PLACES:
        found = row.get(name)
        if isinstance(found, Mapping):
            found = next((found[each] for each in PLACES if each in found), None)
        if isinstance(found, list):
            found = ".".join(str(step) for step in found[:MAX_DEPTH] if isinstance(step, (str, int)))
        if isinstance(found, str) and found:
            return found
    return ""


def as_utf8(body: bytes, content_type: str) -> bytes:
    """Return an error body in UTF-8: by its look, by what it says of its charset, or else by Latin-1.

    :param content_type: the header
    """
    shown = json.detect_encoding(body)
    declared = DECLARED.search(content_type)
    in_body = PROLOG.match(body[:300])
    seen = None if shown.startswith("utf-8") else shown
    for name in (seen, declared and declared[1], in_body and in_body[1].decode(), shown, "latin-1"):
        if name and (charset := _charset(name)) is not None:
            try:
                return body.decode(charset).encode(errors="replace")
            except UnicodeDecodeError:
                continue
    return body


def _charset(name: str) -> str | None:
    try:
        found = codecs.lookup(name).name
    except (LookupError, ValueError):
        return None
    return found if CHARSETS.match(found) else None
