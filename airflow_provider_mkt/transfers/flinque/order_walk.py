# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Attributed orders in a window of time, each once: what the vendor repeats, shifts and ignores is put right here."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow_provider_mkt.client.answer import Rows
from airflow_provider_mkt.client.page_walk import Page, Totals
from airflow_provider_mkt.clock import utcnow
from airflow_provider_mkt.exceptions import MalformedResponseError, ValidationError
from airflow_provider_mkt.transfers.seen_rows import Mark, Novelty, Seen, digest_of, seconds_of
from airflow_provider_mkt.vendors import flinque

log = logging.getLogger(__name__)

MAX_REMEMBERED = 150_000
"""Rows of the overlap that are remembered from one run to the next."""
MAX_UNDATED = 3_000
"""Rows without a time that are remembered; a walk that meets more of them is an error, as they would come again."""
MAX_AGAIN = 10_000
"""Rows in a row that this walk has come by already, after which a list goes round in circles."""
SECONDS, MILLISECONDS = 1e9, 1e12
FRACTION = re.compile(r"(?<=:\d\d)[.,](\d+)")
OFFSET = re.compile(r"([+-]\d\d):?(\d\d)?$")
"""What Python 3.10 reads in one spelling only: six digits, and hours with minutes. Found behind the time of day."""


def moment_of(value: Any) -> datetime | None:
    """Return when a row happened: ISO 8601 or a number of (milli)seconds since 1970; None when it cannot be read."""
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(_plain(value))
            found = found if found.tzinfo else found.replace(tzinfo=timezone.utc)
            return found.astimezone(timezone.utc)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= SECONDS:
            return datetime.fromtimestamp(value / 1000 if value >= MILLISECONDS else value, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def _plain(text: str) -> str:
    day, clock = text[:10], text[10:]
    clock = clock[:-1] + "+00:00" if clock.endswith(("Z", "z")) else clock
    clock = FRACTION.sub(lambda found: f".{found[1]:0<6.6}", clock)
    return day + (OFFSET.sub(lambda found: f"{found[1]}:{found[2] or '00'}", clock) if ":" in clock else clock)


@dataclass
class OrderWalk:
    """One walk along the list of orders.

    :param seen: the rows of earlier files; those of this walk are added
    :param time_field: the field that says when an order was attributed (assumed)
    :param start: orders from this moment on; None for no limit
    :param end: orders before this moment; None for no limit
    :param now: no watermark is later: a date in the future would hide all that come before it
    """

    seen: Seen
    time_field: str
    start: datetime | None = None
    end: datetime | None = None
    now: datetime = field(default_factory=utcnow)
    newest: datetime | None = None
    """The newest time of the new rows, no later than ``now``."""
    latest: datetime | None = None
    """The newest time of the new rows, be it in the future."""
    undated: int = 0
    earlier: int = 0
    _dated: int = 0
    _undated: int = 0
    _met: int = 0
    _again: int = 0
    _elsewhere: int = 0

    def new_rows(self, pages: Iterable[Page]) -> Iterator[Rows]:
        """Yield the rows of each page that are in the window and in no file yet.

        :raises MalformedResponseError: when the list ends before all rows have come, or never ends
        :raises ValidationError: when none of them, or not enough of them, have a time that can be read
        """
        totals = Totals()
        for page in pages:
            totals.add(page)
            yield [row for row in page.rows if self._is_new(row)]
            self._check_times(self._undated > MAX_UNDATED)
        if self._met < totals.least:
            raise _malformed(
                f"Flinque counts {totals.least:,} orders; its list ended after {self._met:,}. Nothing was written. "
                "Try another per_page, or None."
            )
        self._check_times(bool(self.undated) and not self._dated)
        self._tell()

    def _check_times(self, wrong: bool) -> None:
        if wrong:
            met = "no order has" if not self._dated else f"more than {MAX_UNDATED:,} orders do not have"
            raise ValidationError(
                f"time_field: {met} a {self.time_field!r} that can be read as a time. Nothing was written. Name the "
                "field that says when an order was attributed."
            )

    def _is_new(self, row: dict[str, Any]) -> bool:
        at = moment_of(row.get(self.time_field))
        novelty = self.seen.add(Mark(digest_of(row), seconds_of(at)))
        self._again = self._again + 1 if novelty is Novelty.AGAIN else 0
        if self._again >= MAX_AGAIN:
            raise _malformed("Flinque's list of orders goes round in circles. Nothing was written.")
        if novelty is Novelty.AGAIN:
            return False
        self._met += 1
        self._dated += at is not None
        self._undated += at is None
        if at is not None and not self._within(at):
            self._elsewhere += 1
            return False
        self.earlier += novelty is Novelty.EARLIER
        if novelty is Novelty.EARLIER:
            return False
        if at is None:
            self.undated += 1
        else:
            self.latest = at if self.latest is None else max(self.latest, at)
            timely = min(at, self.now)
            self.newest = timely if self.newest is None else max(self.newest, timely)
        return True

    def _within(self, at: datetime) -> bool:
        return (self.start is None or at >= self.start) and (self.end is None or at < self.end)

    def _tell(self) -> None:
        if self._elsewhere:
            log.info("%s orders outside the window were left out.", f"{self._elsewhere:,}")
        if self.earlier:
            log.info("%s orders of the overlap are in earlier files.", f"{self.earlier:,}")
        if self.undated:
            log.warning(
                "%s orders have no %s that can be read. They are exported once.",
                f"{self.undated:,}",
                self.time_field,
            )


def to_remember(
    seen: Seen, start: datetime | None, watermark: datetime, overlap: timedelta
) -> tuple[datetime, list[Mark]]:
    """Return which rows the next run has to know, and the moment from which on these are all.

    :param seen: all rows seen
    :param start: the moment from which on ``seen`` is complete; None for all time
    :param watermark: the new watermark
    :param overlap: how long before it the next run begins
    """
    floor = watermark - overlap if start is None else max(start, watermark - overlap)
    marks = seen.dated(seconds_of(floor), MAX_REMEMBERED + 1)
    if len(marks) > MAX_REMEMBERED:
        whole = datetime.fromtimestamp(marks[-1].at + 1, timezone.utc)
        if whole <= watermark:
            marks = [mark for mark in marks if mark.at > marks[-1].at]
        else:
            log.warning("More than %s orders have the same time; some may be exported twice.", f"{MAX_REMEMBERED:,}")
        floor = min(whole, watermark)
        log.warning(
            "The overlap holds more than %s orders; the next run begins at %s. Run more often, or shorten overlap.",
            f"{MAX_REMEMBERED:,}",
            floor.isoformat(),
        )
    return floor, [*marks, *seen.undated(MAX_UNDATED)]


def _malformed(problem: str) -> MalformedResponseError:
    endpoint = flinque.LIST_ATTRIBUTION_ORDERS
    return MalformedResponseError(problem, vendor=flinque.VENDOR.name, method=endpoint.method, path=endpoint.path)
