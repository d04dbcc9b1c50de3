# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Times as people write them, and the clocks of the whole world around the hours at which they are changed."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, available_timezones

import pytest

from airflow_provider_mkt.planning.times import future_moment, local, moment, zone

UTC = timezone.utc
LAUNCH = datetime(2026, 3, 1, 10, tzinfo=UTC)
SEED, ZONES, YEARS = 20261128, 60, 3
WAY = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?[+-]\d\d:\d\d(?::\d\d)?")


@pytest.mark.parametrize(
    ("zone_name", "launch", "text", "expected"),
    [
        ("America/New_York", "2027-03-13T23:30", "+1d 09:00", "2027-03-14T09:00"),
        ("America/New_York", "2027-11-07T00:30", "+1d 09:00", "2027-11-08T09:00"),
        ("Europe/London", "2026-03-28T23:30", "+1d 09:00", "2026-03-29T09:00"),
        ("Europe/London", "2026-10-25T00:00", "+1d 09:00", "2026-10-26T09:00"),
        ("Europe/London", "2026-03-28T23:30", "+1w 09:00", "2026-04-04T09:00"),
        ("Pacific/Apia", "2026-06-30T23:59", "+0d 23:59", "2026-06-30T23:59"),
    ],
)
def test_days_are_counted_on_the_local_calendar(zone_name: str, launch: str, text: str, expected: str) -> None:
    there = ZoneInfo(zone_name)
    found = moment(text, datetime.fromisoformat(launch).replace(tzinfo=there), there)
    assert found == datetime.fromisoformat(expected).replace(tzinfo=there)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-01 9:00", "2026-12-01T09:00"),
        ("2026/12/01 09:00", "2026-12-01T09:00"),
        ("2026-12-1 09:00", "2026-12-01T09:00"),
        ("2026-12-01  09:00 ", "2026-12-01T09:00"),
        ("2026-12-01t09:00z", "2026-12-01T09:00"),
        ("2026-12-01T09:00:00.000Z", "2026-12-01T09:00"),
        ("2026-12-01 09:00 UTC", "2026-12-01T09:00"),
        ("2026-12-01 09:00+0530", "2026-12-01T03:30"),
        ("+20m", "2026-03-01T10:20"),
        ("+ 3 h", "2026-03-01T13:00"),
        ("+1w", "2026-03-08T10:00"),
        ("+2w 09:00", "2026-03-15T09:00"),
    ],
)
def test_what_is_clear_is_taken(text: str, expected: str) -> None:
    assert moment(text, LAUNCH, UTC) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("03/04/2026", "write the year first, 2026-04-03 or 2026-03-04"),
        ("25.12.2026 09:00", "write the year first, 2026-12-25;"),
        ("31/31/2026", "there is no such day"),
        ("46357", "a number that Excel shows as one; format the cell as text"),
        ("46357,375", "a number that Excel shows as one; format the cell as text"),
        ("7:00 PM", "write hours from 0 to 23, here 19:00"),
        ("2026-12-01 12:15 a.m.", "write hours from 0 to 23, here 00:15"),
        ("2026-12-01 24:00", "hours are 0 to 23"),
        ("2026-02-29 09:00", "there is no such day"),
        ("2026-12/01 09:00", "is not a time"),
        ("2026-12-01 09:00+99:00", "no place is +99:00 from UTC"),
        ("0001-01-01 00:00+01:00", "is not a time that anybody plans for"),
        ("+2h 09:00", "goes with days and weeks only"),
        ("+2d 24:00", "24:00 is no time of day"),
        ("+1M", "is not a time"),
        ("٣:٠٠", "is not a time"),
        ("tomorrow", "is not a time"),
    ],
)
def test_what_is_not_is_refused_with_how_to_write_it(text: str, remedy: str) -> None:
    with pytest.raises(ValueError, match=r"2026-12-01 09:00, or count from the launch") as caught:
        moment(text, LAUNCH, UTC)
    assert remedy in str(caught.value)


