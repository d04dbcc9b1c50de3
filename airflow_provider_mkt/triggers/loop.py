# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What looks on behalf of all who wait for one resource of one connection, in one triggerer.

It outlives whatever happens: an outage, expired credentials, a changed connection. It then asks less often, and each
waiting task ends by its own deadline. What concerns a single task goes to that task alone.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowNotFoundException

from airflow_provider_mkt import clock
from airflow_provider_mkt.exceptions import (
    INCURABLE,
    ApiError,
    AuthenticationError,
    PermissionDeniedError,
    RateLimitError,
)
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.triggers.answers import Answers
from airflow_provider_mkt.triggers.line import Line
from airflow_provider_mkt.triggers.subscribers import Group, News, Subscriber
from airflow_provider_mkt.waiting.base import TOLERATED

if TYPE_CHECKING:
    from airflow_provider_mkt.client.api_client import ApiClient
    from airflow_provider_mkt.waiting.base import Verdict, Watch

log = logging.getLogger(__name__)

TROUBLES = (ApiError, StoreError, AirflowNotFoundException)
"""What asking may raise; Airflow says "not found" of a connection also while its database is away."""
IN_ONE_GO = 0.005
"""Seconds of work after which the loop lets the other coroutines of the triggerer have their turn."""
TOLD_AT_ONCE = 20
"""Tasks after which it does so as well: each of those that are told has work to do, all in the same turn."""
MAX_PAUSE = 300.0
"""Seconds up to which the pause doubles while nothing can be read."""
RENEW_LINE = 30.0
"""Seconds after which a poll reads the connection again: it may have another key, or a webhook token by now."""
RESTART_AFTER = 5.0
"""Seconds after which a loop that broke begins again."""
CANCEL_AGAIN = 1.0
"""Seconds."""
TOGETHER = 5.0
"""Seconds that looks may come early, so that many are had in one."""


class Loop:
    """Looks for the subscribers of a group. A subclass says how.

    :param group: who waits
    :param watch: what one of them waits for
    :param conn_id: connection
    :param answers: where answers come from
    """

    def __init__(self, group: Group, watch: Watch, conn_id: str, answers: Answers) -> None:
        self.group, self.conn_id, self.answers = group, conn_id, answers
        self.line = Line(watch.hook, conn_id, group.waiter)
        self._line_from = clock.monotonic()
        self.worked_at = 0.0
        self.trouble = ""

    async def run(self) -> None:
        """Look until cancelled."""
        with self.line:
            while True:
                self.group.hear()
                await self.turn()

    async def turn(self) -> None:
        """Make the looks that are due, or wait until one is."""
        raise NotImplementedError

    async def client(self) -> ApiClient:
        """Return the client, from the connection as it was half a minute ago at most.

        :raises ApiError: and others of :data:`TROUBLES`
        """
        if clock.monotonic() - self._line_from > RENEW_LINE:
            self.renew_line()
        return await self.line.client()

    def renew_line(self) -> None:
        """Have the connection read again."""
        self._line_from = clock.monotonic()
        self.line.hang_up()

    def told(self, error: Exception) -> ApiError:
        """Return what failed as an error that a retry of the task may cure, unless the vendor says otherwise."""
        if isinstance(error, ApiError):
            return error
        gone = f"The connection {self.conn_id!r} is gone, or Airflow could not read it: "
        return ApiError(f"{'' if isinstance(error, StoreError) else gone}{error}")

    def seen(self, subscriber: Subscriber, verdict: Verdict, client: ApiClient) -> None:
        """Tell a task what was seen, when that is new to it."""
        now = clock.monotonic()
        subscriber.failures = 0
        if verdict.message != subscriber.told or verdict.final:
            if subscriber.told:
                subscriber.changed_at = now
            subscriber.told = verdict.message
            subscriber.tell(News(verdict=verdict.redacted(client.redactor), over=verdict.final))

    def failed(self, subscriber: Subscriber, error: ApiError, *, its_own: bool) -> None:
        """Tell a task why nothing was seen, when that is new to it.

        It ends the wait when no repetition cures it, or when ten looks in a row failed for this one alone.

        :param its_own: whether the error is about what this task waits for
        """
        now = clock.monotonic()
        if isinstance(error, RateLimitError):
            return
        if subscriber.failures == 0:
            subscriber.failing_since = now
        subscriber.failures += 1
        hopeless = isinstance(error, INCURABLE) and not isinstance(error, (AuthenticationError, PermissionDeniedError))
        alone = subscriber.failures >= TOLERATED and self.worked_at > subscriber.failing_since
        over = its_own and (hopeless or alone)
        if over or subscriber.told != str(error):
            subscriber.told = str(error)
            subscriber.tell(News(error=error, over=over))

    def sound(self) -> None:
        """Note that the account can be read."""
        self.worked_at = clock.monotonic()
        if self.trouble:
            log.info("The waits at %r go on: it can be read again.", self.conn_id)
            self.trouble = ""

    def broken(self, error: ApiError, pause: float) -> None:
        """Note, in the triggerer's own log, that nothing can be read."""
        self.renew_line()
        if str(error) != self.trouble:
            self.trouble = str(error)
            log.warning("Nothing can be read by way of %r; the next poll is in %.0f s: %s", self.conn_id, pause, error)

    async def in_turns(self, subscribers: Iterable[Subscriber]) -> AsyncIterator[Subscriber]:
        """Yield subscribers that are still there, and let others have their turn in between."""
        since = time.perf_counter()
        for number, subscriber in enumerate(list(subscribers), 1):
            if subscriber in self.group.subscribers:
                yield subscriber
            if number % TOLD_AT_ONCE == 0 or time.perf_counter() - since > IN_ONE_GO:
                await asyncio.sleep(0)
                since = time.perf_counter()


def pause_after(failures: int, interval: float) -> float:
    """Return the seconds to wait after so many failures in a row."""
    return min(interval * 2.0 ** min(failures - 1, 10), MAX_PAUSE)


@asynccontextmanager
async def beside(coroutine: Any) -> AsyncIterator[asyncio.Task[Any]]:
    """Run a coroutine in a task of its own while the block lasts, outside the log context of whoever begins it."""
    task = contextvars.Context().run(asyncio.ensure_future, coroutine)
    try:
        yield task
    finally:
        # Again and again: a cancellation that comes at the wrong moment is lost in some libraries.
        while not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=CANCEL_AGAIN)


def outcome_of(task: asyncio.Task[Any]) -> BaseException | None:
    """Return what ended a task: an exception, or a cancellation that nobody here asked for."""
    return asyncio.CancelledError("something cancelled it") if task.cancelled() else task.exception()


async def run_for_ever(make: Callable[[], Loop], group: Group) -> None:
    """Run a loop, and another one whenever it ends: a loop that ends would leave its tasks waiting for ever.

    A cancellation that comes from inside must not be taken for Airflow's own, so the loop is a task of its own. What
    ends it is told to all who wait: should it never work again, each of them names that at its deadline.

    :param make: makes them
    :param group: for whom it looks
    """

    async def one() -> None:
        await make().run()

    while True:
        async with beside(one()) as running:
            await asyncio.wait({running})
            ended = outcome_of(running)
        log.error("The loop that looks for waiting tasks broke, and begins again: %r", ended, exc_info=ended)
        group.troubled(ApiError(f"The triggerer's loop that looks for this task broke, and begins again: {ended!r}"))
        await clock.asleep(RESTART_AFTER)
