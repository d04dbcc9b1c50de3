# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Asks a vendor for those who wait, unless the answer is at hand: read a moment ago here, or in another triggerer."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_mkt import clock
from airflow_provider_mkt.client.bulkheads import BULKHEADS
from airflow_provider_mkt.client.endpoint import Call, Safety
from airflow_provider_mkt.exceptions import ApiError
from airflow_provider_mkt.state.errors import StoreError

if TYPE_CHECKING:
    from airflow_provider_mkt.client.api_client import ApiClient, Conversation
    from airflow_provider_mkt.state.answers import Shared, SharedAnswers, Wait

log = logging.getLogger(__name__)

T = TypeVar("T")
Then = Callable[[float], Awaitable[None]]

THREADS = "the shared store"
"""Those of its own for the store: one that hangs holds up no vendor."""
LOOK_AGAIN = 1.0
"""Seconds between looks for an answer that another triggerer is asking for."""
STORE_PAUSE = 30.0
"""Seconds for which a store that failed is left alone: the vendor is asked meanwhile."""
MAX_KEPT = 300
"""Answers that this process keeps."""


class Answers:
    """The answers of one account.

    :param shared: what other triggerers have read; None: nothing is shared
    """

    def __init__(self, shared: SharedAnswers | None = None) -> None:
        self._shared = shared
        self._kept: dict[str, tuple[float, Any]] = {}
        self._store_from = 0.0

    async def arun(
        self, client: ApiClient, talk: Conversation[T], max_age: float, then: Then | None = None
    ) -> tuple[T, float]:
        """Hold a conversation, as :meth:`ApiClient.arun` does, with answers that may be up to ``max_age`` old.

        :param client: the account's client
        :param talk: the conversation
        :param max_age: seconds
        :param then: awaited after each answer, when another one follows, with the age of the oldest so far
        :return: its result, and the age of the oldest answer in seconds
        :raises ApiError: as :meth:`ApiClient.arun`
        """
        oldest = clock.monotonic()
        try:
            call = next(talk)
            while True:
                try:
                    answer, read_at = await self.ask(client, call, max_age)
                    oldest = min(oldest, read_at)
                except ApiError as error:
                    call = talk.throw(error)
                else:
                    call = talk.send(answer)
                    if then is not None:
                        await then(clock.monotonic() - oldest)
        except StopIteration as end:
            return end.value, clock.monotonic() - oldest

    async def ask(self, client: ApiClient, call: Call, max_age: float) -> tuple[Any, float]:
        """Return the answer to a call, and when it was asked for, by this process's clock.

        :raises ApiError: as :meth:`ApiClient.asend`
        """
        if call.safety is not Safety.READ:
            return await client.asend(call), clock.monotonic()
        question = question_of(call)
        kept_at, kept = self._kept.get(question, (float("-inf"), None))
        if clock.monotonic() - kept_at < max_age:
            return kept, kept_at
        account = hashlib.sha256((client.settings.account or client.settings.bases["api"]).encode()).hexdigest()
        shared = await self._from_others(account, question, max_age)
        if shared is not None:
            return self._keep(question, shared.answer, clock.monotonic() - shared.age)
        asked_at, answered = clock.monotonic(), False
        try:
            answer = await client.asend(call)
            answered = True
        finally:
            if not answered:
                await self._use_store("free", account, question)
        await self._use_store("keep", account, question, answer, clock.monotonic() - asked_at)
        return self._keep(question, answer, asked_at)

    async def _from_others(self, account: str, question: str, max_age: float) -> Shared | None:
        """Return what others have read, once they have; None when the vendor is to be asked from here."""
        from airflow_provider_mkt.state.answers import Wait

        until: float | None = None
        while True:
            found: Shared | Wait | None = await self._use_store("take", account, question, max_age)
            if not isinstance(found, Wait):
                return found
            until = clock.monotonic() + found.seconds if until is None else until
            if clock.monotonic() > until:
                return None
            await clock.asleep(LOOK_AGAIN)

    async def _use_store(self, method: str, *arguments: Any) -> Any:
        """Use the shared store, on a thread. While it fails, each triggerer asks for itself."""
        if self._shared is None or clock.monotonic() < self._store_from:
            return None
        try:
            return await BULKHEADS.run(THREADS, getattr(self._shared, method), *arguments)
        except StoreError as error:
            self._store_from = clock.monotonic() + STORE_PAUSE
            log.info("Answers are not shared for %.0f s: %s", STORE_PAUSE, error)
            return None

    def _keep(self, question: str, answer: Any, read_at: float) -> tuple[Any, float]:
        self._kept.pop(question, None)
        self._kept[question] = read_at, answer
        while len(self._kept) > MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        return answer, read_at


def question_of(call: Call) -> str:
    """Return a name for what a call asks, the same in every process."""
    query = sorted((name, str(value)) for name, value in call.query.items() if value is not None)
    asked = repr((call.endpoint.method, call.endpoint.base, call.endpoint.path, sorted(call.path.items()), query))
    return hashlib.sha256(f"{asked}{call.body!r}".encode()).hexdigest()
