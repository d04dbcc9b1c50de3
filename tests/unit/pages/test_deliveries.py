# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Deliveries on a page, and handing one over again."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest

from airflow_provider_mkt.state.inbox import HANDED_OVER, PENDING, Delivery, Inbox
from tests.unit.pages.conftest import Browser
from tests.unit.pages.test_launch import audited

pytestmark = pytest.mark.slow

Browsers = Callable[[str], Browser]


def receive(*events: str) -> list[int]:
    """Have deliveries in the inbox, handed over already; return their numbers."""
    inbox = Inbox()
    payload = {"id": "evt_1", "email": "ana@example.com", "post": {"id": "p_1"}}
    before = inbox.latest()
    inbox.add(
        [Delivery("a", "flow_social_default", each, "", f"{before}{n}", payload) for n, each in enumerate(events)]
    )
    numbers = sorted(row.id for row in inbox.find(limit=1000) if row.id > before)
    for number in numbers:
        inbox.settle(number, HANDED_OVER)
    return numbers


def listed(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'<a href="/mkt-ui/deliveries/(\d+)">', page)]


def test_the_newest_come_first_in_pages(browser: Browsers, store: Any) -> None:
    numbers = receive(*(["post.delivered"] * 120))
    seen, path = [], "/deliveries"
    reader = browser("vera")
    while path:
        page = reader.get(path).text
        seen += listed(page)
        following = re.search(r'rel="next" href="/mkt-ui([^"]+)"', page)
        path = unescape(following[1]) if following else ""
    assert seen == numbers[::-1]


@pytest.mark.parametrize(
    ("query", "count"),
    [({"state": "pending"}, 0), ({"state": "handed over"}, 2), ({"event": "post.failed"}, 1), ({"conn_id": "x"}, 0)],
)
def test_filters(query: dict[str, str], count: int, browser: Browsers, store: Any) -> None:
    receive("post.delivered", "post.failed")
    assert len(listed(browser("vera").get("/deliveries", **query).text)) == count


def test_one_is_shown_without_what_is_personal(browser: Browsers, store: Any) -> None:
    [number] = receive("post.delivered")
    page = browser("vera").get(f"/deliveries/{number}").text
    assert "p_1" in page
    assert "ana@example.com" not in page


@pytest.mark.parametrize("number", ["0", "x", "99999999999999999999"])
def test_no_such_delivery(number: str, browser: Browsers, store: Any) -> None:
    assert browser("vera").get(f"/deliveries/{number}").status_code == 404


def test_replaying_asks_first_and_is_audited(browser: Browsers, store: Any) -> None:
    [number] = receive("post.delivered")
    person = browser("ada")
    asked = person.post(f"/deliveries/{number}/replay", {"token": person.token()})
    assert f"Hand over delivery {number} again?" in asked.text
    assert Inbox().find()[0].state == HANDED_OVER
    person.post(f"/deliveries/{number}/replay", person.fields_of(asked.text))
    [row] = Inbox().find()
    assert (row.state, row.replays) == (PENDING, 1)
    assert audited() == [("mkt_replay", "ada", f"delivery {number} of flow_social_default")]


def test_who_may_only_see_may_not_replay(browser: Browsers, store: Any) -> None:
    [number] = receive("post.delivered")
    person = browser("uma")
    assert "Replay" not in person.get(f"/deliveries/{number}").text.replace("Replayed", "")
    answer = person.post(f"/deliveries/{number}/replay", {"token": person.token(), "sure": "yes"})
    assert answer.status_code == 403
    assert Inbox().find()[0].replays == 0
