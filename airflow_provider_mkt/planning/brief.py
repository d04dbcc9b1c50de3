# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Campaign briefs: one YAML file says what a launch consists of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from airflow_provider_mkt import validation
from airflow_provider_mkt.planning.times import moment, zone
from airflow_provider_mkt.planning.yaml_document import Part, load
from airflow_provider_mkt.vendors import flow_living, flow_social


@dataclass(frozen=True)
class Brief:
    """A launch, checked.

    :param name: what the campaign is called
    :param listings: ids of the listings to advertise
    :param plan: media plan
    :param branch: branch at Flow Living
    :param agent: agent in charge, if named
    :param starts: start of the campaign, ISO 8601 in UTC
    :param ends: end of the campaign, ISO 8601 in UTC
    :param budget: amount instead of the plan's, in the plan's currency
    :param integration: FloKit integration to sync first
    :param audience: path of the audience file
    :param segments: Flodesk segments that the audience joins
    :param posts: keyword arguments of the post operator, one a post
    :param report: the report request
    """

    name: str
    listings: list[str]
    plan: str
    branch: str
    agent: str | None
    starts: str
    ends: str
    budget: float | None
    integration: str
    audience: str
    segments: list[str]
    posts: list[dict[str, str]]
    report: dict[str, Any]


def read_brief(path: str | Path, launch: datetime) -> Brief:
    """Read and check a brief.

    :param path: the YAML file; the audience file is looked for beside it
    :param launch: the moment of the launch, from which ``+2d`` and the like are counted. It must not change between
        retries of a run
    :raises ValidationError: naming file, line, column, field, the problem and the remedy
    """
    path = Path(path)
    brief = load(path).fields(
        required=("campaign", "listings", "plan", "branch", "starts", "ends", "sync", "audience", "posts", "report"),
        optional=("agent", "budget", "timezone"),
    )
    zone_ = brief["timezone"].read(zone) if "timezone" in brief else timezone.utc

    def when(part: Part) -> str:
        return str(validation.moment(part.name, part.read(lambda text: moment(text, launch, zone_))))

    starts, ends = when(brief["starts"]), when(brief["ends"])
    if ends <= starts:
        brief["ends"].refuse(f"is not after the start ({ends} against {starts}); move one of them")
    audience = brief["audience"].fields(required=("file", "segments"))
    return Brief(
        name=brief["campaign"].text(),
        listings=_listings(brief["listings"]),
        plan=brief["plan"].text(),
        branch=brief["branch"].text(),
        agent=brief["agent"].text() if "agent" in brief else None,
        starts=starts,
        ends=ends,
        budget=brief["budget"].read(lambda text: validation.amount("it", text)) if "budget" in brief else None,
        integration=brief["sync"].text(),
        audience=_beside(path, audience["file"]),
        segments=[part.text() for part in audience["segments"].items()],
        posts=[_post(part, when) for part in brief["posts"].items()],
        report=_report(brief["report"]),
    )


def _listings(part: Part) -> list[str]:
    found = [item.text() for item in part.items()]
    if len(found) > flow_living.MAX_LISTINGS:
        part.refuse(f"names {len(found)} listings; at most {flow_living.MAX_LISTINGS} go into one campaign")
    for index, item in enumerate(part.items()):
        if found.index(item.text()) < index:
            item.refuse(f"{item.text()} is named twice; remove one")
    return found


def _beside(path: Path, part: Part) -> str:
    text = part.text()
    if "://" in text:
        return text
    found = path.parent / text
    if not found.is_file():
        part.refuse(f"there is no file {text!r} beside the brief")
    return str(found)


def _post(part: Part, when: Any) -> dict[str, str]:
    fields = part.fields(required=("channel", "at", "text"))
    content = fields["text"].text()
    if len(content) > flow_social.MAX_CONTENT:
        fields["text"].refuse(f"has {len(content):,} characters; at most {flow_social.MAX_CONTENT:,} are allowed")
    return {"channel_id": fields["channel"].text(), "content": content, "scheduled_for": when(fields["at"])}


def _report(part: Part) -> dict[str, Any]:
    part.fields(required=("type",), optional=("name", "campaign_id", "from", "to"))
    report = part.data()
    if not isinstance(report, dict):
        part.refuse("must be a list of 'name: value' lines")
    return {str(name): value if isinstance(value, (int, float)) else str(value) for name, value in report.items()}
