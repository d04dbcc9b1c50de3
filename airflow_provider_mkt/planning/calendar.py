# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Content calendars: a CSV file with one post a line."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timezone, tzinfo
from pathlib import Path

from airflow_provider_mkt import validation
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.planning.times import moment, zone
from airflow_provider_mkt.vendors import flow_social

COLUMNS = ("at", "channel", "text")
OPTIONAL = ("topic", "owner", "timezone")


def read_calendar(path: str | Path, launch: datetime) -> list[dict[str, str]]:
    """Read and check a calendar.

    :param path: the CSV file: columns ``at``, ``channel``, ``text``, and if wanted ``timezone`` and, for people,
        ``topic`` and ``owner``
    :param launch: the moment from which ``+2d 09:00`` and the like are counted. It must not change between retries
    :return: keyword arguments of the post operator, one a post, in the order of the file
    :raises ValidationError: naming file, line, column, the problem and the remedy
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ValidationError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        problem = f"{path}: cannot be read ({type(error).__name__}); save it as UTF-8 text"
        raise ValidationError(problem) from None
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        _check_header(path.name, list(reader.fieldnames or []))
        posts = [_post(path.name, reader.line_num, row, launch) for row in reader]
    except csv.Error as error:
        problem = f"{path.name}, line {reader.line_num}: this is not CSV: {error}"
        raise ValidationError(problem) from None
    if not posts:
        raise ValidationError(f"{path.name}, line 2: the calendar holds no posts; add a line for each.")
    return posts


def _check_header(name: str, columns: list[str]) -> None:
    for column in COLUMNS:
        if column not in columns:
            raise ValidationError(f"{name}, line 1: the column {column!r} is missing; add it to the header.")
    unknown = [column for column in columns if column not in COLUMNS + OPTIONAL]
    if unknown:
        raise ValidationError(
            f"{name}, line 1: unknown columns {', '.join(unknown)}; known are {', '.join(COLUMNS + OPTIONAL)}."
        )


def _post(name: str, line: int, row: dict[str, str], launch: datetime) -> dict[str, str]:
    place = f"{name}, line {line}"
    if None in row or None in row.values():
        raise ValidationError(f"{place}: it has not as many cells as the header; put texts with commas into quotes.")
    column = ""
    try:
        for column in COLUMNS:
            if not row[column].strip():
                raise ValueError("is empty; fill it in")
        column = "timezone"
        zone_: tzinfo = zone(row["timezone"].strip()) if (row.get("timezone") or "").strip() else timezone.utc
        column = "at"
        when = validation.moment("at", moment(row["at"], launch, zone_))
        column = "text"
        content = validation.text("it", row["text"].strip(), longest=flow_social.MAX_CONTENT)
    except ValueError as error:
        problem = f"{place}, column {column!r}: {error}"
        raise ValidationError(problem) from None
    return {"channel_id": row["channel"].strip(), "content": content, "scheduled_for": str(when)}
