# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What an answer may unpack to, and what an error says that is no JSON object."""

from __future__ import annotations

import json
import re
import tracemalloc

import pytest

from airflow_provider_mkt.client.answer import MAX_DEPTH, MAX_VALUES, UnreadableError, parse, plain_text
from airflow_provider_mkt.client.endpoint import Endpoint, Safety
from airflow_provider_mkt.client.errors import failure
from airflow_provider_mkt.client.outcome import judge_response
from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.client.retry import Next
from airflow_provider_mkt.exceptions import ApiError

MEGABYTE = 1024 * 1024
READ = Endpoint("GET", "/things", Safety.READ)
FULL = 3 * MEGABYTE


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"[" + b"[]," * (FULL // 3) + b"[]]", "more than 500000 values"),
        (b"[" + b"{}," * (FULL // 3) + b"{}]", "more than 500000 values"),
        (b"[" + b'{"a":1},' * (FULL // 8) + b"{}]", "more than 500000 values"),
        (b"[" + b"1e5," * (FULL // 4) + b"1]", "more than 500000 values"),
        (b"[" * 5_000 + b"]" * 5_000, "nested too deeply"),
        (b'{"a":' * 200_000, "nested too deeply"),
        (b"[1," * 101 + b"]" * 101, "nested too deeply"),
        (b'{"n": ' + b"9" * 5_000 + b"}", "more than 100 digits"),
        (b'{"n": -' + b"9" * 4_000 + b"}", "more than 100 digits"),
        (b'{"n": NaN}', "NaN"),
        (b'[-Infinity, "]"]', "Infinity"),
        (b'"' + b"\\" * 100_001, "not JSON"),
    ],
)
def test_what_is_refused_before_it_is_unpacked(body: bytes, problem: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableError, match=problem):
            parse(body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 45 * MEGABYTE


@pytest.mark.slow
def test_the_largest_answer_has_a_bound() -> None:
    """The costliest value for its size, as often as it may be there."""
    tracemalloc.start()
    try:
        parse(b"[" + b'{"a":1},' * (MAX_VALUES // 2 - 2) + b"1]")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 80 * MEGABYTE


@pytest.mark.parametrize(
    "answer",
    [
        {"rows": [{"text": "[[[{{{" * 50, "n": number} for number in range(100)]},
        ['\\"[' * 500],
        json.loads("[" * MAX_DEPTH + "]" * MAX_DEPTH),
        {"n": 10**90, "m": 1.5e300},
    ],
)
def test_what_is_read(answer: object) -> None:
    assert parse(json.dumps(answer).encode()) == answer


def told(body: bytes, status: int = 400) -> ApiError:
    return failure(READ(), judge_response(READ, status, {}, body, 0.0), Next.FAIL, "Vendor", Redactor(["s3cr3t-key"]))


PAGE = b"""<!DOCTYPE html><html><head><title>x</title><style>p {color: red}</style></head>
<body><h1>502 Bad Gateway</h1><script>var a = "<b>";</script><p>nginx &amp; friends<br>of s3cr3t-key and jane@localhost
</p></body></html>"""


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (PAGE, "502 Bad Gateway nginx & friends of *** and ***"),
        (b"upstream connect error\n  or disconnect", "upstream connect error or disconnect"),
        (b'["bad s3cr3t-key", "and worse"]', "bad ***; and worse"),
        (b'[{"message": "name is missing"}, {"error": "so is email"}]', "name is missing; so is email"),
        (b'[{"loc": ["body", "x"]}]', '[{"loc": ["body", "x"]}]'),
        (b"[1]", "[1]"),
        (b"", "answered 400"),
    ],
)
def test_the_words_of_an_error(body: bytes, words: str) -> None:
    assert str(told(body)) == f"Vendor refused GET /things (HTTP 400): {words}"


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        ('{"message": "ungültig"}'.encode("latin-1"), "application/json; charset=ISO-8859-1", "ungültig"),
        ('{"message": "ungültig"}'.encode("latin-1"), "application/json", "ungültig"),
        ('{"message": "ungültig"}'.encode("utf-16"), "application/json", "ungültig"),
        ('{"message": "ungültig"}'.encode("utf-16-be"), "application/json; charset=utf-16", "ungültig"),
        ('{"message": "ungültig"}'.encode("utf-8-sig"), "", "ungültig"),
        ('{"errors": {"ort": ["ungültig"]}}'.encode("cp1252"), 'text/json;charset="windows-1252"', "ort: ungültig"),
        ("閉店".encode("shift_jis"), "text/plain; charset=Shift_JIS", "閉店"),
        ("ungültig".encode("utf-16-le"), "text/plain; charset=utf-16-le", "ungültig"),
        ("ungültig".encode(), "text/plain; charset=no-such", "ungültig"),
        ("ungültig".encode(), "text/plain; charset=punycode", "ungültig"),
        (b"ungultig", "text/plain; charset=zlib", "ungultig"),
        (b"<Error><Code>Slow</Code><Message>a &lt; b</Message></Error>", "application/xml", "Slow a < b"),
        (b"<e><![CDATA[not <now>]]></e>", "application/xml", "not <now>"),
        ('<?xml version="1.0" encoding="iso-8859-1"?><e>ungültig</e>'.encode("latin-1"), "text/xml", "ungültig"),
    ],
)
def test_an_error_is_read_in_its_charset(body: bytes, content_type: str, words: str) -> None:
    outcome = judge_response(READ, 400, {"content-type": content_type}, body, 0.0)
    error = failure(READ(), outcome, Next.FAIL, "Vendor", Redactor())
    assert str(error) == f"Vendor refused GET /things (HTTP 400): {words}"


@pytest.mark.parametrize("piece", ["<", "<a ", "<script>", "<![CDATA[", "<!--", "&lt;", "x", "</script", "<style <"])
def test_long_pages_are_cut(piece: str) -> None:
    error = told(piece.encode() * (MEGABYTE // len(piece)))
    assert len(str(error)) < 2_100
    assert len(plain_text(piece.encode() * MEGABYTE)) <= 64 * 1024


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("<script>a</script>b<STYLE>c</style>d", "b d"),
        ("<script>a</style>b</script>c", "c"),
        ("a</script>b", "a</script>b"),
        ("<p>a</script>b", "a b"),
        ("<script>a<b>c", "a c"),
        ("<style>a</style><script>b", "b"),
        ("<header>a</header>", "a"),
        ("<e><![CDATA[<a>]]> & <![CDATA[b]]></e>", "<a> & b"),
        ("<e><![CDATA[a <b>", "a <b>"),
    ],
)
def test_what_a_reader_of_the_page_would_see(page: str, words: str) -> None:
    assert plain_text(page.encode()) == words


def test_expressions_look_at_nothing_twice() -> None:
    """A repeat may only be of what cannot begin a match: else a page of beginnings takes as long as its square."""
    from airflow_provider_mkt.client import answer

    for each in (answer.TAGS, answer.UNSEEN):
        assert each.pattern.startswith("<")
        assert re.search(r"[*+{]", each.pattern.replace("[^<>]{0,1000}>", "")) is None
