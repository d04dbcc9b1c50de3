# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The list of launches: what is not settled first, filters, pages, and only what a person may see."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest

from airflow_provider_mkt.state.launches.launch import ACCEPTED, DONE, HELD, LEAVING, UNKNOWN
from tests.unit.pages.conftest import NOON, Browser, launch, put

pytestmark = pytest.mark.slow

Browsers = Callable[[str], Browser]


def numbers(page: str) -> list[int]:
    """Return the launches of a page, in its order."""
    return [int(number) for number in re.findall(r'<th scope="row"><a href="/mkt-ui/launches/(\d{36})">', page)]


def test_what_is_not_settled_comes_first_then_the_newest(browser: Browsers, store: Any) -> None:
    states = {1: UNKNOWN, 2: ACCEPTED, 3: HELD, 4: DONE, 5: LEAVING, 6: ACCEPTED}
    put(store, *(launch(number, state=state) for number, state in states.items()))
    assert numbers(browser("vera").get("/launches").text) == [5, 3, 1, 6, 4, 2]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"state": "accepted"}, [4, 2]),
        ({"vendor": "Flodesk"}, [3]),
        ({"dag": "autumn"}, [4]),
        ({"text": "NUMBER 2"}, [2]),
        ({"text": "100%"}, []),
        ({"text": "p_1"}, [1]),
        ({"since": "2026-05-29", "zone": "UTC"}, [4]),
        ({"until": "2026-05-28", "zone": "UTC"}, [3, 2, 1]),
        ({"since": "2026-05-29", "zone": "America/New_York"}, []),
        ({"state": "accepted", "dag": "spring"}, [2]),
    ],
)
def test_filters(query: dict[str, str], found: list[int], browser: Browsers, store: Any) -> None:
    put(
        store,
        launch(1, state=DONE, vendor_ids='"p_1"'),
        launch(2, state=ACCEPTED),
        launch(3, state=DONE, vendor="Flodesk", vendor_ids='"px1"'),
        launch(4, state=ACCEPTED, dag_id="autumn", begun_at=NOON + 4 * 3600),
    )
    assert numbers(browser("vera").get("/launches", **query).text) == found


@pytest.mark.parametrize("query", [{"state": "lost"}, {"since": "tomorrow"}, {"after": "1_x_y"}])
def test_a_damaged_address_is_said_to_be_one(query: dict[str, str], browser: Browsers, store: Any) -> None:
    answer = browser("vera").get("/launches", **query)
    assert answer.status_code == 400
    assert "<h1>" in answer.text


def test_pages_hold_every_launch_once(browser: Browsers, store: Any) -> None:
    """Also across the border between both groups, and where several began at the same moment."""
    put(store, *(launch(n, state=UNKNOWN if n % 2 else ACCEPTED, begun_at=NOON + n // 10) for n in range(1, 141)))
    reader, path, seen = browser("vera"), "/launches", []
    while path:
        page = reader.get(path).text
        seen += numbers(page)
        following = re.search(r'rel="next" href="/mkt-ui([^"]+)"', page)
        path = unescape(following[1]) if following else ""
    assert len(seen) == 140
    assert set(seen) == set(range(1, 141))
    assert all(number % 2 for number in seen[:70])


def test_only_what_a_person_may_see(browser: Browsers, store: Any) -> None:
    put(store, launch(1), launch(2, dag_id="autumn"), launch(3, deployment="staging"))
    assert numbers(browser("uma").get("/launches").text) == [2, 1]
    assert numbers(browser("sam").get("/launches").text) == [1]
    assert "autumn" not in browser("sam").get("/launches").text


def test_an_empty_register_says_so(browser: Browsers, store: Any) -> None:
    assert "No launch fits" in browser("vera").get("/launches").text


def test_counts_are_of_the_other_filters(browser: Browsers, store: Any) -> None:
    put(store, launch(1, state=DONE), launch(2, state=DONE), launch(3, state=ACCEPTED, vendor="Flodesk"))
    page = browser("vera").get("/launches", state="accepted").text
    assert re.search(r"Done <b>2</b>", page)
    assert re.search(r"All <b>3</b>", page)
