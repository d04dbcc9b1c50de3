# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Times as people write them in a plan: a date and time, or counted from the launch."""

from __future__ import annotations

import difflib
import re
from datetime import date, datetime, timedelta, timezone, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

OFFSET = re.compile(r"\+\s?(\d{1,4})\s?([mhdw])(?: (\d{1,2}):(\d{2}))?", re.ASCII)
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
MOMENT = re.compile(
    r"(\d{4})([-/])(\d{1,2})\2(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d{1,6})?)?)?"
    r"(?: ?(Z|UTC|GMT|[+-]\d{2}:?\d{2}(?::\d{2})?))?",
    re.ASCII | re.IGNORECASE,
)
HALF_DAY = re.compile(r"(.*?)(\d{1,2})(?::(\d{2}))?(?::\d{2})? ?([AP])\.?M\.?", re.ASCII | re.IGNORECASE)
OTHER_ORDER = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d{2})\b(.*)", re.ASCII)
SERIAL = re.compile(r"\d{5}(?:[.,]\d+)?", re.ASCII)
NO_PLACES = frozenset({"Factory", "localtime"})
"""Names that mean something else on every machine."""
LAST_YEAR = 2199
HINT = "write a date and time like 2026-12-01 09:00, or count from the launch: +20m, +3h, +2d, +1w, +2d 09:00"
ALIKE = 0.7
"""How much a time zone's name has to be like a known one, from 0 to 1, to be suggested."""
MAX_SHORT = 4
"""Letters of an abbreviation, which is like many others: BST is none, EST is."""


def zone(name: str) -> tzinfo:
    """Return the time zone called ``name``, e.g. ``Europe/Paris``; capitals do not matter.

    :raises ValueError: when there is none, with those that are probably meant
    """
    if name.upper() in ("UTC", "GMT", "Z"):
        return timezone.utc
    known = _zones()
    if found := known.get(name.lower()):
        return ZoneInfo(found)
    plain = name.strip().lower().replace(" ", "_")
    near = [full for full in known.values() if full.lower().rpartition("/")[2] == plain]
    if not near and len(plain) > MAX_SHORT:
        # Zones of countries, such as Iceland, are seldom meant by a word that is like them.
        cities = [each for each in known if "/" in each]
        near = [known[each] for each in difflib.get_close_matches(plain, cities, 1, ALIKE)]
    # The signs of Etc/GMT+1 and the like are the other way round.
    near = [each for each in near if not each.startswith("Etc/")]
    meant = f"did you mean {min(near, key=len)}?" if near else "write one like Europe/Paris or UTC"
    raise ValueError(f"there is no time zone {name!r}; {meant}")


@cache
def _zones() -> dict[str, str]:
    """Return the names of all time zones by their small letters."""
    return {name.lower(): name for name in sorted(available_timezones() - NO_PLACES)}


def future_moment(text: str, launch: datetime, zone_: tzinfo) -> datetime:
    """Return the time that ``text`` means, as :func:`moment` does; it must be after the launch.

    :raises ValueError: saying what to write instead
    """
    found = moment(text, launch, zone_)
    if found <= launch:
        began = local(launch, zone_)
        raise ValueError(f"{text!r} is in the past: the launch is {began}; choose a later time")
    return found


def local(when: datetime, zone_: tzinfo) -> str:
    """Return a time for people: ``Mon 2026-06-08 09:00 Europe/London``."""
    there = when.astimezone(zone_)
    return f"{there:%a %Y-%m-%d %H:%M} {getattr(zone_, 'key', None) or there.tzname()}"


def moment(text: str, launch: datetime, zone_: tzinfo) -> datetime:
    """Return the time that ``text`` means, in UTC.

    :param text: ``2026-12-01 09:00`` in the plan's time zone (or with an offset of its own), or ``+20m``, ``+3h``,
        ``+2d``, ``+1w`` after the launch, or ``+2d 09:00``: at that time of the day, two days after the launch on the
        calendar of the plan's time zone
    :param launch: the moment of the launch
    :param zone_: the plan's time zone
    :raises ValueError: saying what to write instead; also for an hour that a change of clocks leaves out or repeats
    """
    text = " ".join(text.split())
    try:
        if match := OFFSET.fullmatch(text):
            found = _counted(text, match, launch, zone_)
        elif match := MOMENT.fullmatch(text):
            found = _written(text, match, zone_)
        else:
            raise ValueError(_instead(text))
        return found.astimezone(timezone.utc)
    except OverflowError:
        raise ValueError(f"{text!r} is not a time that anybody plans for; {HINT}") from None


