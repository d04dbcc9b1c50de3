# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Tables as Excel, Google Sheets and others write them as CSV: one reader for calendars and audiences."""

from __future__ import annotations

import csv
import difflib
import logging
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from airflow_provider_mkt.planning.problems import PlanError, Problem

log = logging.getLogger(__name__)

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
SEPARATOR_LINE = re.compile(r'"?sep=([^\s"]|\t)"?\s*', re.IGNORECASE)
"""What Excel takes, in a first line, for the separator of the others."""
ODD_BLANK = re.compile(r'[^\S \r\n](?= *")')
"""Before a quote, what :mod:`csv` takes for text: a tab, a no-break blank and the like."""
ALIKE = 0.75
"""How much a column's name has to be like a known one, from 0 to 1, to be taken for a mistyped one."""

ALIKE_HINT = 0.92
"""The same for what people call a column instead, which are common words."""
MAX_COLUMNS = 1_000
"""Columns of a table. Each is compared with those that are known, and with all others."""
MAX_SHORT = 3
"""Letters of a name that is too short to be mistyped."""


class Record(NamedTuple):
    """One row of a table.

    :param line: its first line
    :param cells: text by column, without blanks around it; a missing cell is empty
    """

    line: int
    cells: dict[str, str]


@dataclass(frozen=True)
class Columns:
    """The columns that a table may have.

    :param known: their names
    :param required: those that have to be there
    :param others: other columns are welcome, by the names that they have
    :param hints: what people call a column instead, in small letters with ``_`` for blanks
    """

    known: tuple[str, ...]
    required: tuple[str, ...] = ()
    others: bool = False
    hints: Mapping[str, str] = field(default_factory=dict)

    def named(self, name: str) -> str:
        """Return the column that a header's cell means: capitals, blanks and hyphens do not matter in known ones."""
        plain = normal(name)
        return plain if plain in self.known else name

    def meant(self, name: str, taken: Collection[str]) -> str | None:
        """Return the known column that an unknown name probably stands for, unless that is there as well."""
        plain = normal(name)
        if plain in self.hints:
            near = [self.hints[plain]]
        else:
            # Where any column is welcome, a short name is too like many others.
            known = [name for name in self.known if len(name) > MAX_SHORT or not self.others]
            near = difflib.get_close_matches(plain, known, 1, ALIKE)
            near += [self.hints[each] for each in difflib.get_close_matches(plain, list(self.hints), 1, ALIKE_HINT)]
        return next((column for column in near if column not in taken), None)


def normal(name: str) -> str:
    """Return a column's name in small letters, with ``_`` for blanks and hyphens."""
    return re.sub(r"[\s_-]+", "_", name.strip().lower())


