# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Posts in batches: a record for every chunk, and only rows that are not done are ever sent again.

A chunk's first request is recorded under the chunk's number, those that send what it left undone under ``<number>.1``,
``<number>.2`` … A row belongs to its place in the list, so the order of the rows must not change.

=========================  ============================================================================================
a later try finds a row    and does
=========================  ============================================================================================
without a record           sends it
done                       nothing; if its content differs today, ``ValidationError``: that is no second order
refused                    sends it if its content has changed, or a user has cleared the task; reports it otherwise
in a request whose answer  sends that very request again, with the same key (:mod:`airflow_provider_mkt.submission`);
was lost                   if one of its rows has changed since, ``ValidationError``: a person decides
too late, or unusable      does not send it; reports it with the refused ones
not approved, if wanted    does not send its chunk; in the end a person is asked about all such chunks together
=========================  ============================================================================================
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from airflow_provider_mkt.exceptions import (
    ApiError,
    ApprovalWantedError,
    MalformedResponseError,
    NotSentError,
    OutcomeUnknownError,
    ValidationError,
)
from airflow_provider_mkt.operators.flow_social.answers import SHOWN_ROWS, VENDOR
from airflow_provider_mkt.operators.flow_social.chunk import Batch, Chunk, Row, earlier
from airflow_provider_mkt.submission.record import Record
from airflow_provider_mkt.tasks.state_store import keep

log = logging.getLogger(__name__)

MAX_NAMED = 1_000
"""Posts up to which their ids are handed on: to an XCom, and to the triggerer."""
BEGUN = "mkt.posts.begun"
"""Where the task state store says below which number chunks have records, if they have any."""
STEP = 10
"""By how many chunks that number grows at a time."""
GIVE_UP = 3
"""Chunks without an answer in a row, after which the vendor is left alone until the next try."""


@dataclass
class BatchResult:
    """What has become of a list.

    :param rows: rows looked at
    :param done: posts that are scheduled
    :param refused: places and reasons of the first rows that are not
    :param refusals: how many these are
    :param unanswered: the errors of chunks whose outcome is not known, or that did not reach the vendor
    :param ids: the posts by row, None for one that is not scheduled; the first 1,000
    :param record: the oldest of the records
    """

    rows: int = 0
    done: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    refusals: int = 0
    unanswered: list[ApiError] = field(default_factory=list)
    ids: list[str | None] = field(default_factory=list)
    record: Record | None = None

    def add(self, chunk: Chunk) -> None:
        """Count a chunk."""
        self.rows += len(chunk.rows)
        self.done += len(chunk.done)
        self.refusals += len(chunk.reasons)
        self.record = earlier(self.record, chunk.record)
        shown = [(chunk.rows[at].place, reason) for at, reason in sorted(chunk.reasons.items())]
        self.refused += shown[: SHOWN_ROWS - len(self.refused)]
        self.ids += [chunk.done.get(at) for at in range(len(chunk.rows))][: MAX_NAMED - len(self.ids)]

    @property
    def told(self) -> str:
        """How it stands, in words."""
        rest = self.rows - self.done - self.refusals
        return f"{self.done:,} posts are scheduled, {self.refusals:,} refused" + (f", {rest:,} open" if rest else "")

    @property
    def refusal(self) -> str:
        """The refused rows, in words."""
        shown = "; ".join(f"{place}: {reason}" for place, reason in self.refused)
        more = self.refusals - len(self.refused)
        return shown + (f"; and {more:,} more" if more else "")

    def result(self) -> dict[str, Any]:
        """Return the counts, and the ids as long as there are not too many."""
        ids = {"post_ids": self.ids} if self.rows <= MAX_NAMED else {}
        return {"scheduled": self.done, "refused": self.refusals, **ids}

    def check(self, *, allow_failures: bool) -> None:
        """Raise the error that the task fails with, if it does.

        :raises OutcomeUnknownError: when the outcome of some chunks is not known
        :raises NotSentError: when some chunks did not reach the vendor
        :raises ValidationError: naming the rows that were refused
        """
        if self.unanswered:
            raise _combined(self)
        if self.refusals and not allow_failures:
            raise ValidationError(
                f"{VENDOR} did not take {self.refusals:,} of {self.rows:,} posts. {self.refusal}. Correct these rows "
                "and clear the task: only they are sent again.",
                vendor=VENDOR,
            )


