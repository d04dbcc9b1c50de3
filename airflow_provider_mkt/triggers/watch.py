# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The trigger behind every deferred wait. It only reads; it carries ids, never secrets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Hashable
from datetime import datetime, timezone
from typing import Any

from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.module_loading import import_string  # type: ignore[attr-defined]
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_provider_mkt import clock
from airflow_provider_mkt.exceptions import ApiError
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.submission.messages import resubmit_hint
from airflow_provider_mkt.tasks.user_stop import marked_failed
from airflow_provider_mkt.triggers.answers import Answers
from airflow_provider_mkt.triggers.event import WaitEvent
from airflow_provider_mkt.triggers.line import Line
from airflow_provider_mkt.triggers.list_loop import ListLoop
from airflow_provider_mkt.triggers.loop import Loop, beside, run_for_ever
from airflow_provider_mkt.triggers.occasions import Cursor, occasions
from airflow_provider_mkt.triggers.round_loop import RoundLoop
from airflow_provider_mkt.triggers.subscribers import Group, News, Subscriber
from airflow_provider_mkt.waiting.base import FailedPolls, Watch

log = logging.getLogger(__name__)

FIRST_LOOK = 10.0
"""Seconds before the first poll: Airflow 3.3 may fail a task whose trigger fires within the first few seconds."""
CANCEL_TIMEOUT = 25.0
LAST_WORD = 10.0
"""Seconds before its deadline at which a task is told that nothing could be read: the timeout would not say so."""
END_TOLD = 5.0
"""Seconds within which Airflow says why the loop of a shared stream ended."""


class WatchTrigger(BaseEventTrigger):
    """Polls something at a vendor until it is settled.

    In a triggerer all that wait for one resource by way of one connection share a loop, see :mod:`.loop`. ``run`` alone
    polls for a single one, as ``dag.test()`` needs it.

    :param watch: where the :class:`Watch` class is found
    :param arguments: its fields
    :param conn_id: connection
    :param poll_interval: seconds between polls
    :param longest_interval: seconds up to which the interval doubles from poll to poll; None keeps it constant
    :param first_look: seconds before the first poll, by default 10
    :param cancel_on_kill: stop it at the vendor when a user marks the task as failed; never on a clear, a restart or
        a timeout
    """

    # Airflow's event triggers are meant for assets, which have no queue; a deferred task has one.
    supports_triggerer_queue = True

    def __init__(  # noqa: PLR0917 - Airflow passes what serialize() returns by name
        self,
        watch: str,
        arguments: dict[str, Any],
        conn_id: str,
        poll_interval: float,
        longest_interval: float | None = None,
        first_look: float | None = None,
        cancel_on_kill: bool = False,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.watch = watch
        self.arguments = arguments
        self.conn_id = conn_id
        self.poll_interval = poll_interval
        self.longest_interval = longest_interval
        self.first_look = first_look
        self.cancel_on_kill = cancel_on_kill

    @classmethod
    def of(cls, watch: Watch, conn_id: str, poll_interval: float, **options: Any) -> WatchTrigger:
        """Return the trigger for ``watch``; further parameters as for the class."""
        return cls(watch.path, watch.arguments(), conn_id, poll_interval, **options)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and what it takes to build this trigger again."""
        return f"{__name__}.WatchTrigger", {
            "watch": self.watch,
            "arguments": self.arguments,
            "conn_id": self.conn_id,
            "poll_interval": self.poll_interval,
            "longest_interval": self.longest_interval,
            "first_look": self.first_look,
            "cancel_on_kill": self.cancel_on_kill,
        }

    def _watch(self) -> Watch:
        watch: Watch = import_string(self.watch)(**self.arguments)
        return watch

    def _told(self, error: Exception) -> ApiError:
        """Return a failed poll as an error that a retry may cure, unless the vendor says otherwise.

        Airflow says "not found" of a connection also while its database or its API server is away.
        """
        if isinstance(error, ApiError):
            return error
        gone = f"The connection {self.conn_id!r} is gone, or Airflow could not read it: "
        return ApiError(f"{'' if isinstance(error, StoreError) else gone}{error}")

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll again and again, and yield one event when there is something to tell."""
        watch = self._watch()
        await clock.asleep(FIRST_LOOK if self.first_look is None else self.first_look)
        with Line.of(watch, self.conn_id) as line:
            async for event in self._poll(watch, line):
                yield event
                return

    async def _poll(self, watch: Watch, line: Line) -> AsyncIterator[TriggerEvent]:
        failed, interval = FailedPolls(), self.poll_interval
        while True:
            try:
                client = await line.client()
                verdict = (await client.arun(watch.poll())).redacted(client.redactor)
            except (ApiError, StoreError, AirflowNotFoundException) as error:
                told = self._told(error)
                if failed.give_up_on(told):
                    yield WaitEvent(told.to_event())
                    return
            else:
                failed.reset(verdict)
                if verdict.final:
                    yield WaitEvent(verdict.event())
                    return
            await line.sleep(interval)
            interval = min(interval * 2, self.longest_interval) if self.longest_interval else interval

    def shared_stream_key(self) -> Hashable:
        """Return what tells this trigger's loop from others: the class, the connection, and what is read.

        Airflow compares keys and nothing else, so the class is part of it.
        """
        listing = self._watch().listing
        return f"{__name__}.{type(self).__qualname__}", self.conn_id, self.watch.rpartition(".")[0], _name_of(listing)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Any]:
        """Look for all who share the stream, until Airflow ends it.

        Nothing is yielded: the loop tells each task by itself what concerns it, see :mod:`.subscribers`.
        """
        trigger = cls(**kwargs)
        watch = trigger._watch()
        with Group.looked_after(trigger.shared_stream_key()) as group:
            try:
                while True:
                    async with beside(run_for_ever(lambda: _loop(group, watch, trigger.conn_id), group)) as running:
                        await asyncio.wait({running})
                    if not running.cancelled():
                        running.result()
            except Exception:
                group.end()
                raise
        yield  # It is a generator that never comes to this.

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Yield one event when there is something to tell; for an asset's watcher, one on each occasion."""
        first = FIRST_LOOK if self.first_look is None else self.first_look
        subscriber = Subscriber(self._watch(), self.poll_interval, self.longest_interval, clock.monotonic() + first)
        if self.asset_state_store is not None:
            with Group.joined(self.shared_stream_key(), subscriber):
                async for event in occasions(subscriber, Cursor(self.asset_state_store, self.watch, self.arguments)):
                    yield event
            return
        with Group.joined(self.shared_stream_key(), subscriber):
            payload = await self._wait(subscriber, shared_stream)
        yield WaitEvent(payload)

    async def _wait(self, subscriber: Subscriber, shared_stream: AsyncIterator[Any]) -> dict[str, Any]:
        """Return the event that ends the wait, and log in this task's own log what is told before."""
        until = _moment_of(getattr(self, "timeout_after", None))
        polls, error = FailedPolls(), None
        while True:
            news = await subscriber.news(until)
            if news is None:
                if error is not None:
                    why = f"The wait ends at its deadline. Nothing could be read lately: {error}"
                    return {**ApiError(why).to_event(), "timed_out": True}
                until = None
                continue
            if news.verdict is not None:
                polls.reset(news.verdict)
                error = None
            elif news.error is not None:
                error = news.error
                log.warning("The poll failed: %s", error)
            else:
                return await _ended(shared_stream)
            if news.over:
                return _payload(news)

    async def on_kill(self) -> None:
        """Stop it at the vendor. Airflow cancels this method again and again, so the work is shielded from that."""
        if not self.cancel_on_kill:
            return
        cancelling = asyncio.ensure_future(asyncio.wait_for(self._cancel(), CANCEL_TIMEOUT))
        while not cancelling.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({cancelling})
        if (error := cancelling.exception()) is not None:
            log.error("Could not stop it at the vendor; look there: %s", error or "it took too long")

    async def _cancel(self) -> None:
        if not await asyncio.to_thread(marked_failed, self.task_instance):
            log.info("The wait ends, but the task was not marked as failed: the vendor goes on.")
            return
        watch = self._watch()
        conversation = watch.cancel()
        if conversation is not None:
            with Line.of(watch, self.conn_id) as line:
                client = await line.client()
            log.warning("The task was stopped by a user: %s. %s", await client.arun(conversation), resubmit_hint())


