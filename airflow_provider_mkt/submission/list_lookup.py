# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Submitting once what a vendor takes without an idempotency key, but lists with its name.

A lost answer is settled by the list. A new row of our name that shows what was sent is ours; under a name that the
user chose, which mapped tasks share, it has to show at least one other value that was sent. The submission never
happened when all new rows were certainly seen and none can be ours: has our name, hides its name, may have been given
another one since, or differs in nothing but the name, which the vendor may have shortened or cleaned (the reference of
another index of the same mapped task is none of these). A row of our name that claims to be a little older, and was not
seen before, is a case for a person: clocks and notations of time differ.

All new rows were seen when the list came newest first down to older ones, or to its told end.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt import clock, validation
from airflow_provider_mkt.client.answer import Rows, rows_of
from airflow_provider_mkt.client.durations import CLOCK_SKEW, DAY, HOUR
from airflow_provider_mkt.client.endpoint import Call, Endpoint
from airflow_provider_mkt.client.paging import ENDS, LargePages, Paging, Walk, total_of
from airflow_provider_mkt.exceptions import NotFoundError, ValidationError
from airflow_provider_mkt.submission.echo import alike, differing
from airflow_provider_mkt.submission.record import Record
from airflow_provider_mkt.submission.request import (
    ABSENT,
    OURS,
    Effect,
    Finding,
    SubmissionRequest,
    TaskKey,
    first_words,
)

if TYPE_CHECKING:
    from airflow_provider_mkt.hooks.base import MarketingHook

NEWEST = 20
"""Rows, the newest first, that are noted before a submission: a page, and thus one request."""
MAX_BEFORE = 100
"""Rows that are looked through before a submission for one that has the task's own reference already."""
BACKUP_AGE = 7 * DAY
"""Seconds before now from which on such rows are looked for: a backup that is restored is seldom older."""
MAX_RECENT = 1_000
"""Rows since the request that are looked through."""
MAX_LOOKED_AT = 200
"""Pages that are looked through for them: a list that comes oldest first has to be read to its end."""
MAX_ZONE = 12 * HOUR
DAY_ONLY = re.compile(r"[\d-]+")
DIGITS = re.compile(r"[0-9]+")
ZONED = re.compile(r"(Z|[+-]\d\d:?\d\d)\s*$", re.IGNORECASE)
SAME_MOMENT = 5.0
"""Seconds between creation and update of a row that nobody has changed."""


class EveryPage(LargePages):
    """Page after page in the vendor's own size, also where an answer says nothing about paging (assumed: ``page``)."""

    def begin(self, call: Call) -> Call:
        """Return the call as it is, without paging parameters."""
        return call


def _effect(what: str, body: Mapping[str, Any], secrets: Iterable[str]) -> Effect:
    """Return what creating ``body`` means. Fields of money are taken for that; what a vendor has is not published."""
    budget = body.get("budget")
    try:
        amount = None if budget is None else float(budget)
    except (TypeError, ValueError):
        amount = None
    return Effect(
        f"{what} {first_words(body['name'], secrets)}",
        spends=budget is not None,
        amount=amount,
        currency=str(body.get("currency") or ""),
        goes_live=str(body.get("start_date") or ""),
    )


