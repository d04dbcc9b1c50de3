# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Which kind a file of marketing people is: a brief, a calendar or an audience."""

from __future__ import annotations

from airflow_provider_mkt.files.paths import checked_path
from airflow_provider_mkt.files.reading import text_lines
from airflow_provider_mkt.planning import audience, calendar
from airflow_provider_mkt.planning.csv_table import Columns, CsvTable
from airflow_provider_mkt.planning.problems import PlanError, Problem

BRIEF, CALENDAR, AUDIENCE = "brief", "calendar", "audience"


def kind_of(file: str) -> str:
    """Return what kind of file it is, by its name and its first lines: :data:`BRIEF`, :data:`CALENDAR`, …

    :param file: a path or URL
    :raises ValidationError: when it is none of them, or cannot be read
    """
    source = checked_path("file", file)
    name = source.name.lower().removesuffix(".gz")
    if name.endswith((".yaml", ".yml")):
        return BRIEF
    if name.endswith(audience.JSON_LINES):
        return AUDIENCE
    with text_lines("file", source, most=audience.MAX_BYTES) as lines:
        table = CsvTable(source.name, lines, Columns(known=(*calendar.TABLE.known, *audience.TABLE.known), others=True))
        header = table.header
    if "email" in header and not set(calendar.COLUMNS) <= set(header):
        # Custom fields of people may have the names of a calendar's columns.
        return AUDIENCE
    scores = {CALENDAR: _score(calendar.TABLE, header), AUDIENCE: _score(audience.TABLE, header)}
    kind = max(scores, key=lambda each: scores[each])
    if not scores[kind]:
        told = "it is no calendar (columns at, channel, text) and no audience (column email); correct the first line."
        raise PlanError([Problem(source.name, told, table.line)])
    return kind


def _score(columns: Columns, header: list[str]) -> int:
    return sum(name in columns.known or columns.meant(name, ()) is not None for name in header if name)
