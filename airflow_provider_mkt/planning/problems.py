# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What is wrong with a file that people wrote: every problem with its place, all of them told at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from airflow_provider_mkt.exceptions import ValidationError

MAX_TOLD = 50
"""Problems that a message names."""


class Problem(NamedTuple):
    """One mistake.

    :param file: name of the file
    :param text: what stands there, and what to do
    :param line: line, from 1; None: the file as a whole
    :param column: column in that line, from 1, or the name of a table's column
    """

    file: str
    text: str
    line: int | None = None
    column: int | str | None = None

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}, line {self.line}"
        if self.column is not None:
            where += f", column {self.column!r}" if isinstance(self.column, str) else f", column {self.column}"
        return f"{where}: {self.text}"


class PlanError(ValidationError):
    """A file that people wrote cannot be used. The message tells all its problems, one a line.

    :param problems: what is wrong, in the order of the file
    """

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        # An exception that travels between processes is made again from its message.
        self.problems: tuple[Problem, ...] = () if isinstance(problems, str) else tuple(problems)
        super().__init__(problems if isinstance(problems, str) else _told(self.problems))


def _told(problems: Sequence[Problem]) -> str:
    lines = [str(problem) for problem in problems[:MAX_TOLD]]
    if len(problems) > 1:
        lines.insert(0, f"{problems[0].file} has {len(problems):,} problems. Correct all of them:")
    if len(problems) > MAX_TOLD:
        lines.append(f"… and {len(problems) - MAX_TOLD:,} more.")
    return "\n".join(lines)


def refuse(problems: Sequence[Problem]) -> None:
    """Raise :class:`PlanError` if there are problems.

    :param problems: in any order; they are told in the order of the file
    """
    if problems:
        raise PlanError(sorted(problems, key=_place))


def _place(problem: Problem) -> tuple[int, int]:
    return problem.line or 0, problem.column if isinstance(problem.column, int) else 0
