# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The page at ``/``: what it shows, that it is self-contained, and that what others have sent stays text."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
import requests

from airflow_provider_mkt.sandbox.http.page import MAX_ROWS
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.sandbox.vendors import Caller

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>&amp;'
ROUTE = f"POST /flokit/v1/integrations/{HOSTILE.replace('/', '')}/sync"


class _Reader(HTMLParser):
    """Collects rows of text cells, tags, and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        self._cell = tag == "td"
        if self._cell:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.rows[-1][-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._cell = False


@pytest.fixture
def page(sandbox: Sandbox, call: Caller) -> tuple[requests.Response, _Reader]:
    for number in range(MAX_ROWS + 1):
        call("POST", "/flow-social/v1/channels", json={"name": f"Channel {number}"})
    call("POST", "/flow-social/v1/channels", json={"name": HOSTILE})
    sandbox.fault(ROUTE, "drop_after", count=3)
    sandbox.fault("* /flodesk/*", "status", status=500, count=None)
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(sandbox.url, timeout=10)
    reader = _Reader()
    reader.feed(answer.text)
    return answer, reader


def test_what_it_shows(page: tuple[requests.Response, _Reader], sandbox: Sandbox) -> None:
    rows = page[1].rows
    assert ["flow_social", "/flow-social/v1", "flow_social_default", "52", "52"] in rows
    assert {name.removesuffix("_default") for name in sandbox.connections} <= {row[0] for row in rows if row}
    assert ["2", "* /flodesk/*", "status", "every request", "0"] in rows
    shown = [row for row in rows if "channel.created" in row]
    assert len(shown) == MAX_ROWS
    assert shown[0][3] == HOSTILE, "the newest comes first"
    assert shown[0][4] == sandbox.ledger()[-1]["ids"][0]


def test_what_others_have_sent_stays_text(page: tuple[requests.Response, _Reader]) -> None:
    answer, reader = page
    assert ["1", ROUTE, "drop_after", "3", "0"] in reader.rows
    assert [tag for tag, _ in reader.tags].count("script") == 1
    assert "img" not in {tag for tag, _ in reader.tags}
    policy = answer.headers["Content-Security-Policy"]
    nonce = re.search(r"script-src 'nonce-([\w-]+)'", policy)
    assert nonce is not None
    assert all(attributes["nonce"] == nonce[1] for tag, attributes in reader.tags if tag in ("script", "style"))
    assert policy.startswith("default-src 'none';")


def test_it_loads_nothing_from_elsewhere(page: tuple[requests.Response, _Reader]) -> None:
    answer, reader = page
    assert not [tag for tag, _ in reader.tags if tag in ("link", "iframe", "img", "object", "embed", "base")]
    assert not [attributes for _, attributes in reader.tags if {"src", "href"} & set(attributes)]
    assert "url(" not in answer.text
    assert "http" not in re.sub(r"HTTP|https?://127", "", answer.text)


def test_it_holds_no_secret(page: tuple[requests.Response, _Reader], sandbox: Sandbox, call: Caller) -> None:
    call("POST", "/flodesk/v1/subscribers", json={"email": "secret.person@example.com"})
    text = requests.get(sandbox.url, timeout=10).text
    assert "secret.person" not in text
    for connection in sandbox.connections.values():
        assert connection["password"] not in text


def test_the_first_moment(sandbox: Sandbox) -> None:
    text = requests.get(sandbox.url, timeout=10).text
    assert text.count("None.") == 2, "no fault, no effect"
