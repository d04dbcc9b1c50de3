# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Audience files: CSV or JSON lines, one person a line. Messages name places, never the people."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from typing import Any, TextIO, TypeVar

from airflow_provider_mkt.exceptions import ValidationError

T = TypeVar("T")

OWN_COLUMNS = frozenset({"id", "email", "first_name", "last_name", "optin_ip", "optin_timestamp"})


def read_audience(path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each person of a file with its place, such as ``buyers.csv, line 7``.

    :param path: a local path or a URL that ``ObjectStoragePath`` opens; ``.jsonl`` and ``.ndjson`` are JSON lines,
        everything else is CSV with a header line
    :raises ValidationError: naming file and line, when it cannot be read
    """
    from airflow.sdk import ObjectStoragePath  # noqa: PLC0415

    source = ObjectStoragePath(path)
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
        filled = {column: value.strip() for column, value in row.items() if value and value.strip()}
        custom = {column: value for column, value in filled.items() if column not in OWN_COLUMNS}
        own = {column: value for column, value in filled.items() if column in OWN_COLUMNS}
        yield place, {**own, **({"custom_fields": custom} if custom else {})}


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