class CsvTable:
    """The records of a CSV file. Iterating yields each as a :class:`Record`, or what is wrong with it.

    :param name: name of the file
    :param lines: its lines
    :param columns: what it may have

    ``line`` is that of the header, ``problems`` are what is wrong with it. ``broken`` tells, after a :class:`Problem`,
    that it may have swallowed records behind it.

    :raises PlanError: when there is no header, or none that can be read
    """

    def __init__(self, name: str, lines: Iterator[str], columns: Columns) -> None:
        self.name = name
        self.broken = False
        self.problems: list[Problem] = []
        self._lines = _Counted(lines)
        first = self._first()
        self._separator = self._found_separator(first, columns)
        self._reader = csv.reader(self._lines, delimiter=self._separator, strict=True, skipinitialspace=True)
        self._header, self.line = self._read_header(columns)

    @property
    def header(self) -> list[str]:
        """The columns' names: known ones as they are known, others as they stand there, empty where there is none."""
        return self._header

    def __iter__(self) -> Iterator[Record | Problem]:
        while True:
            line = self._lines.taken + 1
            try:
                cells = self._next()
            except StopIteration:
                return
            except csv.Error as error:
                self.broken = self._lines.taken > line or not str(error).endswith("expected after '\"'")
                yield self._unreadable(line, error)
                continue
            if any(cell.strip() for cell in cells):
                yield self._record(line, [cell.strip() for cell in cells])

    def _next(self) -> list[str]:
        line = self._lines.taken + 1
        self._lines.cleaned = self._without_odd_blanks
        try:
            return next(self._reader)
        except csv.Error:
            if self._lines.taken == line and (cells := self._without_blanks_behind_quotes(self._lines.last)):
                return cells
            raise

    def _without_odd_blanks(self, line: str) -> str:
        """Return the first line of a record without tabs, no-break blanks and the like before quotes."""
        if not ODD_BLANK.search(line):
            return line
        separator = re.escape(self._separator)
        # Quoted cells are matched as well, so that what is inside of them stays.
        pieces = rf'(?P<start>^|{separator})(?:(?!{separator})[^\S\r\n])+(?=")|"(?:[^"]|"")*"'
        return re.sub(pieces, lambda found: found[0] if found["start"] is None else found["start"], line)

    def _without_blanks_behind_quotes(self, line: str) -> list[str] | None:
        """Return the cells of a line that is CSV but for blanks between closing quotes and separators."""
        separator = re.escape(self._separator)
        # Quoted cells without such blanks are matched as well: otherwise their inside would be looked at.
        quoted = rf'((?:^|{separator}) *"(?:[^"]|"")*") *(?={separator}|[\r\n]*$)'
        closed = re.sub(quoted, r"\1", line)
        try:
            return next(csv.reader([closed], delimiter=self._separator, strict=True, skipinitialspace=True))
        except csv.Error:
            return None

    def _first(self) -> str:
        """Return the first line that says something, which is read again, and obey a ``sep=`` before it."""
        for line in self._lines:
            if line.strip(f"{''.join(SEPARATORS)} \r\n"):
                if (found := SEPARATOR_LINE.fullmatch(line)) and self._lines.taken == 1:
                    self._lines.separator = found[1]
                    continue
                self._lines.again(line)
                return line
        return ""

    def _found_separator(self, first: str, columns: Columns) -> str:
        def score(separator: str) -> tuple[int, int]:
            names = next(csv.reader([first], delimiter=separator, skipinitialspace=True), [])
            return sum(columns.named(name) in columns.known for name in names), len(names)

        given = self._lines.separator
        try:
            found = given or max(SEPARATORS, key=score)
        except csv.Error:
            found = ","
        if found != ",":
            log.info("%s: cells are separated by %s.", self.name, SEPARATORS.get(found, repr(found)))
        return found

    def _read_header(self, columns: Columns) -> tuple[list[str], int]:
        line = self._lines.taken + 1
        try:
            names = [cell.strip() for cell in self._next()]
        except csv.Error as error:
            raise PlanError([self._unreadable(line, error)]) from None
        except StopIteration:
            told = "the file is empty; name the columns in the first line."
            raise PlanError([Problem(self.name, told, 1)]) from None
        if len(names) > MAX_COLUMNS:
            told = (
                f"it has {len(names):,} columns; at most {MAX_COLUMNS:,} are allowed. Remove those that are not needed."
            )
            raise PlanError([Problem(self.name, told, line)])
        header = [columns.named(name) for name in names]
        for column in (name for name, times in Counter(header).items() if name and times > 1):
            self._wrong(line, f"the column {_short(column)} comes twice; give each column a name of its own.")
        hinted: set[str] = set()
        unknown = [name for name in header if name and name not in columns.known]
        for name in unknown:
            if meant := columns.meant(name, {*header, *hinted}):
                hinted.add(meant)
                self._wrong(line, f"there is a column {_short(name)}; did you mean {meant!r}? Rename it.")
            elif not columns.others:
                known = ", ".join(columns.known)
                self._wrong(line, f"unknown column {_short(name)}; known are {known}. Rename or remove it.")
        for column in columns.required:
            if column not in header and column not in hinted:
                self._wrong(line, f"the column {column!r} is missing; add it to the header.")
        return header, line

    def _record(self, line: int, cells: list[str]) -> Record | Problem:
        if len(cells) == len(self._header) and "" not in self._header:
            return Record(line, dict(zip(self._header, cells, strict=True)))
        for place, cell in enumerate(cells):
            if cell and place >= len(self._header):
                return Problem(
                    self.name,
                    f"it has more cells than the header has columns ({len(cells)} against {len(self._header)}); put "
                    f"texts with {SEPARATORS.get(self._separator, repr(self._separator))} into quotes.",
                    line,
                )
            if cell and not self._header[place]:
                return Problem(
                    self.name, f"cell {place + 1} is filled, but its column has no name; name it in the header.", line
                )
        filled = [*cells, *[""] * (len(self._header) - len(cells))]
        return Record(line, {column: cell for column, cell in zip(self._header, filled, strict=False) if column})

    def _wrong(self, line: int, text: str) -> None:
        self.problems.append(Problem(self.name, text, line))

    def _unreadable(self, line: int, error: csv.Error) -> Problem:
        if "limit" in str(error):
            what = f'a cell has more than {csv.field_size_limit():,} characters; is a quote (") never closed?'
        elif "end of data" in str(error):
            what = 'a quote (") that begins here is never closed; close it.'
        else:
            what = 'something follows a closing quote ("); write a quote inside a quoted text twice: ""'
        return Problem(self.name, f"it is not CSV: {what}", line)


def _short(name: str) -> str:
    return repr(name if len(name) <= 40 else name[:39] + "…")


class _Counted:
    """Lines, counted as they are taken."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._waiting: list[str] = []
        self.taken = 0
        self.last = ""
        self.separator: str | None = None
        self.cleaned: Callable[[str], str] | None = None
        """What the next line goes through."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._waiting.pop() if self._waiting else next(self._lines)
        if self.cleaned is not None:
            line, self.cleaned = self.cleaned(line), None
        self.last = line
        self.taken += 1
        return self.last

    def again(self, line: str) -> None:
        """Give the line back that was taken last."""
        self._waiting.append(line)
        self.taken -= 1
