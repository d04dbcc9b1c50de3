# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Who waits, and for what: Airflow does not tell the loop of a shared stream who its subscribers are.

What the loop finds goes to those alone whom it concerns. By Airflow's own queue it would go to all of them: with 5,000
tasks that wakes 5,000 coroutines at each request, and stops the triggerer's loop for a tenth of a second.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from airflow_provider_mkt import clock
from airflow_provider_mkt.triggers.line import subjects
from airflow_provider_mkt.triggers.wake import Waiter

if TYPE_CHECKING:
    from airflow_provider_mkt.exceptions import ApiError
    from airflow_provider_mkt.waiting.base import Verdict, Watch


@dataclass(frozen=True)
class News:
    """What a waiting task is told.

    :param verdict: what was seen
    :param error: why nothing was seen
    :param over: whether the wait ends with it
    """

    verdict: Verdict | None = None
    error: ApiError | None = None
    over: bool = False


LOOP_ENDED = News(over=True)
STILL_NEW = 0.9
"""The part of an interval up to which an answer may be old."""
RARER = 10.0
"""How many times rarer than others what has not changed for long is looked at, at most."""


@dataclass(eq=False)
class Subscriber:
    """One waiting task.

    :param watch: what it waits for
    :param interval: seconds between looks
    :param longest: seconds up to which that doubles from look to look; None keeps it constant
    :param not_before: moment of its first look, by this process's clock
    :param ids: what it reads of a list; empty for what is read by itself
    :param due: moment of its next look
    :param seen_at: moment of its last look
    :param changed_at: moment since which its verdict is the same
    :param urgent: whether the vendor has just told that something happened
    :param failures: looks in a row that failed
    :param failing_since: moment of the first of them
    :param told: what it was told last
    :param joined_at: moment from which it waits here
    :param pause: seconds between its last look and the next
    """

    watch: Watch
    interval: float
    longest: float | None = None
    not_before: float = 0.0
    ids: tuple[str, ...] = ()
    due: float = 0.0
    seen_at: float = 0.0
    changed_at: float = 0.0
    urgent: bool = False
    failures: int = 0
    failing_since: float = 0.0
    told: str = ""
    joined_at: float = field(default_factory=clock.monotonic)
    pause: float = 0.0
    _news: list[News] = field(default_factory=list)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.due = self.seen_at = self.changed_at = self.not_before
        self.pause = self.interval
        if self.watch.listing is not None:
            self.ids = tuple(dict.fromkeys(self.watch.ids()))

    def tell(self, news: News) -> None:
        """Hand something over to the waiting task."""
        self._news.append(news)
        self._arrived.set()

    async def news(self, until: float | None) -> News | None:
        """Return the next that there is to know; None when the moment ``until`` has come before."""
        while not self._news:
            if until is None:
                await self._arrived.wait()
            elif (left := until - clock.monotonic()) > 0:
                await clock.wait(self._arrived, left)
            else:
                return None
            self._arrived.clear()
        return self._news.pop(0)

    def rest(self, now: float, age: float) -> None:
        """Set the moment of the next poll.

        :param now: by this process's clock
        :param age: seconds since the last look: another triggerer may have made it
        """
        self.urgent = False
        self.seen_at = now - age
        self.due = max(now, self.seen_at + self.interval)
        self.pause = self.interval
        if self.longest is not None:
            self.interval = min(2 * self.interval, self.longest)

    def max_age(self, now: float) -> float:
        """Return the seconds that an answer may be old.

        Never older than the wait: what a webhook told before that is not told again.
        """
        return 0.0 if self.urgent else max(0.0, min(STILL_NEW * self.pause, now - self.joined_at))

    def urgency(self, now: float) -> float:
        """Return how overdue a poll is, where not all that are due can be had.

        What had not changed for long at its last look is unlikely to change in the next minute: its looks may be a
        tenth of that time apart, but not many times as far as those of the others. The urgency grows without bound
        while nobody looks, so nobody is passed over for ever.
        """
        apart = min((self.seen_at - self.changed_at) / 10, RARER * self.interval)
        return float("inf") if self.urgent else (now - self.seen_at) / max(self.interval, apart)


