# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt check``: read briefs, calendars and audiences, and say what would be launched when. It asks nobody."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone, tzinfo
from pathlib import PurePath
from typing import Any

from airflow_provider_mkt import clock, validation
from airflow_provider_mkt.cli.console import logged, print_data
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.files.paths import checked_path
from airflow_provider_mkt.hooks.flodesk.audience import subscriber_body
from airflow_provider_mkt.planning import audience
from airflow_provider_mkt.planning.brief import Brief, read_brief
from airflow_provider_mkt.planning.calendar import planned_posts
from airflow_provider_mkt.planning.kinds import AUDIENCE, BRIEF, CALENDAR, kind_of
from airflow_provider_mkt.planning.people import People
from airflow_provider_mkt.planning.problems import PlanError, Problem
from airflow_provider_mkt.planning.times import local, zone
from airflow_provider_mkt.submission.summary import printable
from airflow_provider_mkt.vendors import flow_social

MAX_TOLD = 50
"""Bad lines of an audience that are told; all of them are counted."""
READERS = "airflow_provider_mkt.planning"
"""What they log is part of the answer."""
SHOWN = 60
"""Characters of a post that are shown."""


@dataclass
class Checked:
    """What became of a file.

    :param file: as it was named
    :param kind: brief, calendar or audience; None: nobody can tell
    :param problems: what is wrong with it
    :param launches: what would be launched, in the order of time
    :param notes: what was found out on the way, and what may go wrong later
    """

    file: str
    kind: str | None = None
    problems: list[Problem] = field(default_factory=list)
    launches: list[dict[str, str | None]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, when: datetime | str | None, zone_: tzinfo, what: str) -> None:
        """Note what would be launched; at no certain time, when ``when`` is None."""
        moment = None if when is None else validation.parsed("when", when)
        shown = "after the launch" if moment is None else local(moment, zone_)
        self.launches.append({"when": validation.moment("when", moment), "local": shown, "what": what})

    def as_data(self) -> dict[str, Any]:
        """Return it as JSON."""
        problems = [problem._asdict() for problem in self.problems]
        return {
            "file": self.file,
            "kind": self.kind,
            "ok": not self.problems,
            "problems": problems,
            "launches": self.launches,
            "notes": self.notes,
        }


def check(args: argparse.Namespace) -> None:
    """Print all problems of the files and what they would launch; exit with 1 when there are problems."""
    try:
        launch = validation.parsed("--launch", args.launch) if args.launch else clock.utcnow()
    except ValidationError as error:
        raise SystemExit(str(error)) from None
    found = [checked(file, launch) for file in args.files]
    if args.output in ("json", "yaml"):
        data = [each.as_data() for each in found]
        print_data(data, args.output)
    else:
        print(printable("\n".join(line for each in found for line in _lines(each))))
    if any(each.problems for each in found):
        raise SystemExit(1)


def checked(file: str, launch: datetime) -> Checked:
    """Read one file.

    :param file: a path or URL
    :param launch: the moment of the launch
    """
    result = Checked(file)
    with logged(READERS, result.notes):
        try:
            result.kind = kind_of(file)
            {BRIEF: _check_brief, CALENDAR: _check_calendar, AUDIENCE: _check_audience}[result.kind](result, launch)
        except PlanError as error:
            result.problems += error.problems
        except ValidationError as error:
            # The message may begin with the path or the name, as this one does.
            told = str(error).removeprefix(f"{file}: ").removeprefix(f"{PurePath(file).name}: ")
            result.problems.append(Problem(file, told))
    # The first lines of a table are read twice.
    result.notes[:] = dict.fromkeys(result.notes)
    result.launches.sort(key=lambda each: each["when"] or "9999")
    return result


def _check_calendar(result: Checked, launch: datetime) -> None:
    for planned in planned_posts(result.file, launch):
        _add_post(result, planned.post, planned.zone, f"line {planned.line}")


def _add_post(result: Checked, post: dict[str, str], zone_: tzinfo, place: str) -> None:
    text = " ".join(post["content"].split())
    shown = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
    result.add(post["scheduled_for"], zone_, f"{place}: post to {post['channel_id']}: {shown}")
    for network, most in flow_social.NETWORK_LENGTHS.items():
        if len(post["content"]) > most:
            result.notes.append(
                f"{place}: the text has {len(post['content']):,} characters; {network.capitalize()} takes {most}. "
                f"Shorten it if {post['channel_id']} is there."
            )


def _check_brief(result: Checked, launch: datetime) -> None:
    brief = read_brief(result.file, launch)
    zone_ = zone(brief.timezone)
    if brief.integration is not None:
        result.add(launch, zone_, f"sync {brief.integration}")
    if brief.audience is not None:
        people = _number(_people(result, brief.audience))
        name = checked_path("audience", brief.audience).name
        result.add(launch, zone_, f"{people} of {name} join {', '.join(brief.segments)}")
    if brief.listings:
        result.add(brief.starts, zone_, _campaign(brief))
        result.add(brief.ends, zone_, f"campaign {brief.name!r} ends")
    for number, post in enumerate(brief.posts, start=1):
        _add_post(result, post, zone_, f"post {number}")
    if brief.report is not None:
        result.add(None, zone_, f"report: {brief.report['type']}")


def _campaign(brief: Brief) -> str:
    homes = f"{len(brief.listings)} home{'' if len(brief.listings) == 1 else 's'}"
    budget = "the plan's budget" if brief.budget is None else f"budget {brief.budget:,.2f}"
    return f"campaign {brief.name!r} starts: {homes}, plan {brief.plan}, branch {brief.branch}, {budget}"


def _check_audience(result: Checked, launch: datetime) -> None:
    people = _people(result, result.file)
    if not people and not result.problems:
        result.problems.append(Problem(result.file, "there is nobody in it; add a line for each person."))
    result.add(launch, timezone.utc, _number(people))


def _number(people: int) -> str:
    return "1 person" if people == 1 else f"{people:,} people"


def _people(result: Checked, file: str) -> int:
    """Return how many people of an audience can be sent; note what is wrong with the others, quoting nobody."""
    refused = 0
    with People() as people:
        for place, person in audience.read_audience(file):
            try:
                if isinstance(person, ValidationError):
                    raise person
                people.add(place, subscriber_body(person, place))
            except ValidationError as error:
                refused += 1
                if refused <= MAX_TOLD:
                    result.problems.append(_placed(place, error))
        if refused > MAX_TOLD:
            result.problems.append(Problem(checked_path("audience", file).name, f"… and {refused - MAX_TOLD:,} more."))
        return len(people)


def _placed(place: str, error: ValidationError) -> Problem:
    name, _, line = place.rpartition(", line ")
    return Problem(name, str(error).removeprefix(place).lstrip(":. "), int(line))


def _lines(result: Checked) -> Iterator[str]:
    """Yield what a person reads about a file. Nothing in it moves the cursor of a terminal."""
    if result.problems:
        number = len(result.problems)
        yield f"{result.file}: {number} problem{'' if number == 1 else 's'}"
        yield from (f"  {_plain(str(problem))}" for problem in result.problems)
    else:
        yield f"{result.file}: {result.kind}, no problems"
        width = max((len(str(each["local"])) for each in result.launches), default=0)
        for each in result.launches:
            when = str(each["local"]).ljust(width)
            yield f"  {when}  {_plain(str(each['what']))}"
    yield from (f"  note: {_plain(note)}" for note in result.notes)


def _plain(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)
