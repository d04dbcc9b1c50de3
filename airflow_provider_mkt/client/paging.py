# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Pagination as pure functions: from one page's call and answer to the next page's call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from airflow_provider_mkt.client.answer import Rows, rows_of
from airflow_provider_mkt.client.endpoint import Call
from airflow_provider_mkt.exceptions import ValidationError

MAX_PAGE = 100
MAX_PAGES = 100_000

log = logging.getLogger(__name__)


class Paging(Protocol):
    """How a vendor's list is walked."""

    def begin(self, call: Call) -> Call:
        """Return the call for the first page."""

    def following(self, call: Call, answer: Any, rows: Rows) -> Call | None:
        """Return the call for the page after ``call``, or None at the end."""


def _with(call: Call, **query: Any) -> Call:
    return replace(call, query={**call.query, **query})


def checked_page_size(per_page: int) -> int:
    """Return ``per_page``.

    :raises ValidationError: when it is not between 1 and 100
    """
    if isinstance(per_page, bool) or not isinstance(per_page, int) or not 1 <= per_page <= MAX_PAGE:
        raise ValidationError(
            f"per_page must be between 1 and {MAX_PAGE}, got {per_page!r}; all pages are fetched in any case."
        )
    return per_page


@dataclass(frozen=True)
class PageNumbers:
    """Numbered pages that end with a short one.

    :param per_page: rows asked for per page
    :param page: name of the page parameter
    :param size: name of the size parameter
    :param total_pages: name of the number of pages in ``meta``, where the vendor gives it
    :param until_empty: end with an empty page: for what is concluded from a row that does not come, as a vendor may
        give fewer rows than asked for
    """

    per_page: int = MAX_PAGE
    page: str = "page"
    size: str = "per_page"
    total_pages: str | None = None
    until_empty: bool = False

    def begin(self, call: Call) -> Call:
        """Return the call for page 1."""
        return _with(call, **{self.page: 1, self.size: checked_page_size(self.per_page)})

    def following(self, call: Call, answer: Any, rows: Rows) -> Call | None:
        """Return the next page's call. The vendor's own page count decides where there is one, else a short page."""
        number = int(call.query[self.page])
        meta = answer.get("meta") if isinstance(answer, dict) else None
        total = meta.get(self.total_pages) if self.total_pages and isinstance(meta, dict) else None
        least = 1 if self.until_empty else self.per_page
        more = number < total if isinstance(total, int) else len(rows) >= least
        return _with(call, **{self.page: number + 1}) if more and number < MAX_PAGES else None


@dataclass(frozen=True)
class Offsets:
    """``limit`` and ``offset``, ending with a short page.

    :param limit: rows asked for per page
    """

    limit: int = MAX_PAGE

    def begin(self, call: Call) -> Call:
        """Return the call for the first rows."""
        return _with(call, limit=checked_page_size(self.limit), offset=0)

    def following(self, call: Call, answer: Any, rows: Rows) -> Call | None:  # noqa: ARG002 - the protocol's signature
        """Return the call for the rows after these."""
        offset = int(call.query["offset"]) + len(rows)
        return _with(call, offset=offset) if len(rows) >= self.limit and offset < MAX_PAGES * self.limit else None


@dataclass(frozen=True)
class Unpaged:
    """Everything in one answer."""

    def begin(self, call: Call) -> Call:
        """Return the call as it is."""
        return call

    def following(self, call: Call, answer: Any, rows: Rows) -> Call | None:  # noqa: ARG002
        """Return None: there is no second page."""
        return None


@dataclass(frozen=True)
class Hints:
    """For an undocumented pagination (Flinque): ask plainly, and follow whatever hint the answer gives (assumed)."""

    def begin(self, call: Call) -> Call:
        """Return the call as it is, without paging parameters."""
        return call

    def following(self, call: Call, answer: Any, rows: Rows) -> Call | None:  # noqa: ARG002
        """Return the call that the answer's ``next``, ``next_cursor``, ``has_more`` or ``total`` points to."""
        hints = _hints(answer)
        following, cursor = hints.get("next"), hints.get("next_cursor")
        if isinstance(following, str) and following:
            return _with(call, **_query_of(following))
        if isinstance(cursor, str) and cursor:
            return _with(call, cursor=cursor)
        asked = call.query.get("page", 1)
        number = hints.get("page", asked)
        page = number if isinstance(number, int) else asked if isinstance(asked, int) else MAX_PAGES
        size, total = hints.get("per_page"), hints.get("total")
        counted = isinstance(size, int) and isinstance(total, int) and page * size < total
        if page < MAX_PAGES and (hints.get("has_more") is True or counted):
            return _with(call, page=page + 1)
        return None