@dataclass(frozen=True)
class ListLookup:
    """Something that a vendor creates and lists.

    :param what: what it is, for messages and for the receipt's ``<what>_id``
    :param create: the request that creates it
    :param listing: the list that shows it
    :param paging: how its first rows are read, before a submission
    :param renamable: whether it may be given another name later
    :param failed: statuses by which the list shows that one has failed
    """

    what: str
    create: Endpoint
    listing: Endpoint
    paging: Paging
    renamable: bool = False
    failed: frozenset[str] = frozenset()

    @property
    def id_field(self) -> str:
        """Name of the receipt's field."""
        return f"{self.what}_id"

    def named(self, body: Mapping[str, Any], task_key: TaskKey) -> dict[str, Any]:
        """Return ``body`` with a name, by which a lost one is found: its own, or the task's reference.

        :raises ValidationError: when the name is no text
        """
        name = body.get("name")
        return {
            **body,
            "name": task_key.reference if name in (None, "") else validation.text(f"{self.what}.name", name),
        }

    def request(self, hook: MarketingHook, body: dict[str, Any], task_key: TaskKey) -> SubmissionRequest:
        """Return the request for ``body``, which has a name."""
        named = alike(body["name"], task_key.reference)
        return SubmissionRequest(
            vendor=hook.vendor.name,
            what=self.what,
            body=body,
            call=lambda frozen, _: self.create(body=frozen),
            receipt=lambda answer: {self.id_field: answer["id"]},
            reference=body["name"],
            id_field=self.id_field,
            prepare=lambda: {**self._before(hook, body, task_key), "own_name": named},
            trace=self.trace,
            echoed=frozenset(body) - {"status"},
            effect=_effect(self.what, body, hook.account.secrets),
        )

    def _before(self, hook: MarketingHook, body: dict[str, Any], task_key: TaskKey) -> dict[str, Any]:
        """Note the newest rows, so that none of them is taken for the one to come, and which of them are ours already.

        Nobody else's name is the task's own reference. One that holds the run's id may be shared by tasks of the run,
        so the row must show all that is to be sent.
        """
        only_ours = task_key.is_only_name(body["name"])
        rows = list(self._newest(hook, MAX_BEFORE if only_ours else NEWEST))
        namesakes = [row for row in rows if alike(row.get("name"), body["name"])] if only_ours else []
        rest = {name: value for name, value in body.items() if name != "name"}
        own = alike(body["name"], task_key.reference)
        ours = [row.get("id") for row in namesakes if own or (_shows_any(row, rest) and not differing(row, rest))]
        return {"known": [row["id"] for row in rows if row.get("id") is not None], OURS: ours}

    def _newest(self, hook: MarketingHook, most: int) -> Iterator[dict[str, Any]]:
        """Yield up to ``most`` rows, and beyond the first page only while they are not too old to be ours."""
        since = clock.now() - BACKUP_AGE
        for number, row in enumerate(islice(hook.rows(self.listing(), self.paging), most), 1):
            yield row
            if number >= NEWEST and _moment(row, "created_at") < since:
                return

    def trace(self, record: Record) -> Generator[Call, Any, Finding | dict[str, Any] | None]:
        """Ask what became of a submission: its receipt, ABSENT, or None when that cannot be told."""
        since = record.intent_at - CLOCK_SKEW
        seen, all_seen = yield from self._seen(since)
        strangers = [row for row in seen if row.get("id") not in record.baseline.get("known", [])]
        new = [row for row in strangers if _moment(row, "created_at") >= since]
        namesakes = [row for row in new if alike(row.get("name"), record.reference)]
        older = [row for row in strangers if since - DAY - MAX_ZONE <= _moment(row, "created_at") < since]
        unexplained = any(alike(row.get("name"), record.reference) for row in older)
        rest = {name: value for name, value in record.body.items() if name != "name"}
        # Only the task's own reference is nobody else's name.
        own_name = record.baseline.get("own_name", False)
        ours = [row for row in namesakes if not differing(row, rest) and (own_name or _shows_any(row, rest))]
        if len(ours) == 1 and isinstance(ours[0].get("id"), str):
            if (status := ours[0].get("status")) in self.failed:
                return Finding(absent=True, showed=f"{ours[0]['id']} is there, and {status}: nothing came of it")
            return {self.id_field: ours[0]["id"]}
        # A namesake that shows other values may be ours, written otherwise or changed since.
        others = [row for row in new if own_name and not self.renamable and is_of_another_index(row, record, seen)]
        doubtful = [
            row for row in new if row not in others and (self._may_have_had_our_name(row) or not differing(row, rest))
        ]
        problems = {
            "the list did not come to its end": not all_seen,
            "a row has our name and does not show what was sent": bool(namesakes),
            "a row of our name claims to be from before the request": unexplained,
            f"{len(doubtful)} new rows may be ours under another name": bool(doubtful),
        }
        told = "; ".join(problem for problem, there in problems.items() if there)
        return Finding(showed=told) if told else ABSENT

    def _seen(self, since: float) -> Generator[Call, Any, tuple[Rows, bool]]:
        """Return rows, and whether those since a moment are certainly all among them."""
        walk = Walk(EveryPage(), self.listing())
        rows: Rows = []
        recent, all_seen = 0, False
        for number in range(MAX_LOOKED_AT):
            if walk.page is None or all_seen or recent >= MAX_RECENT:
                break
            call = walk.page
            try:
                answer = yield call
            except (NotFoundError, ValidationError):
                if number == 0:
                    raise
                break
            rows += walk.take(answer)
            recent = sum(_moment(row, "created_at") >= since for row in rows)
            all_seen = _passed(rows, since) or _ended(answer, rows_of(call.endpoint, answer), rows)
        return rows, all_seen and recent < MAX_RECENT

    def _may_have_had_our_name(self, row: Mapping[str, Any]) -> bool:
        changed = _moment(row, "updated_at") - _moment(row, "created_at")
        # A moment that is not shown makes this infinite, or no number at all.
        precise = not _vague(row, "created_at") and not _vague(row, "updated_at")
        unchanged = precise and abs(changed) <= SAME_MOMENT
        return not isinstance(row.get("name"), str) or (self.renamable and not unchanged)