def schedule(batch: Batch, read: Callable[[], Iterable[Row]]) -> BatchResult:
    """Work through all chunks, and say what has become of each row.

    Before anything is sent, all that earlier tries have recorded is compared with today's rows: a row that has moved
    from one chunk to another would be scheduled twice. A chunk without an answer does not keep the next ones waiting.

    :param batch: where it belongs
    :param read: returns the rows, from the first one, in the order of every try
    :raises ValidationError: when a row that is done or unsettled has changed
    :raises ApprovalWantedError: when a person has to approve some chunks first; the others are done
    :raises ApiError: what concerns all chunks alike: credentials, permission, rate limit
    """
    outcome, silent = BatchResult(), 0
    wanted: list[ApprovalWantedError] = []
    begun = int(batch.store.get(BEGUN, 0))
    _audit(batch, read if begun else list, begun)
    for number, part in enumerate(_chunks(read(), batch.size)):
        if number >= begun:
            begun = number + STEP
            keep(batch.store, BEGUN, begun)
        chunk = Chunk(batch, number, part)
        try:
            chunk.settle()
        except ApprovalWantedError as error:
            wanted.append(error)
        except (OutcomeUnknownError, MalformedResponseError, NotSentError) as error:
            log.warning("%s", error)
            outcome.unanswered.append(error)
            # What only a person can settle did not even reach the vendor.
            silent += _settles_itself(error)
        else:
            silent = 0
        outcome.add(chunk)
        log.info("%s: %s (rows 1 to %s).", VENDOR, outcome.told, f"{outcome.rows:,}")
        if silent == GIVE_UP:
            log.warning("%s gave no answer %d times in a row; the rest is left to the next try.", VENDOR, silent)
            break
    if wanted:
        raise ApprovalWantedError.all_of(wanted)
    return outcome


def _audit(batch: Batch, read: Callable[[], Iterable[Row]], begun: int) -> None:
    """Compare today's rows with all records; there may be some of chunks behind the list's present end."""
    parts: Iterator[Sequence[Row]] = _chunks(read(), batch.size)
    for number in range(begun):
        Chunk(batch, number, next(parts, [])).audit()


def _chunks(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    rest = iter(rows)
    while chunk := list(islice(rest, size)):
        yield chunk


def _combined(outcome: BatchResult) -> ApiError:
    """Return one error for all chunks that got no answer: worth a retry if that can settle any of them."""
    unknown = [error for error in outcome.unanswered if not isinstance(error, NotSentError)]
    first = (unknown or outcome.unanswered)[0]
    others = len(outcome.unanswered) - 1
    told = f"{first} The same holds for {others} more chunks." if others else str(first)
    told += f" Of the rows so far, {outcome.told}."
    if outcome.refusals:
        told += f" Refused: {outcome.refusal}."
    facts = {name: getattr(first, name) for name in ("vendor", "method", "path", "status", "request_id")}
    if not unknown:
        return NotSentError(told, **facts)
    waits = [error.retry_after for error in outcome.unanswered if error.retry_after is not None]
    error = OutcomeUnknownError(told, retry_after=max(waits, default=None), **facts)
    error.reference = getattr(first, "reference", None)
    error.resolvable = any(map(_settles_itself, outcome.unanswered))
    return error


def _settles_itself(error: ApiError) -> bool:
    """Whether the next try may settle what this one could not."""
    return isinstance(error, NotSentError) or bool(getattr(error, "resolvable", False))
