# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Walking a long list page by page, in pages as large as the vendor gives, with the vendor's own count beside them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_mkt.client.answer import Rows, rows_of
from airflow_provider_mkt.client.endpoint import Call
from airflow_provider_mkt.client.paging import LargePages, Paging, Walk, total_of
from airflow_provider_mkt.exceptions import ApiError, ValidationError

if TYPE_CHECKING:
    from airflow_provider_mkt.client.api_client import ApiClient

log = logging.getLogger(__name__)

MAX_BACK = 10
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
    if len(pages) > MAX_BACK:
        raise ApiError(
            f"More than {MAX_BACK} pages of rows left the list {asked.endpoint.path} while it was read. Nothing was "
            "written; a retry reads it again.",
            method=asked.endpoint.method,
            path=asked.endpoint.path,
        )
    log.info("Rows have left the list %s while it is read; %d pages are read again.", asked.endpoint.path, len(pages))
    for page in pages:
        answer = client.send(replace(asked, query={**asked.query, "page": page}))
        yield Page(rows_of(asked.endpoint, answer), total_of(answer))