def _counted(text: str, match: re.Match[str], launch: datetime, zone_: tzinfo) -> datetime:
    number, unit, hour, minute = match.groups()
    distance = timedelta(**{UNITS[unit]: int(number)})
    if hour is None:
        return launch + distance
    if unit not in "dw":
        raise ValueError(f"a time of day goes with days and weeks only; {HINT}")
    if int(hour) > 23 or int(minute) > 59:
        raise ValueError(f"{hour}:{minute} is no time of day; {HINT}")
    day = launch.astimezone(zone_).date() + distance
    return _only(text, datetime(day.year, day.month, day.day, int(hour), int(minute)), zone_)  # noqa: DTZ001 - a wall clock


def _written(text: str, match: re.Match[str], zone_: tzinfo) -> datetime:
    year, _, month, day, hour, minute, second, offset = match.groups()
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        raise ValueError(f"{text!r} is not a time: there is no such day; {HINT}") from None
    if hour is None:
        raise ValueError(f"{text!r} has no time of day; {HINT}")
    if int(hour) > 23 or int(minute) > 59 or int(second or 0) > 59:
        raise ValueError(f"{text!r} is not a time: hours are 0 to 23, minutes 0 to 59; {HINT}")
    if int(year) > LAST_YEAR:
        raise ValueError(f"{text!r} is not a time that anybody plans for; {HINT}")
    clock = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0))  # noqa: DTZ001
    return clock.replace(tzinfo=_offset(text, offset)) if offset else _only(text, clock, zone_)


def _offset(text: str, written: str) -> timezone:
    if written[0] not in "+-":
        return timezone.utc
    digits = written[1:].replace(":", "").ljust(6, "0")
    distance = timedelta(hours=int(digits[:2]), minutes=int(digits[2:4]), seconds=int(digits[4:]))
    if distance >= timedelta(hours=24) or int(digits[2:4]) > 59:
        raise ValueError(f"{text!r} is not a time: no place is {written} from UTC; {HINT}")
    return timezone(-distance if written[0] == "-" else distance)


def _only(text: str, clock: datetime, zone_: tzinfo) -> datetime:
    """Return the one moment at which the clocks of a zone show ``clock``.

    :raises ValueError: when they never do, or twice
    """
    first, second = clock.replace(tzinfo=zone_, fold=0), clock.replace(tzinfo=zone_, fold=1)
    if first.utcoffset() == second.utcoffset():
        return first
    ways = sorted(each.astimezone(timezone.utc) for each in (first, second))
    ways_on = " or ".join(_iso(each.astimezone(zone_)) for each in ways)
    twice = ways[0] == first.astimezone(timezone.utc)
    what = "comes twice" if twice else "does not exist"
    name = getattr(zone_, "key", None) or str(zone_)
    meant = f"{clock:%Y-%m-%d %H:%M}"
    named = f"{text!r}" if text == meant else f"{text!r} is {meant}, which"
    raise ValueError(f"{named} {what} in {name}, where the clocks change; write {ways_on}")


def _iso(when: datetime) -> str:
    return when.isoformat(sep=" ", timespec="seconds" if when.second else "minutes")


def _instead(text: str) -> str:
    """Say what is wrong with a text that is no time in any of the forms, and how to write what is probably meant."""
    if match := HALF_DAY.fullmatch(text):
        hour = int(match[2]) % 12 + (12 if match[4].upper() == "P" else 0)
        return f"{text!r} is not a time: write hours from 0 to 23, here {hour:02}:{match[3] or '00'}; {HINT}"
    if match := OTHER_ORDER.fullmatch(text):
        return f"{text!r} is not a time: {_orders(match)}; {HINT}"
    if SERIAL.fullmatch(text):
        return f"{text!r} is not a time but a number that Excel shows as one; format the cell as text, and {HINT}"
    return f"{text!r} is not a time; {HINT}"


def _orders(match: re.Match[str]) -> str:
    """Return the days that ``03/04/2026`` may mean."""
    one, two, year = int(match[1]), int(match[2]), int(match[3])
    year += 2000 if year < 100 else 0
    days = []
    for month, day in dict.fromkeys(((two, one), (one, two))):
        try:
            days.append(date(year, month, day).isoformat())
        except ValueError:
            continue
    return f"write the year first, {' or '.join(days)}" if days else "there is no such day"