def is_of_another_index(row: Mapping[str, Any], record: Record, rows: Rows) -> bool:
    """Tell whether a row has the reference of the same mapped task, for another index.

    No vendor makes one number of another, except by cutting names off; then none is longer than the row's.
    """
    name, ours = str(row.get("name")), record.reference
    (task, _, index), (our_task, _, our_index) = name.rpartition("/"), ours.rpartition("/")
    if task != our_task or index == our_index or not (DIGITS.fullmatch(index) and DIGITS.fullmatch(our_index)):
        return False
    return not ours.startswith(name) or any(len(str(each.get("name") or "")) > len(name) for each in rows)


def _passed(rows: Rows, since: float) -> bool:
    """Tell whether the list comes newest first, and has come to rows from before ``since``."""
    moments = [_moment(row, "created_at") for row in rows]
    if not moments or float("inf") in moments:
        return False
    newest_first = moments[0] > moments[-1] and moments == sorted(moments, reverse=True)
    return newest_first and moments[-1] < since


def _ended(answer: Any, page: Rows, rows: Rows) -> bool:
    """Tell whether the answer proves that the list ends with the rows seen."""
    total = total_of(answer)
    if total is not None:
        return len({str(row.get("id")) for row in rows}) >= total
    if not page:
        return True
    hints = {**answer, **(answer.get("meta") or {})} if isinstance(answer, dict) else {}
    return any(name in hints for name in ENDS) and not any(hints.get(name) for name in ENDS)


def _shows_any(row: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    return any(row.get(name) is not None for name in body)


def _moment(row: Mapping[str, Any], name: str) -> float:
    """Return a moment of a row in Unix time, the latest that it may mean; one that it does not say might be now."""
    try:
        found: datetime = validation.parsed(name, row.get(name))
    except ValidationError:
        return float("inf")
    return found.timestamp() + _vague(row, name)


def _vague(row: Mapping[str, Any], name: str) -> float:
    """Return by how many seconds a moment may be later than it reads: a day, or a time of no known zone."""
    text = str(row.get(name))
    if DAY_ONLY.fullmatch(text.strip()):
        return DAY + MAX_ZONE
    return 0.0 if ZONED.search(text) else MAX_ZONE
