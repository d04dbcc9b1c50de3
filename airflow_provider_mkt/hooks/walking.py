# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Walking a long list page by page, in pages as large as the vendor gives, with the vendor's own count beside them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.client.endpoint import Call
from airflow_provider_mkt.client.outcome import Rows, rows_of
from airflow_provider_mkt.client.pages import LARGEST_PAGE, MOST_PAGES, Hints, Paging, Walk, checked_page_size
from airflow_provider_mkt.exceptions import ApiError, ValidationError

if TYPE_CHECKING:
    from airflow_provider_mkt.client.transport import ApiClient

log = logging.getLogger(__name__)

TOTALS = ("total", "total_items")
"""Names under which an answer, or its ``meta``, may tell how many rows there are."""
ENDS = ("next", "next_cursor", "has_more")
"""Hints that are there on the last page too, empty or false."""
MOST_BACK = 10
"""Pages that are read again when rows have left the list."""


@dataclass(frozen=True)
class Page:
    """One page of a list.

    :param rows: its rows
    :param total: how many rows the whole list has by the vendor's count, None where it does not tell
    """

    rows: Rows
    total: int | None


class Totals:
    """The vendor's counts in the course of one walk: how many rows there must have been at least."""

    def __init__(self) -> None:
        self._told: list[int] = []

    def add(self, page: Page) -> None:
        """Note what a page tells."""
        if page.total is not None:
            self._told = [*self._told[:1], page.total]

    @property
    def least(self) -> int:
        """The smaller one of the first and the last count; 0 when none was told."""
        return min(self._told, default=0)


@dataclass(frozen=True)
class LargePages(Hints):
    """An undocumented pagination (Flinque), asked for large pages (``page`` and ``per_page`` are assumed).

    What the answer says counts, not what was asked for: a vendor that ignores the size is followed in its own steps. An
    answer that says nothing at all about paging is taken for a page among others, until one is empty or comes again.

    :param per_page: rows asked for per page; None leaves it to the vendor
    """

    per_page: int | None = LARGEST_PAGE

    def begin(self, call: Call) -> Call:
        """Return the call for the first page."""
        if self.per_page is None:
            return call
        return replace(call, query={**call.query, "per_page": checked_page_size(self.per_page)})

    def following(self, call: Call, answer: Any, rows: Rows) -> Call | None:
        """Return the call that the answer's hints point to; without hints, the one for the next page."""
        hinted = super().following(call, answer, rows)
        asked = call.query.get("page", 1)
        if hinted is not None or not rows or not isinstance(asked, int) or asked >= MOST_PAGES:
            return hinted
        hints = _hints(answer)
        size, total = hints.get("per_page"), total_of(answer)
        # Some vendors echo the size that was asked for and give fewer rows.
        short = total is not None and isinstance(size, int) and (asked - 1) * size + len(rows) < total
        told = any(name in hints for name in ENDS) or (total is not None and isinstance(size, int))
        return replace(call, query={**call.query, "page": asked + 1}) if short or not told else None


def _hints(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        return {}
    meta = answer.get("meta")
    return {**answer, **meta} if isinstance(meta, dict) else answer


def total_of(answer: Any) -> int | None:
    """Return how many rows there are by the vendor's count, None where it does not tell."""
    hints = _hints(answer)
    counts = (hints.get(name) for name in TOTALS)
    return next((count for count in counts if isinstance(count, int) and not isinstance(count, bool)), None)


def walk_pages(client: ApiClient, call: Call, paging: Paging) -> Iterator[Page]:
    """Yield the pages of a list, holding one in memory. Rows may come again.

    A vendor that refuses the page size is asked again without one. When rows leave the list, those behind them move to
    pages that were read before; so when the vendor's count falls, these are read again.

    :param client: the account's client
    :param call: the list
    :param paging: how it is walked
    :raises ApiError: when too many rows leave the list while it is read
    """
    walk = Walk(paging, call)
    size, before = 0, None
    while (asked := walk.page) is not None:
        try:
            answer = client.send(asked)
        except ValidationError as error:
            if size or error.status is None or not isinstance(paging, LargePages) or paging.per_page is None:
                raise
            log.warning("%s does not take a page size; its own is used: %s", call.endpoint.path, error)
            walk = Walk(paging := LargePages(None), call)
            continue
        total = total_of(answer)
        size = max(size, len(rows_of(call.endpoint, answer)), 1)
        yield Page(walk.take(answer), total)
        if before is not None and total is not None and total < before:
            yield from _pages_before(client, asked, -((total - before) // size))
        before = before if total is None else total


def _pages_before(client: ApiClient, asked: Call, most: int) -> Iterator[Page]:
    """Read the numbered pages before one again; lists with cursors need not."""
    number = str(asked.query.get("page", ""))
    if not number.isdecimal():
        return
    pages = range(max(1, int(number) - most), int(number))
    if len(pages) > MOST_BACK:
        raise ApiError(
            f"More than {MOST_BACK} pages of rows left the list {asked.endpoint.path} while it was read. Nothing was "
            "written; a retry reads it anew.",
            method=asked.endpoint.method,
            path=asked.endpoint.path,
        )
    log.info("Rows have left the list %s while it is read; %d pages are read again.", asked.endpoint.path, len(pages))
    for page in pages:
        answer = client.send(replace(asked, query={**asked.query, "page": page}))
        yield Page(rows_of(asked.endpoint, answer), total_of(answer))
