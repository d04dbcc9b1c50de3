# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Looks at what a vendor lists: one walk along the list tells all who wait."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from airflow_provider_mkt import clock
from airflow_provider_mkt.client.api_client import ApiClient
from airflow_provider_mkt.exceptions import ApiError, RateLimitError
from airflow_provider_mkt.triggers.answers import Answers
from airflow_provider_mkt.triggers.loop import TOGETHER, TROUBLES, Loop, log, pause_after
from airflow_provider_mkt.triggers.subscribers import Group, Subscriber, known_of
from airflow_provider_mkt.waiting.base import Verdict, Watch
from airflow_provider_mkt.waiting.listing import Listing, read, reason

GAP = 2.0
"""Seconds between two looks, however often webhooks tell of something."""


class ListLoop(Loop):
    """Looks at the rows of a list.

    :param listing: the list; for the others see :class:`Loop`
    """

    def __init__(self, group: Group, watch: Watch, conn_id: str, answers: Answers, listing: Listing) -> None:
        super().__init__(group, watch, conn_id, answers)
        self.listing = listing
        self._rows: dict[str, Any] = {}
        self._quiet_until: dict[str, float] = {}
        self._failures = 0
        self._not_before = 0.0

    async def turn(self) -> None:
        """Look when somebody's look is due, for all whose look would be due soon."""
        now = clock.monotonic()
        first = min((each.due for each in self.group.subscribers), default=now + TOGETHER)
        begin = max(first, self._not_before)
        if begin > now:
            await self.line.sleep(begin - now)
            return
        self._forget()
        slack = min(TOGETHER, 0.25 * min(each.interval for each in self.group.subscribers))
        due = [each for each in self.group.subscribers if each.due <= now + slack]
        wanted = self._wanted(due, now)
        if not wanted:
            for each in due:
                each.due = min((self._quiet_until.get(thing, 0.0) for thing in self._open(each)), default=now)
                each.due = max(each.due, now + each.interval)
            return
        await self._look(due, wanted, now)

    async def _look(self, due: list[Subscriber], wanted: dict[str, Any], now: float) -> None:
        interval = min(each.interval for each in due)
        max_age = min(each.max_age(now) for each in due)
        found: dict[str, Any] = {}
        told: set[Subscriber] = set()
        noted = 0

        async def tell_so_far(age: float) -> None:
            """Tell those who wait for one thing alone. A walk along many pages takes the rate limit its time."""
            nonlocal noted
            fresh = dict(islice(found.items(), noted, None))
            noted = len(found)
            self._note(fresh)
            concerned = {each for each in self._concerned(fresh) if len(each.ids) == 1}
            told.update(concerned)
            await self._tell(client, concerned, now, age)

        talk = read(self.listing, wanted, self.group.by_id, clock.now(), found)
        try:
            client = await self.client()
            _, age = await self.answers.arun(client, talk, max_age, tell_so_far)
        except RateLimitError as error:
            log.info("Not looked this time: %s", error)
            self._not_before = clock.monotonic() + (error.retry_after or interval)
        except TROUBLES as error:
            await self._broken([each for each in due if each not in told], self.told(error), interval)
        else:
            self._failures = 0
            self.sound()
            self._not_before = now + min(GAP, interval)
            await tell_so_far(age)
            await self._tell(client, self._concerned(found) - told, now, age)

    def _concerned(self, found: Iterable[str]) -> set[Subscriber]:
        """Return those whose rows came along, those included whose look was not due yet."""
        return {each for thing in found for each in self.group.by_id.get(thing, ())}

    def _wanted(self, due: list[Subscriber], now: float) -> dict[str, Any]:
        """Return what has to be read for those whose look is due, with what is known of each."""
        wanted: dict[str, Any] = {}
        for subscriber in due:
            for thing in self._open(subscriber):
                if subscriber.urgent or self._quiet_until.get(thing, 0.0) <= now:
                    wanted[thing] = self._rows.get(thing)
        return wanted

    def _open(self, subscriber: Subscriber) -> list[str]:
        """Return what a subscriber still has to know: not what has come to its end."""
        if len(subscriber.ids) == 1:
            return list(subscriber.ids)
        return [
            thing
            for thing in subscriber.ids
            if thing not in self._rows or not subscriber.watch.settled(self._rows[thing])
        ]

    def _note(self, found: dict[str, Any]) -> None:
        monotonic, unix = clock.monotonic(), clock.now()
        for thing, row in found.items():
            self._rows[thing] = row
            quiet = self.listing.quiet_for(row, unix)
            if quiet > 0:
                self._quiet_until[thing] = monotonic + quiet
            else:
                self._quiet_until.pop(thing, None)

    def _forget(self) -> None:
        """Drop the rows for which nobody waits any more."""
        for thing in [each for each in self._rows if each not in self.group.by_id]:
            del self._rows[thing]
            self._quiet_until.pop(thing, None)

    async def _tell(self, client: ApiClient, concerned: set[Subscriber], now: float, age: float) -> None:
        """Judge for them."""
        async for subscriber in self.in_turns(concerned):
            if subscriber.not_before > now + TOGETHER:
                continue
            if not known_of(subscriber.ids, self._rows):
                continue
            subscriber.rest(now, age)
            rows = {thing: self._rows[thing] for thing in subscriber.ids}
            error = reason(rows)
            if error is not None:
                self.failed(subscriber, error, its_own=True)
                continue
            try:
                verdict = subscriber.watch.judge(rows)
                if verdict.final and self.listing.abridged:
                    verdict = await self._whole(client, subscriber, rows, verdict)
            except Exception as failure:  # noqa: BLE001 - it ends this task's wait, and must not end all others'
                self.failed(subscriber, _unjudged(subscriber, failure), its_own=True)
            else:
                self.seen(subscriber, verdict, client)

    async def _whole(
        self, client: ApiClient, subscriber: Subscriber, rows: dict[str, Any], verdict: Verdict
    ) -> Verdict:
        """Return the verdict on the single read, which has what a list's row lacks: the task returns that."""
        for thing, row in rows.items():
            call = self.listing.single(thing)
            if call is not None:
                whole, _ = await self.answers.ask(client, call, subscriber.max_age(clock.monotonic()))
                rows = {**rows, thing: {**row, **whole}}
        again = subscriber.watch.judge(rows)
        return again if again.final else verdict

    async def _broken(self, due: list[Subscriber], error: ApiError, interval: float) -> None:
        self._failures += 1
        pause = pause_after(self._failures, interval)
        self._not_before = clock.monotonic() + pause
        self.broken(error, pause)
        async for subscriber in self.in_turns(due):
            subscriber.urgent = False
            self.failed(subscriber, error, its_own=False)


def _unjudged(subscriber: Subscriber, failure: Exception) -> ApiError:
    if isinstance(failure, ApiError):
        return failure
    log.error("%s could not judge what was read", subscriber.watch.path, exc_info=failure)
    return ApiError(f"What the vendor answered could not be judged: {failure!r}")
