# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Campaign briefs: one YAML file says what a launch consists of."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt import validation
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.files.paths import LOCAL, check_link, check_regular, checked_path
from airflow_provider_mkt.planning.audience import read_audience
from airflow_provider_mkt.planning.money import budget
from airflow_provider_mkt.planning.times import future_moment, zone
from airflow_provider_mkt.planning.yaml_document import Part, RefusedError, read_document
from airflow_provider_mkt.vendors import flow_living, flow_social

if TYPE_CHECKING:
    from os import PathLike

    from airflow.sdk import ObjectStoragePath

CAMPAIGN = ("listings", "plan", "branch", "starts", "ends")
"""Fields of a brief that make a campaign: all of them, or none."""
CAMPAIGN_TOO = ("agent", "budget")
"""Fields that say more of a campaign."""
STEPS = ("sync", "audience", "posts", "report")
"""Fields of a brief that are a step of the launch each."""
MAX_TEXT = 255
"""Characters of a name or an id."""
URL = re.compile(r"[a-z][a-z0-9+.-]*://[^:]", re.IGNORECASE)
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True)
class Brief:
    """A launch, checked. It has one step at least: a campaign, posts, an audience, a sync or a report.

    :param name: what the campaign is called
    :param listings: ids of the listings to advertise; empty when there is no campaign
    :param plan: media plan; None like the next ones when there is no campaign
    :param branch: branch at Flow Living
    :param agent: agent in charge, if named
    :param starts: start of the campaign, ISO 8601 in UTC
    :param ends: end of the campaign, ISO 8601 in UTC
    :param budget: amount instead of the plan's, in the plan's currency
    :param integration: FloKit integration to sync first; None: there is none
    :param audience: path of the audience file; None: there is none
    :param segments: Flodesk segments that the audience joins
    :param posts: keyword arguments of the post operator, one a post
    :param report: the report request; None: there is none
    :param timezone: name of the time zone that its times were written in
    """

    name: str
    listings: list[str]
    plan: str | None
    branch: str | None
    agent: str | None
    starts: str | None
    ends: str | None
    budget: float | None
    integration: str | None
    audience: str | None
    segments: list[str]
    posts: list[dict[str, str]]
    report: dict[str, Any] | None
    timezone: str = "UTC"


def read_brief(path: str | PathLike[str] | ObjectStoragePath, launch: datetime) -> Brief:
    """Read and check a brief, all of it.

    :param path: the YAML file, local or anything ``ObjectStoragePath`` opens; the audience file is looked for beside it
    :param launch: the moment of the launch, from which ``+2d`` and the like are counted, and before which nothing can
        be planned. It must not change between retries of a run
    :raises PlanError: a ``ValidationError`` that tells all problems: file, line, column, field, what stands there, what
        to do
    """
    source = checked_path("brief", path)
    return read_document(source, "brief", lambda part: _brief(part, source, launch))


def _brief(part: Part, source: ObjectStoragePath, launch: datetime) -> Brief:
    zone_ = _zone_of(part)

    named = part.named()
    campaign = not named.isdisjoint({*CAMPAIGN, *CAMPAIGN_TOO}) or named.isdisjoint(STEPS)

    def when(part: Part) -> str:
        return str(validation.moment(part.name, part.read(lambda text: future_moment(text, launch, zone_))))

    read = part.fields(
        {
            "campaign": _short_text,
            "timezone": lambda part: part.read(zone),
            "listings": _listings,
            "plan": _short_text,
            "branch": _short_text,
            "agent": _short_text,
            "starts": when,
            "ends": lambda part: (part, when(part)),
            "budget": lambda part: part.read(budget),
            "sync": _short_text,
            "audience": lambda part: _audience(part, source),
            "posts": lambda part: _posts(part, when),
            "report": _report,
        },
        optional=("timezone", *CAMPAIGN_TOO, *STEPS, *(() if campaign else CAMPAIGN)),
    )
    if "starts" in read and "ends" in read and read["ends"][1] <= read["starts"]:
        read["ends"][0].note(f"is not after the start ({read['ends'][1]} against {read['starts']}); move one of them")
    if part.problems:
        raise RefusedError
    return Brief(
        name=read["campaign"],
        listings=read.get("listings", []),
        plan=read.get("plan"),
        branch=read.get("branch"),
        agent=read.get("agent"),
        starts=read.get("starts"),
        ends=read["ends"][1] if "ends" in read else None,
        budget=read.get("budget"),
        integration=read.get("sync"),
        audience=read["audience"]["file"] if "audience" in read else None,
        segments=read["audience"]["segments"] if "audience" in read else [],
        posts=read.get("posts", []),
        report=read.get("report"),
        timezone=getattr(zone_, "key", "UTC"),
    )


def _zone_of(brief: Part) -> tzinfo:
    """Return the time zone of all times, wherever in the brief it stands; UTC if it is wrong, which is told later."""
    named = [value for key, value in brief.pairs() if key == "timezone"]
    try:
        return zone(named[0].strip()) if named else timezone.utc
    except ValueError:
        return timezone.utc


