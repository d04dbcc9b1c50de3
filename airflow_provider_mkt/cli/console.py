# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the command line prints of data: as text, never as markup or as orders to the terminal."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from airflow_provider_mkt.submission.summary import printable

MAX_WIDTH = 100
"""Columns of a table: what fits a terminal, a log and an e-mail."""


@contextmanager
def one_line() -> Iterator[None]:
    """End the command with one line in place of a traceback when Airflow, the store or a vendor refuses."""
    from airflow.sdk.exceptions import AirflowException

    from airflow_provider_mkt.cli.airflow_api import AirflowApiError
    from airflow_provider_mkt.state.errors import StoreError

    try:
        yield
    except (AirflowApiError, AirflowException, StoreError) as error:
        raise SystemExit(str(error)) from None


@contextmanager
def logged(room: str, notes: list[str], level: int = logging.INFO) -> Iterator[None]:
    """Collect what a room of the package logs; on the screen it would be in the middle of the answer.

    :param room: its full name
    :param notes: takes the messages
    :param level: from which on they are collected
    """
    logger = logging.getLogger(room)
    handler = logging.Handler(level)
    handler.emit = lambda record: notes.append(record.getMessage())  # type: ignore[method-assign]
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]


def print_rows(
    rows: Iterable[Mapping[str, Any]], output: str, table: Sequence[Mapping[str, Any]] | None = None
) -> None:
    """Print rows: ``table`` for people, ``plain`` for grep and awk, ``json`` and ``yaml`` with the types of the data.

    :param rows: all of what there is to tell; ``plain`` shows a line each
    :param output: the format
    :param table: the rows as a table shows them, where that differs; a text may have several lines
    """
    found = [_cleaned(row) for row in rows]
    if output in ("json", "yaml"):
        print_data(found, output)
    elif output == "plain":
        _print_plain(found)
    else:
        _print_table([dict(row) for row in table] if table is not None else found)


def print_record(record: Mapping[str, Any], output: str) -> None:
    """Print one thing: a line for each of its fields, or as ``json`` or ``yaml``."""
    cleaned = _cleaned(record)
    if output in ("json", "yaml"):
        print_data(cleaned, output)
        return
    width = max(map(len, cleaned), default=0)
    for name, value in cleaned.items():
        first, *others = _lines(value)
        print(f"{name:<{width}}  {first}".rstrip())
        print("".join(f"{'':<{width}}  {each}\n" for each in others), end="")


def _lines(value: Any) -> list[str]:
    if not isinstance(value, (Mapping, list)) or not value:
        return ["-" if value in (None, "", [], {}) else str(value)]
    import yaml

    # Blocks, as a person would write them.
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=False, width=MAX_WIDTH)
    return text.rstrip("\n").split("\n")


def print_data(data: Any, output: str) -> None:
    """Print data for programs. What they print of it moves no cursor.

    :param data: what JSON can hold
    :param output: ``json`` or ``yaml``
    """
    data = _cleaned(data)
    if output == "json":
        print(json.dumps(data, indent=2, ensure_ascii=False))
        return
    import yaml

    print(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), end="")


def _print_plain(rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        print("No data found")
        return
    cells = [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    from airflow.cli.simple_table import SimpleTable
    from rich.console import Console
    from rich.text import Text

    if not rows:
        print("No data found")
        return
    made = SimpleTable(show_header=True)
    for name in rows[0]:
        made.add_column(name, overflow="fold")
    for row in rows:
        # Text is no markup, whatever brackets are in it.
        made.add_row(*(Text(printable(_cell(value))) for value in row.values()))
    Console(width=min(shutil.get_terminal_size((MAX_WIDTH, 24)).columns, MAX_WIDTH), color_system=None).print(made)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(_cell, value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping) else str(value)


def _cleaned(value: Any) -> Any:
    """Return data with its texts made printable, on one line."""
    if isinstance(value, Mapping):
        return {_cleaned(name): _cleaned(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cleaned(each) for each in value]
    return printable(value).replace("\n", "\\n") if isinstance(value, str) else value
