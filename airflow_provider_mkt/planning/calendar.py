# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Content calendars: a CSV file with one post a line."""

from __future__ import annotations

from datetime import datetime, timezone, tzinfo
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_mkt import validation
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.files.paths import checked_path
from airflow_provider_mkt.files.reading import text_lines
from airflow_provider_mkt.planning.csv_table import Columns, CsvTable, Record
from airflow_provider_mkt.planning.problems import Problem, refuse
from airflow_provider_mkt.planning.times import future_moment, zone
from airflow_provider_mkt.vendors import flow_social

if TYPE_CHECKING:
    from os import PathLike

    from airflow.sdk import ObjectStoragePath

COLUMNS = ("at", "channel", "text")
OPTIONAL = ("topic", "owner", "timezone")
TABLE = Columns(
    known=COLUMNS + OPTIONAL,
    required=COLUMNS,
    hints={
        **dict.fromkeys(("date", "time", "datetime", "date_time", "when", "publish_at", "scheduled_for"), "at"),
        **dict.fromkeys(("channel_id", "network", "account", "profile"), "channel"),
        **dict.fromkeys(("content", "post", "caption", "message", "copy", "body"), "text"),
        **dict.fromkeys(("time_zone", "zone", "tz"), "timezone"),
    },
)
MAX_BYTES = 10 * 1024**2
"""Size of a calendar."""


class PlannedPost(NamedTuple):
    """A line of a calendar.

    :param line: its number
    :param zone: the time zone that its time was written in
    :param post: keyword arguments of the post operator
    """

    line: int
    zone: tzinfo
    post: dict[str, str]


def read_calendar(path: str | PathLike[str] | ObjectStoragePath, launch: datetime) -> list[dict[str, str]]:
    """Read and check a calendar, all of it: one bad line, and no post is returned.

    :param path: the CSV file, local or anything ``ObjectStoragePath`` opens: columns ``at``, ``channel``, ``text``, and
        if wanted ``timezone`` and, for people, ``topic`` and ``owner``
    :param launch: the moment from which ``+2d 09:00`` and the like are counted, and before which nothing can be
        planned. It must not change between retries of a run
    :return: keyword arguments of the post operator, one a post, in the order of the file
    :raises PlanError: a ``ValidationError`` that tells all problems: file, line, column, what stands there, what to do
    """
    return [planned.post for planned in planned_posts(path, launch)]


def planned_posts(path: str | PathLike[str] | ObjectStoragePath, launch: datetime) -> list[PlannedPost]:
    """Read and check a calendar as :func:`read_calendar` does, and return the posts with their places."""
    source = checked_path("calendar", path)
    with text_lines("calendar", source, most=MAX_BYTES) as lines:
        table = CsvTable(source.name, lines, TABLE)
        planned, problems = _read(table, launch)
    problems += _repeated(source.name, planned)
    if not planned and not problems:
        problems.append(Problem(source.name, "the calendar holds no posts; add a line for each.", 2))
    refuse(problems)
    return planned


def _read(table: CsvTable, launch: datetime) -> tuple[list[PlannedPost], list[Problem]]:
    planned: list[PlannedPost] = []
    problems = list(table.problems)
    try:
        for row in table:
            if isinstance(row, Problem):
                problems.append(row)
            else:
                found = _post(table.name, row, launch)
                problems += found if isinstance(found, list) else []
                planned += [] if isinstance(found, list) else [found]
    except ValidationError as error:
        # The rest of the file cannot be read.
        if not problems:
            raise
        problems.append(Problem(table.name, str(error).removeprefix(f"{table.name}, ").removeprefix(table.name + ": ")))
    return planned, problems


def _post(name: str, row: Record, launch: datetime) -> PlannedPost | list[Problem]:
    """Return the post of a row, or all that is wrong with it. A column that is missing is the header's problem."""
    cells, line = row.cells, row.line
    empty = [column for column in COLUMNS if cells.get(column) == ""]
    problems = [Problem(name, "is empty; fill it in", line, column) for column in empty]
    zone_: tzinfo | None = timezone.utc
    when, text = None, cells.get("text") or ""
    try:
        zone_ = zone(cells.get("timezone") or "UTC")
    except ValueError as error:
        zone_ = None
        problems.append(Problem(name, str(error), line, "timezone"))
    if zone_ is not None and cells.get("at"):
        try:
            when = future_moment(cells["at"], launch, zone_)
        except ValueError as error:
            problems.append(Problem(name, str(error), line, "at"))
    if len(text) > flow_social.MAX_CONTENT:
        told = f"it has {len(text):,} characters; at most {flow_social.MAX_CONTENT:,} are allowed. Shorten it."
        problems.append(Problem(name, told, line, "text"))
    channel = cells.get("channel")
    if problems or zone_ is None or when is None or not channel or not text:
        return problems
    scheduled_for = str(validation.moment("at", when))
    return PlannedPost(line, zone_, {"channel_id": channel, "content": text, "scheduled_for": scheduled_for})


def _repeated(name: str, planned: list[PlannedPost]) -> list[Problem]:
    first: dict[tuple[str, ...], int] = {}
    problems = []
    for each in planned:
        line = first.setdefault(tuple(each.post.values()), each.line)
        if line != each.line:
            problems.append(
                Problem(name, f"it repeats line {line}: same time, channel and text; remove one.", each.line)
            )
    return problems
