# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What is known after an attempt: by the innermost reason, and by what an answer looks like."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
from email.utils import formatdate
from http.client import BadStatusLine, IncompleteRead, RemoteDisconnected
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import exceptions as urllib3_exceptions

from airflow_provider_mkt.client.answer import UnreadableError, parse, read_answer, rows_of
from airflow_provider_mkt.client.endpoint import Endpoint, Safety
from airflow_provider_mkt.client.outcome import Certainty, NeverConnectedError, Outcome, judge_exception, judge_response
from airflow_provider_mkt.client.retry_after import MAX_RESET, MAX_RETRY_AFTER, reset_in, retry_after

POST = Endpoint("POST", "/things", Safety.ONCE, answer={"id": str})
LIST = Endpoint("GET", "/things", Safety.READ, rows=("data", "items"))
NOW = 1_800_000_000.0


def wrapped(inner: BaseException) -> requests.ConnectionError:
    """Return ``inner`` as ``requests`` hands it out."""
    reason = urllib3_exceptions.ProtocolError("Connection aborted.", inner)
    return requests.ConnectionError(urllib3_exceptions.MaxRetryError(None, "/x?apiKey=secret", reason))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "inner",
    [
        NeverConnectedError("could not connect"),
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        ssl.SSLCertVerificationError("self-signed"),
        urllib3_exceptions.NewConnectionError(None, "refused"),  # type: ignore[arg-type]
        urllib3_exceptions.ConnectTimeoutError(None, "late"),
        urllib3_exceptions.ClosedPoolError(None, "another thread's launch closed the idle connections"),  # type: ignore[arg-type]
    ],
    ids=lambda error: type(error).__name__,
)
def test_never_sent(inner: BaseException) -> None:
    assert judge_exception(wrapped(inner)).known is Certainty.NOT_SENT
    assert judge_exception(inner).known is Certainty.NOT_SENT


@pytest.mark.parametrize(
    "error",
    [
        wrapped(ConnectionResetError(104, "Connection reset by peer")),
        wrapped(RemoteDisconnected("Remote end closed connection without response")),
        wrapped(BadStatusLine("garbage")),
        wrapped(BrokenPipeError(32, "Broken pipe")),
        wrapped(ssl.SSLEOFError("EOF in the middle")),
        wrapped(TimeoutError("timed out")),
        requests.ReadTimeout("read timed out"),
        requests.exceptions.ChunkedEncodingError(urllib3_exceptions.ProtocolError("x", IncompleteRead(b""))),
        # Contradictory Content-Length headers of an answer: it came, so the request was sent.
        requests.exceptions.InvalidHeader("Content-Length contained multiple unmatching values (5, 6)"),
        requests.exceptions.TooManyRedirects("30"),
        ValueError("Invalid IPv6 URL"),
    ],
    ids=lambda error: f"{type(error).__name__}",
)
def test_anything_may_have_happened(error: BaseException) -> None:
    assert judge_exception(error).known is Certainty.UNKNOWN


def test_what_the_caller_was_handling_says_nothing_about_this_request() -> None:
    """A launch made in an ``except`` block for another connection's failure: that failure is its ``__context__``."""

    def raise_reset() -> None:
        raise requests.ConnectionError(ConnectionResetError(104, "Connection reset by peer"))

    try:
        raise socket.gaierror("another vendor is away")
    except socket.gaierror:
        with pytest.raises(requests.ConnectionError) as caught:
            raise_reset()
    assert isinstance(caught.value.__context__, socket.gaierror)
    assert judge_exception(caught.value).known is Certainty.UNKNOWN


@pytest.mark.parametrize(
    "error", [wrapped(ConnectionResetError(104, "reset")), requests.ReadTimeout("/x?apiKey=secret")]
)
def test_reasons_quote_no_addresses(error: BaseException) -> None:
    assert "secret" not in judge_exception(error).reason


def test_exceptions_in_a_circle() -> None:
    first, second = requests.ConnectionError("a"), requests.ConnectionError("b")
    first.__cause__, second.__cause__ = second, first
    assert judge_exception(first).known is Certainty.UNKNOWN


