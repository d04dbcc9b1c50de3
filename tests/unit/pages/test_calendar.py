# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The calendar: planned and past, in the reader's or the accounts' time zone, with gaps and collisions."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from airflow_provider_mkt.state.launches.launch import ACCEPTED, DONE, REFUSED, Launch
from tests.unit.pages.conftest import Browser, launch, put

pytestmark = pytest.mark.slow

Browsers = Callable[[str], Browser]
JUNE = {"view": "month", "date": "2026-06-15", "zone": "UTC"}


def post(number: int, goes_live: str, **parts: Any) -> Launch:
    return launch(number, **{"goes_live": goes_live, "state": ACCEPTED, "channel": "ch_harbour", **parts})


def times(page: str) -> list[tuple[str, int]]:
    """Return the times of day that a month or week shows, with the launches."""
    found = re.findall(r'href="/mkt-ui/launches/(\d{36})"><span class="time">(\d\d:\d\d)</span>', page)
    return [(time, int(number)) for number, time in found]


def test_a_month_shows_what_is_planned_and_what_left_at_once(browser: Browsers, store: Any) -> None:
    left = datetime.fromisoformat("2026-06-10T12:00:00+00:00").timestamp()
    put(
        store,
        post(1, "2026-06-08T09:00:00Z"),
        post(2, "2026-06-08T23:30:00-05:00"),
        post(3, "", begun_at=left, state=DONE),
        post(4, "2026-08-08T09:00:00Z"),
        post(5, "2026-06-09T09:00:00Z", state=REFUSED),
        post(6, "2026-06-09T09:00:00Z", deployment="staging"),
    )
    page = browser("vera").get("/calendar", **JUNE).text
    assert times(page) == [("09:00", 1), ("04:30", 2), ("12:00", 3)]
    assert "June 2026" in page


@pytest.mark.parametrize(("zone", "time"), [("UTC", "23:30"), ("Asia/Tokyo", "08:30"), ("account", "23:30")])
def test_the_time_zone_decides_on_the_day(zone: str, time: str, browser: Browsers, store: Any) -> None:
    put(store, post(1, "2026-06-08T23:30:00Z"))
    day = "2026-06-09" if zone == "Asia/Tokyo" else "2026-06-08"
    page = browser("vera").get("/calendar", view="day", date=day, zone=zone).text
    assert f'<td class="time">{time}' in page


def test_the_readers_zone_is_the_browsers(browser: Browsers, store: Any) -> None:
    put(store, post(1, "2026-06-08T12:00:00Z"))
    reader = browser("vera")
    reader.client.cookies.set("mkt_zone", "America%2FNew_York")
    assert times(reader.get("/calendar", view="week", date="2026-06-08").text) == [("08:00", 1)]


def test_posts_close_together_on_one_channel_collide(browser: Browsers, store: Any) -> None:
    put(
        store,
        post(1, "2026-06-08T09:00:00Z"),
        post(2, "2026-06-08T09:14:00Z"),
        post(3, "2026-06-08T09:10:00Z", channel="ch_hill"),
        post(4, "2026-06-08T09:40:00Z"),
    )
    page = browser("vera").get("/calendar", view="week", date="2026-06-08", zone="UTC").text
    assert "2 launches collide" in page
    assert page.count('class="collides"') == 2


def test_gaps_are_days_on_which_a_channel_has_nothing(browser: Browsers, store: Any) -> None:
    put(store, post(1, "2026-06-08T09:00:00Z"), post(2, "2026-06-10T09:00:00Z"))
    page = browser("vera").get("/calendar", view="week", date="2026-06-08", zone="UTC").text
    assert page.count('class="gap"') == 5


def test_a_day_opens_its_launches(browser: Browsers, store: Any) -> None:
    put(store, *(post(number, f"2026-06-08T{8 + number:02d}:00:00Z") for number in range(1, 8)))
    reader = browser("vera")
    month = reader.get("/calendar", **JUNE).text
    assert "3 more" in month
    address = re.search(r'class="more" href="/mkt-ui([^"]+)"', month)
    assert address
    day = reader.get(address[1].replace("&amp;", "&")).text
    assert [int(number) for number in re.findall(r"/mkt-ui/launches/(\d{36})", day)] == list(range(1, 8))


def test_vendor_and_channel_narrow_it(browser: Browsers, store: Any) -> None:
    put(
        store,
        post(1, "2026-06-08T09:00:00Z"),
        post(2, "2026-06-08T09:00:00Z", channel="ch_hill"),
        post(3, "2026-06-08T09:00:00Z", vendor="Flinque", channel="", conn_id="flinque_default"),
    )
    reader = browser("vera")
    assert times(reader.get("/calendar", **JUNE, channel="ch_hill").text) == [("09:00", 2)]
    assert times(reader.get("/calendar", **JUNE, vendor="Flinque").text) == [("09:00", 3)]


def test_only_what_a_person_may_see(browser: Browsers, store: Any) -> None:
    put(store, post(1, "2026-06-08T09:00:00Z"), post(2, "2026-06-08T10:00:00Z", dag_id="autumn"))
    assert times(browser("sam").get("/calendar", **JUNE).text) == [("09:00", 1)]


@pytest.mark.parametrize("query", [{"view": "year"}, {"date": "soon"}, {"date": "0001-01-01"}, {"date": "9999-12-31"}])
def test_a_damaged_address_is_said_to_be_one(query: dict[str, str], browser: Browsers, store: Any) -> None:
    assert browser("vera").get("/calendar", **query).status_code == 400
