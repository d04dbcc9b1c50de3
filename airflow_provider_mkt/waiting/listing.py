# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Lists by which a vendor tells of many things in few requests, read only as far as what is watched needs it."""

from __future__ import annotations

import logging
import random
from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.client.paging import LargePages, Walk
from airflow_provider_mkt.exceptions import (
    ApiError,
    AuthenticationError,
    MalformedResponseError,
    NotFoundError,
    NotSentError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    ValidationError,
)

if TYPE_CHECKING:
    from airflow_provider_mkt.client.endpoint import Call
    from airflow_provider_mkt.client.paging import Paging

log = logging.getLogger(__name__)

UNLISTED = (PermissionDeniedError, NotFoundError, ValidationError, MalformedResponseError)
"""Errors of a list that may concern this list alone: the things may still be read one by one."""
EVERYBODYS = (AuthenticationError, NotSentError, RateLimitError)
"""Errors that say nothing of the thing that was asked for."""
MAX_SINGLES = 20
"""Things that are read one by one in one look; the others follow in the next, which begins at once."""

Known = Mapping[str, Any]
"""What is known of each thing: its row, the error with which it was answered, or None when there is nothing."""


@dataclass(frozen=True)
class Part:
    """One walk along a list.

    :param call: the list, sorted so that what is wanted comes early
    :param paging: how it is walked
    :param ids: what is looked for
    :param descending_by: the rows descend by this number, when there is one
    :param places: the number of what is looked for, by its id: it cannot come behind a lower one
    :param as_before: whether what the list does not show is as it was, where its place was passed or the list ended
    :param instead: the walk to make where the vendor refuses this one, or fails
    """

    call: Call
    paging: Paging
    ids: Collection[str]
    descending_by: str = ""
    places: Mapping[str, float] = field(default_factory=dict)
    as_before: bool = False
    instead: Part | None = None

    def place(self, row: Mapping[str, Any]) -> float | None:
        """Return the number of a row; None when it has none."""
        found = row.get(self.descending_by)
        return found if isinstance(found, (int, float)) else None

    def passed(self, last: float, missing: Collection[str]) -> set[str]:
        """Return what is missing and can come in no row behind one with the number ``last``."""
        return {thing for thing in missing if self.places.get(thing, last) > last}


class Listing:
    """What a vendor's list is to those who wait.

    ``name`` tells it from the account's other lists; ``abridged``: its rows lack something that the single read has.
    """

    name: str
    abridged: bool = False

    def parts(self, wanted: Known, now: float) -> Sequence[Part]:
        """Return the walks that may find what is wanted.

        The requests must not depend on who asks: then several triggerers can use one answer.

        :param wanted: ids, with what is known of each
        :param now: Unix time
        """
        raise NotImplementedError

    def single(self, thing: str) -> Call | None:
        """Return the request that reads one thing; None when there is none."""
        raise NotImplementedError

    def quiet_for(self, row: Any, now: float) -> float:  # noqa: ARG002 - for lists whose rows tell when they change
        """Return the seconds for which a thing is not expected to change."""
        return 0.0


def read(
    listing: Listing, wanted: Known, watched: Collection[str], now: float, found: dict[str, Any] | None = None
) -> Generator[Call, Any, dict[str, Any]]:
    """Find the rows of what is wanted: yield the calls, be sent their answers, return what was found.

    A list is left when as many pages were read in vain as reading the rest one by one takes. So the requests are
    never more than twice the wanted things, however much the account holds.

    :param listing: the list
    :param wanted: ids, with what is known of each
    :param watched: all that is watched: its rows are returned as well, when they come along
    :param now: Unix time
    :param found: what is returned, while it comes: page by page
    :return: rows by id; an :class:`ApiError` for what the vendor refused to show, None for what it does not list. What
        is missing has to be looked for again
    :raises ApiError: when nothing can be read
    """
    found = {} if found is None else found
    unchanged: set[str] = set()
    alone = len(wanted) == 1 and listing.single(next(iter(wanted))) is not None
    parts = [] if alone else list(listing.parts(wanted, now))
    while parts:
        part = parts.pop(0)
        try:
            passed = yield from _walk(listing, part, watched, found)
        except (ServerError, *UNLISTED) as error:
            if part.instead is not None:
                parts.insert(0, part.instead)
            elif isinstance(error, ServerError) or listing.single(next(iter(wanted))) is None:
                raise
            how = "without a filter" if part.instead is not None else "each by itself"
            log.warning(
                "The list %s cannot be used as it was asked for, it is read %s: %s", part.call.endpoint.path, how, error
            )
        else:
            unchanged |= passed if part.as_before else set()
    found.update({thing: wanted[thing] for thing in unchanged - found.keys()})
    for thing in _next_singles(wanted, found):
        call = listing.single(thing)
        if call is None:
            found[thing] = None
            continue
        try:
            found[thing] = yield call
        except EVERYBODYS:
            raise
        except ApiError as error:
            found[thing] = error
    return found


def _next_singles(wanted: Known, found: Collection[str]) -> list[str]:
    """Return what to read by itself: first what is not known at all, then by lot, so that each has its turn."""
    missing = [thing for thing in wanted if thing not in found]
    if len(missing) > MAX_SINGLES:
        random.shuffle(missing)
        missing.sort(key=lambda thing: wanted[thing] is not None)
    return missing[:MAX_SINGLES]


def _walk(
    listing: Listing, part: Part, watched: Collection[str], found: dict[str, Any]
) -> Generator[Call, Any, set[str]]:
    """Add to what is found; return what is looked for and certainly not in the list."""
    missing = {thing for thing in part.ids if thing not in found}
    passed: set[str] = set()
    walk, vain, single = Walk(part.paging, part.call), 0, listing.single("id") is not None
    order = _Order(part)
    first = True
    while walk.page is not None and missing and not (single and vain >= len(missing)):
        try:
            answer = yield walk.page
        except ValidationError:
            if not first or not isinstance(part.paging, LargePages) or part.paging.per_page is None:
                raise
            walk, first = Walk(LargePages(None), part.call), False
            continue
        first = False
        rows = walk.take(answer)
        fresh = {row["id"]: row for row in rows if isinstance(row.get("id"), str) and row["id"] in watched}
        for thing, row in fresh.items():
            found.setdefault(thing, row)
        vain += not missing & fresh.keys()
        missing -= fresh.keys()
        passed |= order.passed(rows, missing)
        missing -= passed
    ended = walk.page is None and not walk.repeats
    return (passed | missing if ended else passed) if order.kept else set()


class _Order:
    """Whether the rows of each page come in the order that was asked for; else nothing is concluded from the list.

    From page to page they need not: what is new at the top moves rows on that were read already.
    """

    def __init__(self, part: Part) -> None:
        self._part, self.kept = part, True

    def passed(self, rows: Sequence[Mapping[str, Any]], missing: Collection[str]) -> set[str]:
        """Return what is missing and can come on no later page."""
        places = [self._part.place(row) for row in rows] if self._part.descending_by else []
        if not places:
            return set()
        numbers = [place for place in places if place is not None]
        self.kept &= len(numbers) == len(places) and numbers == sorted(numbers, reverse=True)
        return self._part.passed(numbers[-1], missing) if self.kept else set()


def reason(rows: Mapping[str, Any]) -> ApiError | None:
    """Return the error with which one of the things was answered, if any was."""
    return next((row for row in rows.values() if isinstance(row, ApiError)), None)
