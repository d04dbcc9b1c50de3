# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Times as people write them in a plan: a date and time, or counted from the launch."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

OFFSET = re.compile(r"\+\s*(\d{1,4})\s*([mhd])(?:\s+(\d{1,2}):(\d{2}))?")
UNITS = {"m": "minutes", "h": "hours", "d": "days"}
LAST_YEAR = 2199
HINT = "write a date and time like 2026-12-01 09:00, or count from the launch: +20m, +3h, +2d, +2d 09:00"


def zone(name: str) -> tzinfo:
    """Return the time zone called ``name``, e.g. ``Europe/Paris``.

    :raises ValueError: when there is none
    """
    if name.upper() == "UTC":
        return timezone.utc
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name!r}; write one like Europe/Paris or UTC") from None


def moment(text: str, launch: datetime, zone_: tzinfo) -> datetime:
    """Return the time that ``text`` means, in UTC.

    :param text: ``2026-12-01 09:00`` in the plan's time zone (or with an offset of its own), or ``+20m``, ``+3h``,
        ``+2d`` after the launch, or ``+2d 09:00``: at that time of the day two days after the launch
    :param launch: the moment of the launch
    :param zone_: the plan's time zone
    :raises ValueError: saying what to write instead
    """
    text = text.strip()
    if match := OFFSET.fullmatch(text):
        number, unit, hour, minute = match.groups()
        later = launch + timedelta(**{UNITS[unit]: int(number)})
        return (later if hour is None else _at(later, unit, int(hour), int(minute), zone_)).astimezone(timezone.utc)
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise ValueError(f"{text!r} is not a time; {HINT}") from None
    if ":" not in text:
        raise ValueError(f"{text!r} has no time of day; {HINT}")
    if found.year > LAST_YEAR:
        raise ValueError(f"{text!r} is not a time that anybody plans for; {HINT}")
    return (found if found.tzinfo else found.replace(tzinfo=zone_)).astimezone(timezone.utc)


def _at(day: datetime, unit: str, hour: int, minute: int, zone_: tzinfo) -> datetime:
    if unit != "d":
        raise ValueError(f"a time of day goes with days only; {HINT}")
    if hour > 23 or minute > 59:
        raise ValueError(f"{hour}:{minute:02} is no time of day; {HINT}")
    return day.astimezone(zone_).replace(hour=hour, minute=minute, second=0, microsecond=0)
