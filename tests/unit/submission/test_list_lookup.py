# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Rows of a vendor's list that differ from ours in nothing but the name: may it be ours, shortened or cleaned?"""

from __future__ import annotations

import pytest

from airflow_provider_mkt.submission.list_lookup import is_of_another_index
from airflow_provider_mkt.submission.record import Record

OURS = "production/spring/manual__2026/report/12"
OTHERS = "production/spring/manual__2026/report/"


@pytest.mark.parametrize(
    ("name", "others", "certain"),
    [
        (f"{OTHERS}3", [], True),
        (f"{OTHERS}120", [], True),
        (f"{OTHERS}21", [], True),
        # Ours, cut off after so many characters; unless there are longer names.
        (f"{OTHERS}1", [], False),
        (f"{OTHERS}1", [f"{OTHERS}37"], True),
        (f"{OTHERS}1", [f"{OTHERS}2", None], False),
        # Ours itself, cleaned, cut, or renamed: everything that is no other index.
        (OURS, [], False),
        (OTHERS, [], False),
        (f"{OTHERS}publish", [], False),
        (f"{OTHERS}1²", [], False),
        ("production-spring-manual__2026-report-3", [], False),
        ("production/spring/manual__2027/report/3", [], False),
        ("Report 3", [], False),
        ("3", [], False),
        (None, [], False),
        (7, [], False),
    ],
)
def test_of_another_index(name: object, others: list[str | None], certain: bool) -> None:
    record = Record("key", 1, "intent", "f", {}, OURS, "report_id", 1_000.0, 0)
    row = {"id": "re_1", "name": name}
    rows = [row, *({"id": "re_2", "name": each} for each in others)]
    assert is_of_another_index(row, record, rows) is certain


def test_a_task_that_is_not_mapped_has_no_other_index() -> None:
    record = Record("key", 1, "intent", "f", {}, "production/spring/manual__2026/report", "report_id", 1_000.0, 0)
    row = {"id": "re_1", "name": "production/spring/manual__2026/3"}
    assert not is_of_another_index(row, record, [row])
