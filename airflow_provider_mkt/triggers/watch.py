# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The trigger behind every deferred wait. It only reads; it carries ids, never secrets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.module_loading import import_string  # type: ignore[attr-defined]
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_provider_mkt import clock
from airflow_provider_mkt.exceptions import ApiError
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.submission.messages import resubmit_hint
from airflow_provider_mkt.tasks.user_stop import marked_failed
from airflow_provider_mkt.triggers.line import Line
from airflow_provider_mkt.waiting.base import FailedPolls, Watch

log = logging.getLogger(__name__)

FIRST_LOOK = 10.0
"""Seconds before the first poll: Airflow 3.3 may fail a task whose trigger fires within the first few seconds."""
CANCEL_TIMEOUT = 25.0


class WatchTrigger(BaseEventTrigger):
    """Polls something at a vendor until it is settled.

    :param watch: where the :class:`Watch` class is found
    :param arguments: its fields
    :param conn_id: connection
    :param poll_interval: seconds between polls
    :param longest_interval: seconds up to which the interval doubles from poll to poll; None keeps it constant
    :param first_look: seconds before the first poll, by default 10
    :param cancel_on_kill: stop it at the vendor when a user marks the task as failed; never on a clear, a restart or
        a timeout
    """

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
        with Line(watch, self.conn_id) as line:
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
                    yield TriggerEvent(told.to_event())
                    return
            else:
                failed.reset(verdict)
                if verdict.final:
                    yield TriggerEvent(verdict.event())
                    return
            await line.sleep(interval)
            interval = min(interval * 2, self.longest_interval) if self.longest_interval else interval

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
            with Line(watch, self.conn_id) as line:
                client = await line.client()
            log.warning("The task was stopped by a user: %s. %s", await client.arun(conversation), resubmit_hint())