@pytest.mark.parametrize(
    ("status", "body", "known"),
    [
        (200, b'{"id": "x"}', Certainty.ANSWERED),
        (202, b'{"id": "x"}', Certainty.ANSWERED),
        (200, b"", Certainty.UNREADABLE),
        (204, b"", Certainty.UNREADABLE),
        (200, b"<html>", Certainty.UNREADABLE),
        (200, b'{"id": 7}', Certainty.UNREADABLE),
        (200, b'{"id": ""}', Certainty.UNREADABLE),
        (200, b'{"id": true}', Certainty.UNREADABLE),
        (200, b"[]", Certainty.UNREADABLE),
        (200, b"null", Certainty.UNREADABLE),
        (200, b"[" * 100_000, Certainty.UNREADABLE),
        (200, b'"\xff"', Certainty.UNREADABLE),
        (300, b"", Certainty.UNKNOWN),
        (307, b"", Certainty.UNKNOWN),
        (400, b"", Certainty.REFUSED),
        (401, b"", Certainty.UNAUTHORIZED),
        (403, b"", Certainty.UNAUTHORIZED),
        (404, b"<html>", Certainty.REFUSED),
        (408, b"upstream request timeout", Certainty.UNKNOWN),
        (499, b"", Certainty.UNKNOWN),
        (418, b"", Certainty.REFUSED),
        (429, b"", Certainty.THROTTLED),
        (500, b"", Certainty.FAILED),
        (503, b"{}", Certainty.FAILED),
        (599, b"", Certainty.FAILED),
    ],
)
def test_answers(status: int, body: bytes, known: Certainty) -> None:
    assert judge_response(POST, status, {}, body, NOW).known is known


@given(st.integers(100, 999), st.binary(max_size=40), st.dictionaries(st.just("retry-after"), st.text(max_size=10)))
def test_every_answer_is_judged(status: int, body: bytes, headers: dict[str, str]) -> None:
    outcome = judge_response(POST, status, headers, body, NOW)
    assert (outcome.known in (Certainty.ANSWERED, Certainty.UNREADABLE)) is (200 <= status < 300)
    assert outcome.retry_after is None or 0 <= outcome.retry_after <= MAX_RETRY_AFTER


@pytest.mark.parametrize(
    ("headers", "answer", "seconds"),
    [
        ({}, None, None),
        ({"retry-after": "7"}, None, 7.0),
        ({"retry-after": "0"}, None, 0.0),
        ({"retry-after": "1.5"}, None, 1.5),
        ({"retry-after": "-3"}, None, None),
        ({"retry-after": "nan"}, None, None),
        ({"retry-after": "inf"}, None, None),
        ({"retry-after": "1e400"}, None, None),
        ({"retry-after": "1e308"}, None, None),
        ({"retry-after": "9" * 5_000}, None, None),
        ({"retry-after": "86400"}, None, 3_600.0),
        ({"retry-after": "Sun, 01 Nov 2099 00:00:00 GMT"}, None, 3_600.0),
        ({}, {"error": {"retry_after": 86_400}}, 3_600.0),
        ({"retry-after": "soon"}, None, None),
        ({"retry-after": ""}, None, None),
        ({"retry-after": "1e12"}, None, MAX_RETRY_AFTER),
        ({"retry-after": formatdate(NOW + 90, usegmt=True)}, None, 90.0),
        ({"retry-after": formatdate(NOW - 90, usegmt=True)}, None, 0.0),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, None, MAX_RETRY_AFTER),
        ({"retry-after": "Fri, 99 Dec 2026 23:59:59 GMT"}, None, None),
        ({}, {"error": {"retry_after": 4}}, 4.0),
        ({}, {"error": "slow down", "retry_after": 5}, 5.0),
        ({}, {"error": {"retry_after": -4}, "retry_after": 6}, 6.0),
        ({}, {"retry_after": True}, None),
        ({}, {"retry_after": [1]}, None),
        ({}, ["retry_after"], None),
        ({"retry-after": "2"}, {"retry_after": 5}, 2.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "12"}, None, None),
    ],
)
def test_how_long_it_asks_to_wait(headers: dict[str, str], answer: Any, seconds: float | None) -> None:
    assert retry_after(headers, answer, NOW) == seconds


USED_UP = {"x-ratelimit-remaining": "0"}


