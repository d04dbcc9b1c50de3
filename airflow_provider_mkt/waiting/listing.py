# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Lists by which a vendor tells of many things in few requests, read only as far as what is watched needs it."""

from __future__ import annotations

import logging
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
    :param as_before: whether what the list does not show, where its place was passed, is as it was
    """

    call: Call
    paging: Paging
    ids: Collection[str]
    descending_by: str = ""
    places: Mapping[str, float] = field(default_factory=dict)
    as_before: bool = False

    def passed(self, rows: Sequence[Mapping[str, Any]], missing: Collection[str]) -> set[str]:
        """Return what is missing and can be in no later row."""
        last = rows[-1].get(self.descending_by) if rows and self.descending_by else None
        if not isinstance(last, (int, float)):
            return set()
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

    The list is left when as many pages were read in vain as reading the rest one by one takes. So the requests are
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
    for part in () if alone else listing.parts(wanted, now):
        try:
            passed = yield from _walk(listing, part, watched, found)
        except UNLISTED as error:
            if listing.single(next(iter(wanted))) is None:
                raise
            log.warning("The list %s cannot be used; each is read by itself: %s", part.call.endpoint.path, error)
        else:
            unchanged |= passed if part.as_before else set()
    found.update({thing: wanted[thing] for thing in unchanged - found.keys()})
    missing = [thing for thing in wanted if thing not in found]
    for thing in missing[:MAX_SINGLES]:
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


def _walk(
    listing: Listing, part: Part, watched: Collection[str], found: dict[str, Any]
) -> Generator[Call, Any, set[str]]:
    """Add to what is found; return what is looked for and not in the list, as far as the walk could tell."""
    missing = {thing for thing in part.ids if thing not in found}
    passed: set[str] = set()
    walk, vain, single = Walk(part.paging, part.call), 0, listing.single("id") is not None
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
        vain = 0 if missing & fresh.keys() else vain + 1
        missing -= fresh.keys()
        passed |= part.passed(rows, missing)
        missing -= passed
    return passed if walk.page is not None else passed | missing


def reason(rows: Mapping[str, Any]) -> ApiError | None:
    """Return the error with which one of the things was answered, if any was."""
    return next((row for row in rows.values() if isinstance(row, ApiError)), None)
