# Licensed under the Apache License, Version 2.0; see LICENSE.
"""No text and no number of a vendor is one that a database refuses, or that JSON cannot say again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_mkt.client.answer import UnreadableError, parse
from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.client.storable import UNREADABLE, storable
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.state.encryption import digest
from airflow_provider_mkt.state.inbox import Row
from airflow_provider_mkt.submission.echo import not_as_sent
from airflow_provider_mkt.vendors import VENDORS
from airflow_provider_mkt.vendors.base import Webhooks
from airflow_provider_mkt.webhooks.handover import extra_of
from airflow_provider_mkt.webhooks.reading import read

ODD = ["a\0b", "\0", "half \ud83d of a pair", "\udc00", float("inf"), float("-inf"), float("nan"), 10**400]
FACTS: dict[str, Webhooks] = {vendor.conn_type: vendor.webhooks for vendor in VENDORS if vendor.webhooks}


@pytest.mark.parametrize("value", ODD, ids=repr)
@pytest.mark.parametrize("within", [lambda odd: odd, lambda odd: [odd], lambda odd: {str(odd)[:20]: {"inner": odd}}])
def test_the_event_of_a_delivery_can_be_stored(value: Any, within: Any) -> None:
    row = Row(1, "flinque", "report.ready", "one", "", 0.0, "pending", 0)
    stored = json.dumps(extra_of(row, {"note": within(value)}), allow_nan=False, ensure_ascii=False)
    stored.encode()
    assert "\\u0000" not in stored
    assert "\0" not in stored


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-le"])
def test_an_answer_holds_nothing_that_cannot_be_stored(encoding: str) -> None:
    written = r'{"id": "post_\u0000", "\ud800": [{"x": "\udc00"}, "\ud83d\ude00", 1.5, true, null], "plain": "\\u0000"}'
    found = parse(written.encode(encoding))
    kept = [{"x": UNREADABLE}, "\U0001f600", 1.5, True, None]
    assert found == {"id": f"post_{UNREADABLE}", UNREADABLE: kept, "plain": "\\u0000"}


def test_half_a_character_that_is_written_as_one() -> None:
    assert parse(b'["\xed\xa0\x80"]') == [UNREADABLE]


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "\0"])
def test_a_vendor_that_shows_such_a_text_shows_what_was_sent(text: str) -> None:
    shown = parse(json.dumps({"content": text}).encode())
    assert not_as_sent(shown, {"content": text}, ["content"]) == []
    assert not_as_sent({"content": f"{storable(text)}!"}, {"content": text}, ["content"]) == ["content"]


@pytest.mark.parametrize("number", ["1e400", "-1e400"])
def test_an_answer_with_a_number_beyond_all_numbers_is_none(number: str) -> None:
    with pytest.raises(UnreadableError, match="beyond all"):
        parse(f'{{"amount": {number}}}'.encode())


def test_what_is_shown_of_a_text_keeps_its_length() -> None:
    assert Redactor().text("a\0b") == "a\ufffdb"


@pytest.mark.parametrize("conn_type", sorted(FACTS))
def test_half_a_character_in_a_delivery_is_no_error_of_the_server(conn_type: str) -> None:
    payload: dict[str, Any] = {}
    for path in (*FACTS[conn_type].subject, *FACTS[conn_type].identity):
        inner = payload
        *outer, last = path.split(".")
        for name in outer:
            inner = inner.setdefault(name, {})
        inner[last] = "\ud800"
    found = read(FACTS[conn_type], json.dumps(payload).encode(), account="a", conn_id="c", now=0.0)
    assert found.subject == digest("\ud800") != digest("\ud801")


@pytest.mark.parametrize("number", ["1e400", "-1e999999", "9" * 400 + ".5"])
def test_a_number_beyond_all_numbers_is_no_delivery(number: str) -> None:
    body = b'{"id": "evt_1", "type": "report.ready", "data": {"clicks": %s}}' % number.encode()
    with pytest.raises(ValidationError):
        read(FACTS["flinque"], body, account="a", conn_id="c", now=0.0)