@pytest.mark.parametrize(
    ("headers", "seconds", "by_reset"),
    [
        ({**USED_UP, "x-ratelimit-reset": "12"}, 12.0, True),
        ({**USED_UP, "x-ratelimit-reset": str(NOW + 12)}, 12.0, True),
        ({**USED_UP, "x-ratelimit-reset": "3600"}, MAX_RESET, True),
        ({**USED_UP, "x-ratelimit-reset": "0"}, None, False),
        ({**USED_UP, "x-ratelimit-reset": "12", "retry-after": "3600"}, 3600.0, False),
        ({**USED_UP, "x-ratelimit-reset": "12", "retry-after": "0"}, 12.0, True),
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": "12"}, None, False),
        (USED_UP, None, False),
    ],
)
def test_a_429_may_only_say_when_the_budget_is_whole_again(
    headers: dict[str, str], seconds: float | None, by_reset: bool
) -> None:
    outcome = judge_response(POST, 429, headers, b"", NOW)
    assert (outcome.retry_after, outcome.by_reset) == (seconds, by_reset)


@pytest.mark.parametrize("wait", ["0", "0.5", formatdate(NOW - 5, usegmt=True), formatdate(NOW, usegmt=True)])
def test_a_429_that_says_wait_for_nothing_has_not_said_how_long(wait: str) -> None:
    """Then it is the pauses between attempts, and the budget's cooldown, that keep from asking again at once."""
    assert judge_response(POST, 429, {"retry-after": wait}, b"", NOW).retry_after is None
    assert judge_response(POST, 429, {"retry-after": wait}, b'{"retry_after": 4}', NOW).retry_after == 4.0


@pytest.mark.parametrize("off", [-3600.0, -60.0, 0.0, 60.0, 3600.0])
@pytest.mark.parametrize(
    "wait",
    [
        {"retry-after": formatdate(NOW + 30, usegmt=True)},
        {**USED_UP, "x-ratelimit-reset": f"{NOW + 30:.0f}"},
        {**USED_UP, "x-ratelimit-reset": f"{(NOW + 30) * 1000:.0f}"},
    ],
)
def test_moments_are_read_by_the_vendors_clock(wait: dict[str, str], off: float) -> None:
    """A worker's clock that is fast would make the wait nothing, one that is slow would make it an hour."""
    headers = {**wait, "date": formatdate(NOW, usegmt=True)}
    assert judge_response(POST, 429, headers, b"", NOW + off).retry_after == 30.0


@pytest.mark.parametrize("date", ["", "now", "Fri, 99 Dec 2026 23:59:59 GMT", formatdate(0, usegmt=True)])
def test_a_date_that_makes_no_sense_is_not_gone_by(date: str) -> None:
    headers = {"retry-after": formatdate(NOW + 30, usegmt=True), "date": date}
    assert judge_response(POST, 429, headers, b"", NOW).retry_after == 30.0


def test_what_the_vendor_sent_is_not_in_the_repr() -> None:
    outcome = Outcome(Certainty.ANSWERED, 200, "", {"access_token": "s3cret"}, {"set-cookie": "s3cret"})
    assert "s3cret" not in repr(outcome)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30.0),
        (str(NOW + 30), 30.0),
        (str(int((NOW + 30) * 1000)), 30.0),
        (str(NOW - 30), 0.0),
        ("-1", None),
        ("x", None),
        (None, None),
    ],
)
def test_when_the_budget_is_reset(value: str | None, seconds: float | None) -> None:
    assert reset_in(value, {}, NOW) == seconds


@pytest.mark.parametrize("body", [b"[1]", b'{"data": []}', b'{"items": [{}]}', b"[]", b'{"data": {}}', b"7", b"{}"])
def test_rows(body: bytes) -> None:
    readable = body in (b'{"data": []}', b'{"items": [{}]}', b"[]")
    if readable:
        assert isinstance(rows_of(LIST, read_answer(LIST, body)), list)
    else:
        with pytest.raises(UnreadableError):
            read_answer(LIST, body)


def test_an_envelope_is_taken_off_where_there_is_one() -> None:
    endpoint = Endpoint("GET", "/x", Safety.READ, answer={"id": str}, envelope="data")
    assert read_answer(endpoint, b'{"data": {"id": "a"}}') == read_answer(endpoint, b'{"id": "a"}') == {"id": "a"}


def test_an_ignored_answer_may_be_anything() -> None:
    assert read_answer(Endpoint("DELETE", "/x", Safety.IDEMPOTENT, answer=None), b"<html>") is None


@given(st.binary(max_size=200))
def test_parse_raises_one_kind_of_error(body: bytes) -> None:
    with contextlib.suppress(UnreadableError):
        json.dumps(parse(body))
