# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Walks along lists, of honest and of hostile vendors: every row once, and an end."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_mkt.client import paging as paging_module
from airflow_provider_mkt.client.endpoint import Endpoint, Safety
from airflow_provider_mkt.client.paging import Hints, Offsets, PageNumbers, Paging, Unpaged, Walk, checked_page_size

LIST = Endpoint("GET", "/things", Safety.READ, rows=("data", "items"))


def rows(first: int, last: int) -> list[dict[str, Any]]:
    return [{"id": number} for number in range(first, last)]


def walk(paging: Paging, answer: Callable[[dict[str, Any]], Any], most: int = 10_000) -> tuple[list[Any], int]:
    """Return all rows of a list and the number of pages asked for."""
    going, found, asked = Walk(paging, LIST()), [], 0
    while going.page is not None:
        asked += 1
        assert asked <= most, "the walk does not end"
        found += going.take(answer(dict(going.page.query)))
    return [row["id"] for row in found], asked


@given(st.integers(0, 450), st.integers(1, 100))
@settings(max_examples=60, deadline=None)
def test_numbered_pages(total: int, size: int) -> None:
    def answer(query: dict[str, Any]) -> Any:
        assert query["per_page"] == size
        begin = (query["page"] - 1) * size
        return {"data": rows(begin, min(begin + size, total))}

    found, asked = walk(PageNumbers(size), answer)
    assert found == list(range(total))
    assert asked <= total // size + 1


@given(st.integers(0, 450), st.integers(1, 100))
@settings(max_examples=60, deadline=None)
def test_offsets(total: int, size: int) -> None:
    def answer(query: dict[str, Any]) -> Any:
        return rows(query["offset"], min(query["offset"] + query["limit"], total))

    assert walk(Offsets(size), answer)[0] == list(range(total))


def test_the_vendors_page_count_decides() -> None:
    """A short page in the middle does not end the walk, and no page is asked for behind the last one."""
    pages_ = {1: rows(0, 2), 2: rows(2, 3), 3: rows(3, 5)}
    answer = lambda query: {"data": pages_[query["page"]], "meta": {"total_pages": 3}}  # noqa: E731
    assert walk(PageNumbers(2, total_pages="total_pages"), answer) == ([0, 1, 2, 3, 4], 3)


@pytest.mark.parametrize("meta", [None, [], "3", {}, {"total_pages": None}, {"total_pages": "3"}, {"total_pages": 2.5}])
def test_page_counts_of_wrong_types_are_not_believed(meta: Any) -> None:
    answer = lambda query: {"data": rows(0, 2) if query["page"] == 1 else rows(2, 3), "meta": meta}  # noqa: E731
    assert walk(PageNumbers(2, total_pages="total_pages"), answer)[0] == [0, 1, 2]


def test_everything_at_once() -> None:
    assert walk(Unpaged(), lambda query: {"items": rows(0, 7), "next": "/more"}) == ([0, 1, 2, 3, 4, 5, 6], 1)


HONEST: dict[str, Callable[[int], dict[str, Any]]] = {
    "next link": lambda page: {"next": f"https://v.test/things?page={page + 1}&x=1"} if page < 3 else {},
    "next link in meta": lambda page: {"meta": {"next": f"/things?page={page + 1}"}} if page < 3 else {"meta": {}},
    "cursor": lambda page: {"next_cursor": str(page + 1)} if page < 3 else {"next_cursor": None},
    "has more": lambda page: {"has_more": page < 3},
    "has more, with its page": lambda page: {"has_more": page < 3, "page": page},
    "counts": lambda page: {"page": page, "per_page": 2, "total": 6},
    "counts in meta": lambda page: {"meta": {"page": page, "per_page": 2, "total": 5}},
}


@pytest.mark.parametrize("style", HONEST)
def test_hints(style: str) -> None:
    def answer(query: dict[str, Any]) -> Any:
        page = int(query.get("cursor", query.get("page", 1)))
        return {"data": rows(page * 2 - 2, page * 2), **HONEST[style](page)}

    assert walk(Hints(), answer) == ([0, 1, 2, 3, 4, 5], 3)


HOSTILE: dict[str, Callable[[int], dict[str, Any]]] = {
    "an address that is none": lambda turn: {"next": "http://["},
    "an address without a query": lambda turn: {"next": "/things"},
    "a page that is no number": lambda turn: {"next": "?page=abc", "has_more": True},
    "a page that is no number, then counts": lambda turn: {"next": "?page=abc"} if turn == 1 else {"has_more": True},
    "a negative page": lambda turn: {"page": -5, "per_page": 2, "total": 10**30},
    "a page without end": lambda turn: {"page": 10**4000, "has_more": True},
    "the same page": lambda turn: {"page": 1, "has_more": True},
    "two pages in a circle": lambda turn: {"next_cursor": "ab"[turn % 2]},
    "three links in a circle": lambda turn: {"next": f"?page={turn % 3}"},
    "texts for numbers": lambda turn: {"page": "1", "per_page": "2", "total": "99", "has_more": "yes"},
    "lists for everything": lambda turn: {"next": ["x"], "next_cursor": {}, "page": [], "has_more": 1, "total": [9]},
    "truth for numbers": lambda turn: {"page": True, "per_page": True, "total": True},
    "meta of a wrong type": lambda turn: {"meta": "next", "has_more": None},
    "an empty cursor": lambda turn: {"next_cursor": "", "next": ""},
}


@pytest.mark.parametrize("style", HOSTILE)
@pytest.mark.parametrize("fresh", [True, False], ids=["new rows", "same rows"])
def test_hostile_hints_end(style: str, fresh: bool) -> None:
    turns = itertools.count(1)

    def answer(query: dict[str, Any]) -> Any:
        turn = next(turns)
        return {"data": rows(turn, turn + 2) if fresh else rows(0, 2), **HOSTILE[style](turn)}

    found, asked = walk(Hints(), answer, most=10)
    assert len(found) <= asked * 2
    if not fresh:
        assert found == [0, 1]


@pytest.mark.parametrize("paging", [Hints(), PageNumbers(2), Offsets(2)], ids=lambda paging: type(paging).__name__)
def test_a_list_without_end_ends(paging: Paging, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging_module, "MAX_PAGES", 50)
    turns = itertools.count(1)

    def answer(query: dict[str, Any]) -> Any:
        turn = next(turns)
        return {"data": rows(turn * 2, turn * 2 + 2), "next_cursor": str(turn)}

    assert walk(paging, answer, most=60)[1] <= 51


def test_a_page_that_is_repeated_for_ever_ends() -> None:
    """As from a vendor that ignores the page parameter."""
    assert walk(PageNumbers(2), lambda query: {"data": rows(0, 2)}) == ([0, 1], 2)


@pytest.mark.parametrize("size", [0, -1, 101, 10**9, "5", 5.0, None, True])
def test_page_sizes(size: Any) -> None:
    with pytest.raises(ValueError, match="per_page"):
        checked_page_size(size)


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5), st.lists, max_leaves=3)
)
def test_any_hint_is_survived(value: Any) -> None:
    for name in ("next", "next_cursor", "page", "per_page", "total", "has_more", "meta"):
        call = Hints().following(LIST(), {"data": [], name: value, "has_more": True}, [])
        assert call is None or call.endpoint is LIST
