# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Rows are recognised: within one walk, and from one run to the next."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timezone

import pytest

from airflow_provider_mkt.transfers.seen_rows import Mark, Novelty, Seen, digest_of, seconds_of


def mark(number: int, at: int = 100) -> Mark:
    return Mark(number.to_bytes(12, "big"), at)


def test_new_earlier_again() -> None:
    with closing(Seen([mark(1)])) as seen:
        assert [seen.add(mark(number)) for number in (1, 1, 2, 2)] == [
            Novelty.EARLIER,
            Novelty.AGAIN,
            Novelty.NEW,
            Novelty.AGAIN,
        ]


def test_the_newest_are_remembered() -> None:
    with closing(Seen([mark(1, 5), mark(2, 0)])) as seen:
        for number in range(3, 9):
            seen.add(mark(number, number))
        assert seen.dated(5, 3) == [mark(8, 8), mark(7, 7), mark(6, 6)]
        assert seen.dated(5, 99) == [mark(8, 8), mark(7, 7), mark(6, 6), *sorted([mark(1, 5), mark(5, 5)])]
        assert seen.undated(9) == [mark(2, 0)]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"id": "a", "x": 1}, {"id": "a", "x": 2}, True),
        ({"id": 1}, {"id": "1"}, True),
        ({"id": "a"}, {"id": "b"}, False),
        ({"id": "\ud800"}, {"id": "\ud801"}, False),
        ({"x": 1, "y": 2}, {"y": 2, "x": 1}, True),
        ({"x": 1}, {"x": 2}, False),
        ({"id": None, "x": 1}, {"id": "", "x": 1}, False),
        ({"id": ["a"]}, {"id": ["b"]}, False),
    ],
)
def test_what_a_row_is_recognised_by(one: dict[str, object], other: dict[str, object], same: bool) -> None:
    assert (digest_of(one) == digest_of(other)) is same
    assert len(digest_of(one)) == 12


def test_seconds() -> None:
    assert seconds_of(None) == 0
    assert seconds_of(datetime(1900, 1, 1, tzinfo=timezone.utc)) == 1
    assert seconds_of(datetime(1970, 1, 1, 0, 1, 0, 999_999, tzinfo=timezone.utc)) == 60
    assert seconds_of(datetime(9999, 1, 1, tzinfo=timezone.utc)) == 2**32 - 1
