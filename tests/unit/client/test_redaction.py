# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Nothing secret survives, in no spelling; nothing else is lost."""

from __future__ import annotations

import base64
import html
import json
import logging
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from airflow_provider_mkt.client.redaction import (
    HIDDEN,
    LOOKED_AT,
    SHOWN_CHARACTERS,
    Redactor,
    RedactUrls,
    personal_values,
)

SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "url": quote,
    "url, all": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "url, lower case": lambda text: "".join(
        f"%{byte:02x}" if chr(byte) in "+/=%&" else chr(byte) for byte in text.encode()
    ),
    "url, twice": lambda text: quote(quote(text, safe=""), safe=""),
    "json": lambda text: json.dumps(text)[1:-1],
    "json, slashes escaped": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "json, all escaped": lambda text: "".join(f"\\u{ord(each):04x}" if not each.isalnum() else each for each in text),
    "json in json": lambda text: json.dumps(json.dumps(text))[1:-1],
    "html": html.escape,
    "html, numbers": lambda text: "".join(f"&#{ord(each)};" if not each.isalnum() else each for each in text),
    "html, hex": lambda text: "".join(f"&#x{ord(each):X};" if not each.isalnum() else each for each in text),
    "python": lambda text: repr(text)[1:-1],
    "bytes": lambda text: repr(text.encode())[2:-1],
}
TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6, max_size=40)


@pytest.mark.parametrize("spelling", SPELLINGS)
@settings(max_examples=60, deadline=None)
@example(secret="00000:", before="%", after="")
@example(secret="00000&", before="'%", after="%'")
@example(secret="00000:", before="%2", after="")
@example(secret="x41bc:/", before="\\", after="")
@example(secret="41bcd:/", before="\\u00", after="")
@example(secret="lt;abc:<", before="&", after="")
@example(secret="65;abc:<", before="&#", after="")
@example(secret="0000:%", before="", after="00")
@example(secret="0000:\\u0", before="", after="041")
@given(secret=TEXT, before=st.text(max_size=10), after=st.text(max_size=10))
def test_a_secret_does_not_survive(spelling: str, secret: str, before: str, after: str) -> None:
    spelled = SPELLINGS[spelling](secret)
    assume(spelled not in before + HIDDEN + after)
    assert spelled not in Redactor([secret]).text(before + spelled + after)


