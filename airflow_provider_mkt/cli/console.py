# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the command line prints of data: as text, never as markup or as orders to the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def printable(text: str) -> str:
    """Return ``text`` with characters that act on a terminal, or reorder what it shows, written as escapes."""
    return "".join(each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in text)


def print_rows(rows: Iterable[Mapping[str, Any]], output: str) -> None:
    """Print a row each in Airflow's formats: ``table``, ``json``, ``yaml`` or ``plain``."""
    from airflow.cli.simple_table import AirflowConsole

    AirflowConsole().print_as(data=[_cleaned(row, output == "table") for row in rows], output=output)


def _cleaned(value: Any, markup: bool) -> Any:
    """Return data with its texts made printable, on one line; in cells of tables square brackets would be markup."""
    from rich.markup import escape

    if isinstance(value, Mapping):
        return {name: _cleaned(each, markup) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cleaned(each, markup) for each in value]
    if not isinstance(value, str):
        return value
    text = printable(value).replace("\n", "\\n")
    # A backslash before the end of a cell, or of a text in brackets, would escape what follows.
    return escape(text) if markup else text