def _short_text(part: Part) -> str:
    text = part.text()
    if len(text) > MAX_TEXT:
        part.refuse(f"has {len(text):,} characters; at most {MAX_TEXT} are allowed. Shorten it")
    return text


def _different() -> Callable[[Part], str]:
    """Return the reader of a list's entries, of which none may come twice."""
    seen: set[str] = set()

    def read(item: Part) -> str:
        text = _short_text(item)
        if text in seen:
            item.refuse(f"{text} is named twice; remove one")
        seen.add(text)
        return text

    return read


def _listings(part: Part) -> list[str]:
    found = part.items(_different())
    if len(found) > flow_living.MAX_LISTINGS:
        part.refuse(f"names {len(found)} listings; at most {flow_living.MAX_LISTINGS} go into one campaign")
    return found


def _audience(part: Part, brief: ObjectStoragePath) -> dict[str, Any]:
    found = part.fields(
        {"file": lambda file: _audience_file(file, brief), "segments": lambda segments: segments.items(_different())}
    )
    if len(found) < 2:
        raise RefusedError
    return found


def _audience_file(part: Part, brief: ObjectStoragePath) -> str:
    """Return the path of the audience: a file beside the brief, or one on storage that Airflow has been set up for."""
    text = part.text()
    if "://" in text:
        return _stored(part, text)
    if text.startswith(("/", "~", "\\")) or ".." in re.split(r"[/\\]", text) or "\0" in text:
        part.refuse(
            f"{text!r} is not beside the brief; put the file there and write its name, or name s3://… and so on"
        )
    try:
        beside = brief.parent / text
    except ValueError:
        # It reads like an address of another kind of storage, such as "data:…".
        part.refuse(f"{text!r} is no file name; put the file beside the brief and write its name")
    if beside.protocol in LOCAL:
        local = Path(beside.path)
        try:
            check_regular("it", local)
            check_link("it", local, Path(brief.parent.path))
        except ValidationError as error:
            part.refuse(str(error))
        if not local.is_file():
            part.refuse(f"there is no file {text!r} beside the brief")
        _check_header(part, str(local))
        return str(local)
    return str(beside)


def _check_header(part: Part, path: str) -> None:
    """Refuse an audience file whose first lines show that it cannot be read."""
    try:
        next(read_audience(path), None)
    except ValidationError as error:
        part.refuse(f"cannot be used: {error}")


def _stored(part: Part, text: str) -> str:
    scheme = text.partition("://")[0].lower()
    if not URL.match(text) or "::" in text or scheme in LOCAL:
        part.refuse(
            f"{text!r} is not a place on configured storage; put the file beside the brief, or name s3://… and so on"
        )
    try:
        checked_path("it", text)
    except ValidationError as error:
        part.refuse(str(error))
    return text


def _posts(part: Part, when: Callable[[Part], str]) -> list[dict[str, str]]:
    first: dict[tuple[str, ...], str] = {}

    def read(item: Part) -> dict[str, str]:
        found = item.fields({"channel": _short_text, "at": when, "text": _content})
        if len(found) < 3:
            raise RefusedError
        same = first.setdefault((found["channel"], found["at"], found["text"]), item.name)
        if same != item.name:
            item.refuse(f"it repeats {same}: same time, channel and text; remove one")
        return {"channel_id": found["channel"], "content": found["text"], "scheduled_for": found["at"]}

    return part.items(read)


def _content(part: Part) -> str:
    text = part.text()
    if len(text) > flow_social.MAX_CONTENT:
        part.refuse(f"has {len(text):,} characters; at most {flow_social.MAX_CONTENT:,} are allowed. Shorten it")
    return text


def _report(part: Part) -> dict[str, Any]:
    names: Sequence[str] = ("name", "campaign_id", "from", "to")
    found = part.fields(
        {
            "type": _short_text,
            "name": _short_text,
            "campaign_id": _short_text,
            "from": lambda day: (day, day.read(_day)),
            "to": lambda day: (day, day.read(_day)),
        },
        optional=tuple(names),
    )
    days: dict[str, str] = {name: found[name][1] for name in ("from", "to") if name in found}
    if len(days) == 2 and _before(days["to"], days["from"]):
        found["to"][0].note(f"is before the first day ({days['to']} against {days['from']}); swap them")
    return {**found, **days}


def _before(one: str, other: str) -> bool:
    """Say whether a day or time is before another. Of a day and a time, or two days, the days are compared."""
    if DAY.fullmatch(one) or DAY.fullmatch(other):
        return one[:10] < other[:10]
    return validation.parsed("it", one) < validation.parsed("it", other)


def _day(text: str) -> str:
    """Return a day, or a date and time, as it is written.

    :raises ValueError: when it is neither
    """
    problem = f"{text!r} is not a day; write one like 2026-06-08"
    if DAY.match(text) is None:
        raise ValueError(problem)
    try:
        validation.parsed("it", text)
    except ValidationError:
        raise ValueError(problem) from None
    return text
