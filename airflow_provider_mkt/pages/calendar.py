# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What goes live when: a month, a week or a day, planned and past, by vendor and channel."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlencode

from airflow_provider_mkt.pages.visit import ACCOUNT, RefusedError, Shown, Visit
from airflow_provider_mkt.state.database.shared import store
from airflow_provider_mkt.state.launches import listing
from airflow_provider_mkt.state.launches.launch import FAILED, NOT_SENT, REFUSED, STATES, Launch
from airflow_provider_mkt.state.launches.listing import Wanted
from airflow_provider_mkt.submission.deployment import deployment
from airflow_provider_mkt.submission.spending import day_zone

VIEWS = ("month", "week", "day")
SHOWN = tuple(state for state in STATES if state not in (NOT_SENT, REFUSED, FAILED))
"""What certainly did not happen is not in the calendar."""
CLOSE = timedelta(minutes=15)
"""Two launches on one channel that go live within this time collide."""
IN_A_CELL = 4
MOST = 5_000


@dataclass(frozen=True)
class Item:
    """Something that goes live.

    :param at: when, in the zone of the page
    :param lane: vendor and channel
    :param launch: the launch
    :param collides: whether another one on the same channel goes live at nearly the same time
    """

    at: datetime
    lane: tuple[str, str]
    launch: Launch
    collides: bool = False


@dataclass(frozen=True)
class Period:
    """What one page shows.

    :param view: one of :data:`VIEWS`
    :param first: its first day
    :param days: how many
    :param before: a day of the period before
    :param after: a day of the period after
    :param title: its name
    """

    view: str
    first: date
    days: int
    before: date
    after: date
    title: str


def show(visit: Visit) -> Shown:
    """Show one period."""
    asked = {name: visit.asked(name) for name in ("vendor", "channel", "zone")}
    day = _date(visit)
    period = _period(visit.asked("view") or "month", day)
    items, cut = _items(visit, period)
    lanes = sorted({item.lane for item in items})
    wanted = [
        item for item in items if asked["vendor"] in ("", item.lane[0]) and asked["channel"] in ("", item.lane[1])
    ]
    days = [period.first + timedelta(days=number) for number in range(period.days)]
    query = {name: value for name, value in asked.items() if value}

    def to(view: str, day: date) -> str:
        return urlencode({**query, "view": view, "date": day.isoformat()})

    return Shown(
        "calendar.html",
        {
            "period": period,
            "asked_day": day,
            "month": day.month,
            "weeks": [days[at : at + 7] for at in range(0, len(days), 7)],
            "by_day": _grouped(wanted),
            "lanes": _lanes(wanted),
            "vendors": sorted({vendor for vendor, _ in lanes}),
            "channels": sorted({channel for vendor, channel in lanes if asked["vendor"] in ("", vendor)}),
            "collisions": sum(item.collides for item in wanted),
            "asked": asked,
            "views": VIEWS,
            "to": to,
            "today": datetime.now(visit.zone).date(),
            "in_a_cell": IN_A_CELL,
            "cut": MOST if cut else 0,
            "account_zone": day_zone(),
            "account": ACCOUNT,
            "unsettled": listing.UNSETTLED,
        },
    )


def _items(visit: Visit, period: Period) -> tuple[list[Item], bool]:
    """Return what goes live in a period, in order, and whether there is more than can be shown."""
    begin = datetime.combine(period.first, datetime.min.time(), visit.zone)
    end = begin + timedelta(days=period.days)
    here, used = deployment(), store()
    readable = visit.may.readable(used.run(lambda connection: listing.dags(connection, here)))
    if not readable:
        return [], False
    wanted = Wanted(sorted(readable), here, SHOWN)
    found = used.run(lambda connection: listing.live_between(connection, wanted, begin, end, MOST + 1))
    items = []
    for each in found[:MOST]:
        at = live_at(each, visit)
        if begin <= at < end:
            items.append(Item(at, (each.vendor, each.channel or each.conn_id), each))
    return with_collisions(sorted(items, key=lambda item: (item.at, item.launch.launch))), len(found) > MOST


def live_at(launch: Launch, visit: Visit) -> datetime:
    """Return when a launch goes live: as planned, or else when it left."""
    if launch.goes_live:
        try:
            return datetime.fromisoformat(launch.goes_live.replace("Z", "+00:00")).astimezone(visit.zone)
        except (ValueError, OverflowError):
            pass  # as the vendor was told, and not as it is read here
    return datetime.fromtimestamp(launch.begun_at, visit.zone)


def with_collisions(items: Sequence[Item]) -> list[Item]:
    """Return items, in order, with those marked that are planned for nearly the same time on one channel."""
    colliding: set[str] = set()
    last: dict[tuple[str, str], Item] = {}
    for item in items:
        if not item.launch.goes_live:
            continue
        before = last.get(item.lane)
        if before and item.at - before.at < CLOSE:
            colliding |= {before.launch.launch, item.launch.launch}
        last[item.lane] = item
    return [Item(each.at, each.lane, each.launch, each.launch.launch in colliding) for each in items]


def _grouped(items: Iterable[Item]) -> Mapping[date, list[Item]]:
    found: dict[date, list[Item]] = defaultdict(list)
    for item in items:
        found[item.at.date()].append(item)
    return found


def _lanes(items: Sequence[Item]) -> list[tuple[tuple[str, str], Mapping[date, list[Item]]]]:
    found: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in items:
        found[item.lane].append(item)
    return [(lane, _grouped(each)) for lane, each in sorted(found.items())]


def _date(visit: Visit) -> date:
    asked = visit.asked("date")
    if not asked:
        return datetime.now(visit.zone).date()
    try:
        day = date.fromisoformat(asked)
    except ValueError:
        day = date.min
    if not 1990 <= day.year <= 2200:
        raise RefusedError(400, f"'date' has to be a day such as 2026-06-08, got {asked!r}.")
    return day


def _period(view: str, day: date) -> Period:
    monday = day - timedelta(days=day.weekday())
    if view == "month":
        first = day.replace(day=1)
        begin, after = first - timedelta(days=first.weekday()), (first + timedelta(days=32)).replace(day=1)
        weeks = -(-(after - begin).days // 7)
        return Period(view, begin, 7 * weeks, first - timedelta(days=1), after, f"{day:%B %Y}")
    if view == "week":
        title = f"Week {day.isocalendar().week}, {monday:%d %B} to {monday + timedelta(days=6):%d %B %Y}"
        return Period(view, monday, 7, monday - timedelta(days=7), monday + timedelta(days=7), title)
    if view == "day":
        return Period(view, day, 1, day - timedelta(days=1), day + timedelta(days=1), f"{day:%A, %d %B %Y}")
    raise RefusedError(400, f"There is no view {view!r}; there are {', '.join(VIEWS)}.")
