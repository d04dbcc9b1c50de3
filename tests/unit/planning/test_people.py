# Licensed under the Apache License, Version 2.0; see LICENSE.
"""People of an audience: once each, in order, whatever their number."""

from __future__ import annotations

import stat
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mkt.planning.people import People


def bodies(people: People, size: int = 50) -> list[list[dict[str, Any]]]:
    return [[person.body for person in batch] for batch in people.batches(size)]


def test_order_batches_and_merging() -> None:
    with People() as people:
        people.add("line 2", {"email": "Ada@example.com", "first_name": "Ada", "custom_fields": {"city": "Cork"}})
        people.add("line 3", {"id": "sub_1"})
        people.add("line 4", {"email": "bo@example.com", "segment_ids": ["b", "a"]})
        people.add("line 5", {"email": "ADA@example.com", "last_name": "K", "custom_fields": {"budget": "5"}})
        people.add("line 6", {"email": "BO@example.com", "segment_ids": ["c", "a"]})
        assert len(people) == 3
        merged = {
            "email": "ADA@example.com",
            "first_name": "Ada",
            "last_name": "K",
            "custom_fields": {"city": "Cork", "budget": "5"},
        }
        bo = {"email": "BO@example.com", "segment_ids": ["b", "a", "c"]}
        assert bodies(people, 2) == [[merged, {"id": "sub_1"}], [bo]]
        assert [person.place for batch in people.batches(9) for person in batch] == ["line 5", "line 3", "line 6"]


def test_text_of_any_kind() -> None:
    odd = {"email": "ada@example.com", "first_name": "Zoë \ud800 \x00 '; DROP"}
    with People() as people:
        people.add("line 2", odd)
        assert bodies(people) == [[odd]]


def test_case_counts_in_ids_and_not_in_addresses() -> None:
    with People() as people:
        for body in ({"id": "aB1"}, {"id": "Ab1"}, {"email": "a@x.co"}, {"email": "A@x.co"}, {"id": "a@x.co"}):
            people.add("line", body)
        assert bodies(people) == [[{"id": "aB1"}, {"id": "Ab1"}, {"email": "A@x.co"}, {"id": "a@x.co"}]]


def test_nobody() -> None:
    with People() as people:
        assert len(people) == 0
        assert bodies(people) == []


@pytest.mark.proof
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="looks at open files in /proc")
def test_large_audiences_are_neither_in_memory_nor_in_a_folder() -> None:
    before = set(_open_files())
    tracemalloc.start()
    with People() as people:
        for number in range(40_000):
            people.add(f"line {number}", {"email": f"person{number}@example.com", "first_name": "x" * 400})
        spilled = set(_open_files()) - before
        assert spilled, "everything fits into the cache: the test proves nothing"
        assert all(target.endswith(" (deleted)") and mode == 0o600 for target, mode in spilled)
        assert sum(len(batch) for batch in people.batches(50)) == 40_000
        _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * 1024 * 1024


def _open_files() -> Iterator[tuple[str, int]]:
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            if stat.S_ISREG(link.stat().st_mode):
                yield str(link.readlink()), stat.S_IMODE(link.stat().st_mode)