def _query_of(url: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(urlsplit(url).query))
    except ValueError:
        return {}


class Walk:
    """One walk along a list, a page at a time. It ends also when a vendor repeats pages for ever, or never stops.

    :param paging: how the list is walked
    :param call: the list

    ``page`` is the call to make next, None at the end; ``repeats`` tells that a page came again.
    """

    def __init__(self, paging: Paging, call: Call) -> None:
        self._paging = paging
        self.page: Call | None = paging.begin(call)
        self._asked = {_question(self.page)}
        self._last: Rows = []
        self.repeats = False

    def take(self, answer: Any) -> Rows:
        """Return the rows that are new in the answer to ``page``, and turn to the next page."""
        if self.page is None:
            raise ValueError("the walk is over")
        rows = rows_of(self.page.endpoint, answer)
        again = rows == self._last
        self.repeats |= again and bool(rows)
        page = None if again else self._paging.following(self.page, answer, rows)
        rows, self._last = ([] if again else rows), rows
        if page is not None and (_question(page) in self._asked or len(self._asked) >= MAX_PAGES):
            log.warning("The list %s leads back to a page already read; it is taken to end here.", page.endpoint.path)
            page = None
        if page is not None:
            self._asked.add(_question(page))
        self.page = page
        return rows


def _question(call: Call) -> int:
    return hash(tuple(sorted((name, str(value)) for name, value in call.query.items())))


def find_rows(
    call: Call, paging: Paging, wanted: Callable[[dict[str, Any]], bool], most: int = 1
) -> Generator[Call, Any, Rows]:
    """Walk a list until enough rows are found: yield the calls, be sent their answers, return the rows.

    :param call: the list
    :param paging: how it is walked
    :param wanted: whether a row is one of them
    :param most: how many are enough
    """
    walk = Walk(paging, call)
    found: Rows = []
    while walk.page is not None and len(found) < most:
        found += filter(wanted, walk.take((yield walk.page)))
    return found[:most]


TOTALS = ("total", "total_items")
"""Names under which an answer, or its ``meta``, may tell how many rows there are."""


ENDS = ("next", "next_cursor", "has_more")
"""Hints that are there on the last page too, empty or false."""


@dataclass(frozen=True)
class LargePages(Hints):
    """An undocumented pagination (Flinque), asked for large pages (``page`` and ``per_page`` are assumed).

    What the answer says counts, not what was asked for: a vendor that ignores the size is followed in its own steps. An
    answer that says nothing at all about paging is taken for a page among others, until one is empty or comes again.

    :param per_page: rows asked for per page; None leaves it to the vendor
    """

    per_page: int | None = MAX_PAGE

    def begin(self, call: Call) -> Call:
        """Return the call for the first page."""
        if self.per_page is None:
            return call
        return _with(call, per_page=checked_page_size(self.per_page))

    def following(self, call: Call, answer: Any, rows: Rows) -> Call | None:
        """Return the call that the answer's hints point to; without hints, the one for the next page."""
        hinted = super().following(call, answer, rows)
        asked = call.query.get("page", 1)
        if hinted is not None or not rows or not isinstance(asked, int) or asked >= MAX_PAGES:
            return hinted
        return _with(call, page=asked + 1) if _more_after(asked, answer, rows) else None


def _more_after(page: int, answer: Any, rows: Rows) -> bool:
    """Whether a page may follow although the answer points to none: it counts more rows, or says nothing of paging."""
    hints = _hints(answer)
    size, total = hints.get("per_page"), total_of(answer)
    if total is not None and isinstance(size, int):
        # Some vendors echo the size that was asked for and give fewer rows.
        return (page - 1) * size + len(rows) < total
    return not any(name in hints for name in ENDS)


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