def test_the_past_is_that_of_the_run() -> None:
    """Not that of the clock: a retry a year later reads the same file in the same way."""
    assert future_moment("2026-03-01 10:01", LAUNCH, UTC) < datetime.now(UTC) + timedelta(days=9_999)
    for text in ("2026-03-01 10:00", "+0m", "1999-12-31 23:59"):
        with pytest.raises(ValueError, match="is in the past: the launch is Sun 2026-03-01 10:00 UTC; choose a later"):
            future_moment(text, LAUNCH, UTC)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("England", "write one like Europe/Paris"),
        ("London", "did you mean Europe/London?"),
        ("new york", "did you mean America/New_York?"),
        ("Europe/Londn", "did you mean Europe/London?"),
        ("BST", "write one like Europe/Paris or UTC"),
        ("GMT+1", "write one like"),
        ("../../etc/localtime", "write one like"),
        ("/etc/localtime", "write one like"),
    ],
)
def test_no_such_zone(name: str, meant: str) -> None:
    with pytest.raises(ValueError, match="there is no time zone") as caught:
        zone(name)
    assert meant in str(caught.value)


def test_zones() -> None:
    assert zone("utc") is UTC
    assert str(zone("europe/LONDON")) == "Europe/London"
    assert local(LAUNCH, zone("Asia/Tokyo")) == "Sun 2026-03-01 19:00 Asia/Tokyo"


def changes(there: ZoneInfo, year: int) -> Iterator[datetime]:
    """Yield the moments of a year at which the clocks of a zone are changed, to the second."""
    day = datetime(year, 1, 1, tzinfo=UTC)
    while day.year == year:
        low, high = day, day + timedelta(days=1)
        before, after = (each.astimezone(there).utcoffset() for each in (low, high))
        if before != after:
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
                low, high = (middle, high) if middle.astimezone(there).utcoffset() == before else (low, middle)
            yield high
        day += timedelta(days=1)


def sampled() -> Iterator[tuple[ZoneInfo, datetime]]:
    luck = random.Random(SEED)
    for name in luck.sample(sorted(available_timezones() - {"Factory", "localtime"}), ZONES):
        for year in luck.sample(range(1970, 2071), YEARS):
            yield from ((ZoneInfo(name), change) for change in changes(ZoneInfo(name), year))


def moments(clock: datetime, there: ZoneInfo) -> list[datetime]:
    """Return, by trying, the moments at which the clocks of a zone show ``clock``."""
    near = [clock.replace(tzinfo=UTC) + timedelta(hours=hours) for hours in range(-30, 31, 6)]
    offsets = {each.astimezone(there).utcoffset() for each in near}
    tried = {clock.replace(tzinfo=UTC) - offset for offset in offsets if offset is not None}
    return sorted(each for each in tried if each.astimezone(there).replace(tzinfo=None) == clock)


def test_every_hour_around_every_change_of_clocks() -> None:
    """Each clock time is read as the one moment that shows it, or refused with two ways to write it that are read."""
    looked = {0: 0, 1: 0, 2: 0}
    for there, change in sampled():
        middle = change.astimezone(there).replace(tzinfo=None, second=0, fold=0)
        for minutes in range(-150, 151, 30):
            clock = middle + timedelta(minutes=minutes)
            shown = moments(clock, there)
            looked[len(shown)] += 1
            text = f"{clock:%Y-%m-%d %H:%M}"
            if len(shown) == 1:
                assert moment(text, LAUNCH, there) == shown[0], (there.key, text)
                continue
            with pytest.raises(ValueError, match="comes twice" if shown else "does not exist") as caught:
                moment(text, LAUNCH, there)
            first, second = (moment(way, LAUNCH, UTC) for way in WAY.findall(str(caught.value)))
            assert first < second, (there.key, text)
            assert not shown or [first, second] == shown, (there.key, text)
    assert min(looked.values()) > 50, looked


def test_days_are_counted_alike_everywhere() -> None:
    luck = random.Random(SEED)
    for there, change in sampled():
        launch = change + timedelta(minutes=luck.randrange(-3_000, 3_000))
        days = luck.randrange(8)
        text = f"+{days}d {luck.randrange(24):02}:{luck.randrange(60):02}"
        day: date = launch.astimezone(there).date() + timedelta(days=days)
        clock = datetime.fromisoformat(f"{day} {text.partition(' ')[2]}")
        try:
            found = moment(text, launch, there)
        except ValueError:
            assert len(moments(clock, there)) != 1, (there.key, launch, text)
        else:
            assert moments(clock, there) == [found], (there.key, launch, text)