class Group:
    """All subscribers of one stream, which its loop looks after.

    ``by_id`` finds them by what they read of a list, ``by_subject`` by the digests under which webhooks name it.
    """

    _all: ClassVar[dict[tuple[asyncio.AbstractEventLoop, Hashable], Group]] = {}

    def __init__(self) -> None:
        self.subscribers: dict[Subscriber, tuple[str, ...]] = {}
        self.by_id: dict[str, set[Subscriber]] = {}
        self.by_subject: dict[str, set[Subscriber]] = {}
        self.loops = 0
        self.waiter = Waiter("", self.by_subject)

    @classmethod
    def of(cls, key: Hashable) -> Group:
        """Return the group of a stream in the running loop."""
        for other in [each for each in cls._all if each[0].is_closed()]:
            del cls._all[other]
        return cls._all.setdefault((asyncio.get_running_loop(), key), cls())

    @classmethod
    @contextlib.contextmanager
    def joined(cls, key: Hashable, subscriber: Subscriber) -> Iterator[Subscriber]:
        """Have ``subscriber`` looked after for as long as the ``with`` block lasts."""
        group = cls.of(key)
        group.add(subscriber)
        try:
            yield subscriber
        finally:
            group.remove(subscriber)
            cls._drop(key, group)

    @classmethod
    @contextlib.contextmanager
    def looked_after(cls, key: Hashable) -> Iterator[Group]:
        """Yield the group of a stream, which is there for as long as the ``with`` block lasts, with members or without.

        Airflow may keep a loop for a new subscriber although the last one has just left.
        """
        group = cls.of(key)
        group.loops += 1
        try:
            yield group
        finally:
            group.loops -= 1
            cls._drop(key, group)

    @classmethod
    def _drop(cls, key: Hashable, group: Group) -> None:
        here = asyncio.get_running_loop(), key
        if not group.subscribers and not group.loops and cls._all.get(here) is group:
            del cls._all[here]

    def add(self, subscriber: Subscriber) -> None:
        """Take in a subscriber."""
        self.subscribers[subscriber] = tuple(subjects(subscriber.watch.arguments()))
        for index, keys in self._indexes(subscriber):
            for key in keys:
                index.setdefault(key, set()).add(subscriber)
        self.waiter.woken.set()

    def remove(self, subscriber: Subscriber) -> None:
        """Forget a subscriber."""
        for index, keys in self._indexes(subscriber):
            for key in keys:
                found = index.get(key, set())
                found.discard(subscriber)
                if not found:
                    index.pop(key, None)
        del self.subscribers[subscriber]

    def _indexes(self, subscriber: Subscriber) -> Iterator[tuple[dict[str, set[Subscriber]], tuple[str, ...]]]:
        yield self.by_id, subscriber.ids
        yield self.by_subject, self.subscribers[subscriber]

    def hear(self) -> None:
        """Have those looked at next of whom a webhook has told; one that does not say of whom may mean anybody."""
        heard, self.waiter.heard = self.waiter.heard, set()
        for subject in heard:
            for subscriber in self.by_subject.get(subject, ()) if subject else self.subscribers:
                subscriber.urgent, subscriber.due = True, max(subscriber.not_before, 0.0)

    def troubled(self, error: ApiError) -> None:
        """Tell all of them why nothing is read at present, those to whom it is new. It ends no wait."""
        for subscriber in self.subscribers:
            if subscriber.told != str(error):
                subscriber.told = str(error)
                subscriber.tell(News(error=error))

    def end(self) -> None:
        """Tell all of them that nobody looks any more."""
        for subscriber in self.subscribers:
            subscriber.tell(LOOP_ENDED)


def known_of(ids: tuple[str, ...], rows: Mapping[str, object]) -> bool:
    """Tell whether there are rows for all of some ids."""
    return all(each in rows for each in ids)
