# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Audiences from files (CSV or JSON lines, one person a line) and queries. Messages name places, never the people."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, TextIO, TypeVar
from uuid import UUID

from airflow_provider_mkt import validation
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.files.paths import checked_path

T = TypeVar("T")
log = logging.getLogger(__name__)

OWN_COLUMNS = frozenset({"id", "email", "first_name", "last_name", "optin_ip", "optin_timestamp"})


def read_audience(path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each person of a file with its place, such as ``buyers.csv, line 7``.

    :param path: a local path or a URL that ``ObjectStoragePath`` opens; ``.jsonl`` and ``.ndjson`` are JSON lines,
        everything else is CSV with a header line
    :raises ValidationError: naming file and line, when it cannot be read
    """
    source = checked_path("path", path)
    rows = _json_lines if source.suffix in (".jsonl", ".ndjson") else _csv_lines
    try:
        with source.open("r", encoding="utf-8-sig", newline="") as file:
            yield from rows(source.name, file)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        problem = f"The audience file {path} cannot be opened: {type(error).__name__}."
    except UnicodeDecodeError:
        problem = f"The audience file {path} is not UTF-8; save it as UTF-8."
    else:
        return
    raise ValidationError(problem)


def _csv_lines(name: str, file: TextIO) -> Iterator[tuple[str, dict[str, Any]]]:
    # Without "strict" a quote that is never closed swallows the people behind it.
    reader = csv.DictReader(file, strict=True)
    columns = _readable(name, reader, lambda: reader.fieldnames) or []
    if "email" not in columns and "id" not in columns:
        raise ValidationError(f"{name}, line 1: no column is called 'email'; name the columns in the first line.")
    doubled = sorted({column for column in columns if columns.count(column) > 1})
    if doubled or not all(column.strip() for column in columns):
        problem = f"the column {doubled[0]!r} comes twice" if doubled else "a column has no name"
        raise ValidationError(f"{name}, line 1: {problem}; give each column a name of its own.")
    while (row := _readable(name, reader, lambda: next(reader, None))) is not None:
        place = f"{name}, line {reader.line_num}"
        if None in row:
            raise ValidationError(f"{place}: it has more cells than the header has columns; quote cells with commas.")
        yield place, _person({column: value.strip() for column, value in row.items() if value})


def _person(cells: Mapping[str, str]) -> dict[str, Any]:
    """Return the upsert of a row: other columns than the known ones are custom fields, empty cells are left out."""
    filled = {column: value for column, value in cells.items() if value}
    custom = {column: value for column, value in filled.items() if column not in OWN_COLUMNS}
    own = {column: value for column, value in filled.items() if column in OWN_COLUMNS}
    return {**own, **({"custom_fields": custom} if custom else {})}


def queried_audience(
    rows: Iterable[Mapping[str, Any]],
) -> Iterator[tuple[str, dict[str, Any] | ValidationError]]:
    """Yield each person of a query's result with its place, such as ``row 7 of the query``; or what is wrong with it.

    An ``id`` beside an ``email`` is the database's own, and is left out: sent as Flodesk's, it would name another one.

    :param rows: rows by column; columns as in a CSV file, NULL as an empty cell there
    :raises ValidationError: when no column names people
    """
    for number, row in enumerate(rows, start=1):
        if "email" not in row and "id" not in row:
            raise ValidationError(
                "sql: no column is called 'email'; name one with AS (in quotes where names turn up in capitals)."
            )
        if number == 1 and "email" in row and "id" in row:
            log.info("The column 'id' beside 'email' is not sent: Flodesk's ids are others.")
        place = f"row {number} of the query"
        try:
            person = _queried_person(place, row)
        except ValidationError as error:
            yield place, error
        else:
            yield place, person


def _queried_person(place: str, row: Mapping[str, Any]) -> dict[str, Any]:
    cells = {column: _text(place, column, value).strip() for column, value in row.items()}
    if "email" in cells and cells.pop("id", "") and not cells["email"]:
        raise ValidationError(f"{place}: the column 'email' is empty, and 'id' beside it is not Flodesk's.")
    return _person(cells)


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


def _readable(name: str, reader: csv.DictReader[str], read: Callable[[], T]) -> T:
    try:
        return read()
    except csv.Error as error:
        raise ValidationError(f"{name}, line {reader.line_num + 1}: it is not CSV: {error}.") from None


def _json_lines(name: str, file: TextIO) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(file, start=1):
        if line.strip():
            try:
                person = json.loads(line)
            except (ValueError, RecursionError):
                person = None
            if not isinstance(person, dict):
                raise ValidationError(f"{name}, line {number}: it is not a JSON object.") from None
            yield f"{name}, line {number}", person