def _name_of(listing: Any) -> str:
    return listing.name if listing is not None else ""


def _loop(group: Group, watch: Watch, conn_id: str) -> Loop:
    from airflow_provider_mkt.state.answers import SharedAnswers

    answers = Answers(SharedAnswers())
    if watch.listing is not None:
        return ListLoop(group, watch, conn_id, answers, watch.listing)
    return RoundLoop(group, watch, conn_id, answers)


def _payload(news: News) -> dict[str, Any]:
    if news.verdict is not None:
        return news.verdict.event()
    if news.error is None:
        raise ValueError("there is nothing to tell")
    return news.error.to_event()


def _moment_of(deadline: datetime | None) -> float | None:
    """Return when the last word is due, by this process's clock. Airflow sets the deadline on the trigger."""
    if deadline is None:
        return None
    aware = deadline if deadline.tzinfo else deadline.replace(tzinfo=timezone.utc)
    return clock.monotonic() + (aware - clock.utcnow()).total_seconds() - LAST_WORD


async def _ended(shared_stream: AsyncIterator[Any]) -> dict[str, Any]:
    """Return the event for a loop that has ended, although somebody waits; Airflow may say why."""
    try:
        await asyncio.wait_for(anext(shared_stream), END_TOLD)
    except asyncio.TimeoutError:
        why = "Airflow does not say why"
    except Exception as error:  # noqa: BLE001 - whatever Airflow gives as the reason is told to the task
        why = repr(error)
    else:
        why = "another one may have begun"
    return ApiError(f"The triggerer's loop that looked for this task has ended ({why}).").to_event()
