# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A response or an exception -> what is now known about the request.

The innermost reason decides, never the outer class: ``requests`` reports a refused connection (nothing was sent) and a
connection that broke after the request (anything may have happened) with the same ``ConnectionError``.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from airflow_provider_mkt.client.answer import UnreadableError, parse, plain_text, read_answer
from airflow_provider_mkt.client.complaints import as_utf8
from airflow_provider_mkt.client.contradiction import contradiction, named
from airflow_provider_mkt.client.endpoint import Endpoint
from airflow_provider_mkt.client.redirect import host_of, location_of
from airflow_provider_mkt.client.retry_after import MIN_429, reset_after, retry_after

TOO_MANY_REQUESTS = 429
GAVE_UP = (408, 499)
"""Statuses by which a gateway says that it gave up waiting. By then the vendor may have the whole request."""


class Certainty(Enum):
    """What is known after one attempt."""

    ANSWERED = "executed and answered"
    NOT_SENT = "not sent"
    REFUSED = "refused"
    THROTTLED = "refused for now (429)"
    UNAUTHORIZED = "refused until the credentials are renewed"
    FAILED = "the vendor failed (5xx), unknown whether before or after executing it"
    UNKNOWN = "unknown whether it was executed"
    UNREADABLE = "executed, result unreadable"
    CONTRADICTED = "answered with success, and told that it failed, beside ids"


@dataclass(frozen=True)
class Outcome:
    """What one attempt taught us. What the vendor sent has no repr: answers to token requests hold tokens.

    :param known: the class of knowledge, which decides what may follow
    :param status: HTTP status, when there was one
    :param reason: the innermost reason, in words
    :param answer: the parsed body of an answer (of error answers too, when readable)
    :param headers: headers of the answer, lower-case names
    :param retry_after: seconds that the vendor asks to wait
    :param by_reset: whether it does not ask for them, but says that its budget is whole again then
    """

    known: Certainty
    status: int | None = None
    reason: str = ""
    answer: Any = field(default=None, repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    retry_after: float | None = None
    by_reset: bool = False


class NeverConnectedError(OSError):
    """Connecting failed, TLS handshake and proxy tunnel included, so no byte of the request can have left."""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield ``error`` and everything it was made of: causes, urllib3's ``reason`` and wrapped arguments.

    Not ``__context__``: that also holds what the caller happened to be handling, such as the refused connection of
    another request, which says nothing about this one.
    """
    seen: set[int] = set()
    queue: list[Any] = [error]
    while queue:
        current = queue.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        queue += [current.__cause__, getattr(current, "reason", None), *current.args]


def judge_exception(error: BaseException) -> Outcome:
    """Judge an attempt that ended without a complete answer.

    :param error: what ``requests``, urllib3 or the socket raised
    :return: NOT_SENT when a connection was never established, else UNKNOWN
    """
    from urllib3.exceptions import (  # kept out of DAG parsing
        ClosedPoolError,
        ConnectTimeoutError,
        NewConnectionError,
    )

    never = (
        NeverConnectedError,
        ClosedPoolError,
        ConnectTimeoutError,
        NewConnectionError,
        socket.gaierror,
        ssl.SSLCertVerificationError,
    )
    chain = list(_chain(error))
    reason = _words(next((link for link in reversed(chain) if str(link)), chain[-1]))
    if any(isinstance(link, never) for link in chain) or _never_left(error):
        return Outcome(Certainty.NOT_SENT, reason=reason)
    return Outcome(Certainty.UNKNOWN, reason=reason)


def _never_left(error: BaseException) -> bool:
    from requests import exceptions

    # Not InvalidHeader: an answer whose own headers make no sense is reported by that name as well.
    unusable = (exceptions.InvalidURL, exceptions.InvalidSchema, exceptions.MissingSchema)
    return isinstance(error, (exceptions.ConnectTimeout, *unusable))


def _words(error: BaseException) -> str:
    """Name the error without quoting URLs: urllib3 puts them, query included, into its messages."""
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror}"
    text = str(error)
    return (
        f"{type(error).__name__}: {text}"
        if text and "url" not in text.lower() and "?" not in text
        else type(error).__name__
    )


def judge_response(endpoint: Endpoint, status: int, headers: dict[str, str], body: bytes, now: float) -> Outcome:
    """Judge a complete answer.

    :param endpoint: the route that was called
    :param status: HTTP status
    :param headers: headers, lower-case names
    :param body: the whole body
    :param now: the time in Unix seconds, for dates in headers
    """
    if endpoint.redirect and 300 <= status < 400 and headers.get("location"):
        return Outcome(Certainty.ANSWERED, status, "", {"location": headers["location"]}, headers)
    if 200 <= status < 300 and status not in endpoint.not_yet:
        if (saying_otherwise := _otherwise(endpoint, status, headers, body)) is not None:
            return saying_otherwise
        try:
            answer = read_answer(endpoint, body)
        except UnreadableError as error:
            return Outcome(Certainty.UNREADABLE, status, str(error), None, headers)
        return Outcome(Certainty.ANSWERED, status, "", answer, headers)
    body = as_utf8(body, headers.get("content-type", ""))
    try:
        answer = parse(body)
    except UnreadableError:
        answer = plain_text(body)
    least = MIN_429 if status == TOO_MANY_REQUESTS else 0.0
    wait = retry_after(headers, answer, now, least)
    reset = reset_after(headers, now, least) if wait is None else None
    known = Certainty.REFUSED
    if status == TOO_MANY_REQUESTS:
        known = Certainty.THROTTLED
    elif status in (401, 403):
        known = Certainty.UNAUTHORIZED
    elif status >= 500:
        known = Certainty.FAILED
    elif status in GAVE_UP or (status < 400 and status not in endpoint.not_yet):
        known = Certainty.UNKNOWN
    asked = reset if wait is None else wait
    return Outcome(known, status, _told(status, headers), answer, headers, asked, by_reset=reset is not None)


def _told(status: int, headers: dict[str, str]) -> str:
    if (location := location_of(status, headers)) is None:
        return f"answered {status}"
    where = f"a redirect to {host_of(location)}" if "//" in location else "a redirect"
    return f"answered {status}, {where}, which is not followed; is the connection's host the vendor's?"


def _otherwise(endpoint: Endpoint, status: int, headers: dict[str, str], body: bytes) -> Outcome | None:
    """Judge a success that says otherwise; None when it does not."""
    try:
        parsed = parse(body)
    except UnreadableError:
        return None
    told, part = contradiction(endpoint, parsed)
    if not told:
        return None
    if not (ids := named(endpoint, parsed)):
        return Outcome(Certainty.REFUSED, status, told, part, headers)
    listed = ", ".join(f"{name} {value!r}" for name, value in ids.items())
    return Outcome(Certainty.CONTRADICTED, status, f"{told}, but it names {listed}", part, headers)
