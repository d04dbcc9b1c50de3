# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Audiences from files (CSV or JSON lines, one person a line) and queries. Messages name places, never the people."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from os import PathLike
from typing import TYPE_CHECKING, Any
from uuid import UUID

from airflow_provider_mkt import validation
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.files.paths import checked_path
from airflow_provider_mkt.files.reading import text_lines
from airflow_provider_mkt.planning.csv_table import Columns, CsvTable
from airflow_provider_mkt.planning.problems import PlanError, Problem, refuse

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

Placed = tuple[str, "dict[str, Any] | ValidationError"]
"""A place, such as ``buyers.csv, line 7``, and the person who is named there, or what is wrong with that line."""

log = logging.getLogger(__name__)

OWN_COLUMNS = ("id", "email", "first_name", "last_name", "optin_ip", "optin_timestamp")
EXPORTED = frozenset({"created_at", "segments", "source", "status"})
"""What an export of Flodesk's subscribers tells beside what can be sent to it."""
TABLE = Columns(
    known=OWN_COLUMNS,
    others=True,
    hints={
        **dict.fromkeys(("email_address", "e_mail", "e_mail_address", "mail", "subscriber_email"), "email"),
        **dict.fromkeys(("firstname", "given_name", "forename"), "first_name"),
        **dict.fromkeys(("lastname", "surname", "family_name"), "last_name"),
        **dict.fromkeys(("optin_time", "opt_in_time", "opt_in_timestamp"), "optin_timestamp"),
    },
)
JSON_LINES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
MAX_BYTES = 4 * 1024**3
"""Size of an audience file, compressed and uncompressed: some 40 million people."""


def read_audience(path: str | PathLike[str] | ObjectStoragePath) -> Iterator[Placed]:
    """Yield each person of a file with its place, such as ``buyers.csv, line 7``; or what is wrong with that line.

    An ``id`` beside an ``email`` is that of another system, and is left out: sent as Flodesk's, it would name another
    one. What an export of Flodesk's subscribers tells beside (status, source, segments, time) is left out, too.

    :param path: a local path or a URL that ``ObjectStoragePath`` opens; ``.jsonl`` and ``.ndjson`` are JSON lines,
        everything else is CSV with a header line; either may be compressed with gzip
    :raises ValidationError: naming file and line, when the file as a whole cannot be read
    """
    source = checked_path("path", path)
    rows = _json_lines if source.name.endswith(JSON_LINES) else _csv_lines
    with text_lines("path", source, most=MAX_BYTES) as lines:
        yield from rows(source.name, lines)


def _csv_lines(name: str, lines: Iterator[str]) -> Iterator[Placed]:
    table = CsvTable(name, lines, TABLE)
    has_email = "email" in table.header
    if not has_email and "id" not in table.header and not table.problems:
        told = "no column is called 'email'; name the columns in the first line."
        table.problems.append(Problem(name, told, table.line))
    refuse(table.problems)
    if has_email and "id" in table.header:
        _say_once_that_ids_stay(name)
    for row in table:
        if isinstance(row, Problem):
            if table.broken:
                raise PlanError([row])
            yield f"{name}, line {row.line}", PlanError([row])
        else:
            place = f"{name}, line {row.line}"
            yield place, _person_or_error(place, row.cells)


def _say_once_that_ids_stay(name: str) -> None:
    log.info("%s: the column 'id' beside 'email' is not sent: Flodesk's ids are others.", name)


def _person_or_error(place: str, cells: Mapping[str, str]) -> dict[str, Any] | ValidationError:
    """Return the upsert of a row: other columns than the known ones are custom fields, empty cells are left out."""
    filled = {column: value for column, value in cells.items() if value}
    if "email" in cells and filled.pop("id", "") and "email" not in filled:
        return ValidationError(f"{place}: the column 'email' is empty, and 'id' beside it is not Flodesk's.")
    custom = {column: value for column, value in filled.items() if column not in OWN_COLUMNS}
    own = {column: value for column, value in filled.items() if column in OWN_COLUMNS}
    return {**own, **({"custom_fields": custom} if custom else {})}


def queried_audience(rows: Iterable[Mapping[str, Any]]) -> Iterator[Placed]:
    """Yield each person of a query's result with its place, such as ``row 7 of the query``; or what is wrong with it.

    :param rows: rows by column; columns as in a CSV file, NULL as an empty cell there
    :raises ValidationError: when no column names people
    """
    for number, row in enumerate(rows, start=1):
        named = {TABLE.named(column): value for column, value in row.items()}
        if len(named) < len(row):
            raise ValidationError("sql: two columns have one name but for capitals; rename one of them with AS.")
        if "email" not in named and "id" not in named:
            raise ValidationError("sql: no column is called 'email'; name one with AS.")
        if number == 1 and "email" in named and "id" in named:
            _say_once_that_ids_stay("sql")
        place = f"row {number} of the query"
        try:
            cells = {column: _text(place, column, value).strip() for column, value in named.items()}
        except ValidationError as error:
            yield place, error
        else:
            yield place, _person_or_error(place, cells)


def _text(place: str, column: str, value: Any) -> str:
    """Return a database's value as text."""
    if value is None or isinstance(value, str):
        return value or ""
    if column == "optin_timestamp":
        return validation.moment(f"{place}, column {column!r}", value) or ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (int, float, Decimal, UUID)):
        return format(value, "f") if isinstance(value, Decimal) else str(value)
    raise ValidationError(
        f"{place}: the column {column!r} holds a {type(value).__name__}; turn it into text in the query."
    )


def _json_lines(name: str, lines: Iterator[str]) -> Iterator[Placed]:
    told = False
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        place = f"{name}, line {number}"
        try:
            person = json.loads(line)
        except (ValueError, RecursionError):
            person = None
        if not isinstance(person, dict):
            yield place, ValidationError(f"{place}: it is not a JSON object; write one person a line.")
            continue
        if person.get("email") and "id" in person and not told:
            told = True
            _say_once_that_ids_stay(name)
        yield place, _sendable(person)


def _sendable(person: dict[str, Any]) -> dict[str, Any]:
    """Return what can be sent of a person, who may come from an export of Flodesk's subscribers."""
    left_out = {"id"} if person.get("email") else set()
    if not EXPORTED & person.keys():
        return {name: value for name, value in person.items() if name not in left_out}
    # An export tells of every field, also of those that have no value.
    kept = {
        name: value for name, value in person.items() if name not in EXPORTED | left_out and value not in (None, "")
    }
    if isinstance(custom := kept.get("custom_fields"), dict):
        kept["custom_fields"] = {name: value for name, value in custom.items() if value is not None}
    return kept
