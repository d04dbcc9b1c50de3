# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Reading the body of an answer: JSON without its envelope, with the fields that its endpoint promises."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_provider_mkt.client.endpoint import Endpoint

Rows = list[dict[str, Any]]


KINDS = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}


class UnreadableError(ValueError):
    """A body that is not what the endpoint answers with."""


def parse(body: bytes) -> Any:
    """Parse a JSON body.

    :raises UnreadableError: when it is empty, not JSON, or nested beyond all reason
    """
    if not body.strip():
        raise UnreadableError("the body is empty")
    try:
        return json.loads(body)
    except RecursionError:
        raise UnreadableError("the body is nested too deeply") from None
    except ValueError:
        start = body.lstrip()[:1]
        raise UnreadableError("the body is HTML" if start == b"<" else "the body is not JSON") from None


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