@settings(max_examples=150, deadline=None)
@given(secret=TEXT, before=st.binary(max_size=7), after=st.binary(max_size=7), urlsafe=st.booleans())
def test_nor_inside_base64(secret: str, before: bytes, after: bytes, urlsafe: bool) -> None:
    """As in ``Basic <user:password>``: what can be decoded from the rest is less than three quarters of it."""
    encode = base64.urlsafe_b64encode if urlsafe else base64.b64encode
    encoded = encode(before + secret.encode() + after).decode()
    shown = Redactor([secret]).text(f"x {encoded} y")
    assert HIDDEN in shown
    rest = shown.removeprefix("x ").partition(HIDDEN)[0]
    kept = base64.urlsafe_b64decode(rest[: len(rest) // 4 * 4].replace("+", "-").replace("/", "_"))
    assert secret.encode()[:2] not in kept[len(before) :]


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(at=st.integers(LOOKED_AT - 3_000, LOOKED_AT + 50), size=st.integers(8, 2_000))
def test_nor_where_a_long_text_is_cut(at: int, size: int) -> None:
    """Also when what comes before shrinks so much that the cut moves to the front."""
    before, secret = "fill+er/" * 200, ("s3cr+t/" * 300)[:size]
    blocks = at // (len(before) + 1)
    text = (before + " ") * blocks + " " * (at - blocks * (len(before) + 1)) + secret
    shown = Redactor([secret, before]).text(text)
    assert len(shown) <= SHOWN_CHARACTERS
    assert "s3" not in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("key Bearer abcdef123456 end", "key Bearer *** end"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic ***"),
        ("GET /x?organisationId=o&apiKey=abc&requestType=t", "GET /x?organisationId=o&apiKey=***&requestType=t"),
        ('{"access_token": "abc", "a": 1}', '{"access_token": "***", "a": 1}'),
        ("token eyJhbGciOi.eyJzdWIi.c2ln is old", "token *** is old"),
        ("flow_sk_live_ab_cd fd_rt_12 whsec_zz", "*** *** ***"),
        ("to jane.doe+vip@mail.example.com!", "to ***!"),
        ("/subscribers/jane%2Bvip%40example.com", "/subscribers/***"),
        ("jürgen@exämple.de", "***"),
        ("opted in from 203.0.113.7, or 2001:db8::7:1", "opted in from ***, or ***"),
        ("at 09:30:00 on 2026-06-08T09:30:00Z, v1.2.3", "at 09:30:00 on 2026-06-08T09:30:00Z, v1.2.3"),
        ("listing 1001 not found in branch_hill", "listing 1001 not found in branch_hill"),
    ],
)
def test_what_looks_secret_or_personal(text: str, shown: str) -> None:
    assert Redactor().text(text) == shown


def test_fields() -> None:
    data = {
        "field": "email",
        "email": "x",
        "customFields": {"a": "b"},
        "first_name": "J",
        "optin_ip": "1",
        "apiKey": "k",
        "list": [{"password": ["p"]}, 7, None, True],
        "jane@example.com": 1,
    }
    assert Redactor().data(data) == {
        "field": "email",
        "email": HIDDEN,
        "customFields": HIDDEN,
        "first_name": HIDDEN,
        "optin_ip": HIDDEN,
        "apiKey": HIDDEN,
        "list": [{"password": HIDDEN}, 7, None, True],
        HIDDEN: 1,
    }


def test_data_has_bounds() -> None:
    deep: object = "x"
    for _ in range(50):
        deep = [deep]
    assert len(json.dumps(Redactor().data(deep))) < 50
    assert len(Redactor().data(list(range(10_000)))) == 100


def test_personal_values_of_a_request() -> None:
    body = {"subscribers": [{"email": "e@x.io", "custom_fields": {"city": "Rome"}, "segment_ids": ["seg_1"]}], "n": 1}
    assert set(personal_values(body)) == {"e@x.io", "Rome"}
    also = Redactor().with_values(personal_values(body))
    assert also.text("no Rome in seg_1") == "no *** in seg_1"
    assert Redactor().text("no Rome in seg_1") == "no Rome in seg_1"


def test_also_leaves_the_original_alone() -> None:
    redactor = Redactor(["secret+1"])
    assert redactor.with_values(["Rome"]).text("secret%2b1 Rome") == "*** ***"
    assert redactor.text("secret%2b1 Rome") == "*** Rome"


@pytest.mark.parametrize("secret", ["", None, "abc"])
def test_short_secrets_would_blank_innocent_text(secret: str | None) -> None:
    redactor = Redactor()
    redactor.add(secret)
    assert redactor.text("abc and so on") == "abc and so on"


def test_texts_can_be_logged_and_stored() -> None:
    Redactor().text("half a pair: \ud800").encode()


@pytest.mark.parametrize("piece", ["a", "\\", "ab:", "a.b-", "%25", "1.", "eyJ", "a@", "&#", "Bearer "])
@pytest.mark.timeout(60)
def test_no_text_takes_long(piece: str) -> None:
    """It takes under a second; where the time grows with the square of the length, it does not end in a minute."""
    redactor = Redactor(["x+y/z=%!", '+"\\secret', "ey" + "A9-_" * 300])
    assert redactor.text(piece * (200_000 // len(piece)))


@pytest.mark.parametrize(
    ("message", "args"),
    [
        ('%s://%s:%s "%s %s %s" %s %s', ("http", "h", 80, "GET", "/a?apiKey=s3cr3t", "HTTP/1.1", 200, 5)),
        ("Failed to parse headers (url=%s): %s", ("http://h/a?apiKey=s3cr3t", ValueError("unparsed s3cr3t"))),
        ("Redirecting %s -> %s", ("/a", "http://other/?k=s3cr3t")),
    ],
)
def test_lines_of_urllib3(message: str, args: tuple[object, ...]) -> None:
    try:
        raise ValueError("s3cr3t")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("urllib3.connection", logging.DEBUG, "x.py", 1, message, args, info)
    assert RedactUrls().filter(record)
    assert "s3cr3t" not in logging.Formatter().format(record)
