# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Sending: one attempt, two drivers. ``send`` waits on the thread, ``asend`` without holding one."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any, TypeVar

from airflow_provider_mkt import clock, metrics
from airflow_provider_mkt.client import tracing
from airflow_provider_mkt.client.adapter import Fence
from airflow_provider_mkt.client.attempt import Attempts, Progress
from airflow_provider_mkt.client.bulkheads import BULKHEADS
from airflow_provider_mkt.client.download import BROKEN, broke_off
from airflow_provider_mkt.client.endpoint import Call
from airflow_provider_mkt.client.errors import failure, unsigned
from airflow_provider_mkt.client.exchange import Settings
from airflow_provider_mkt.client.outcome import Certainty, Outcome
from airflow_provider_mkt.client.paging import Paging, Walk
from airflow_provider_mkt.client.redirect import MAX_REDIRECTS, ForbiddenAddressError, redirected
from airflow_provider_mkt.client.retry import Next
from airflow_provider_mkt.exceptions import ApiError, MalformedResponseError

__all__ = ["ApiClient", "Conversation", "Settings"]

log = logging.getLogger(__name__)

T = TypeVar("T")
Conversation = Generator[Call, Any, T]
"""A conversation with a vendor, free of I/O: yields calls, is sent their answers, returns a result."""


class ApiClient(Attempts):
    """Sends calls to one vendor account.

    :param settings: addresses and timeouts
    :param auth: how requests are signed
    :param budget: the shared rate budget
    :param redactor: knows the connection's secrets
    """

    def __repr__(self) -> str:
        return f"<ApiClient {self.settings.vendor} {self.settings.bases['api']}>"

    def close(self) -> None:
        """Close pooled connections."""
        self.wire.close()

    def send(self, call: Call, *, longest: float | None = None, fence: Fence | None = None) -> Any:
        """Send ``call``, repeating it as far as its safety allows.

        :param call: what to ask
        :param longest: seconds that a slot of the rate budget is waited for; by default a minute, for news an hour
        :param fence: called in every attempt after token, slot and connect, right before the first byte; when it
            raises, that attempt sends nothing and the error is raised from here
        :return: the vendor's JSON without its envelope; None where the endpoint answers with nothing
        :raises ApiError: one of the family, saying what is known
        """
        progress = Progress(call, longest, fence=fence)
        with self._traced(progress):
            self._repeat(progress)
            return self._settle(progress)

    async def asend(self, call: Call) -> Any:
        """Send ``call`` from an event loop: the same attempts on threads of the account, waits that hold no thread."""
        progress = Progress(call)
        with self._traced(progress):
            return await self._asend(progress)

    async def _asend(self, progress: Progress) -> Any:
        while True:
            attempt = self.attempt(progress)
            try:
                wait = await self._step(progress, attempt)
                while wait is not None:
                    await clock.asleep(wait)
                    wait = await self._step(progress, attempt)
            finally:
                with suppress(ValueError):  # cancelled while a thread is at work on it
                    attempt.close()
            if not self._again(progress):
                return self._settle(progress)
            await clock.asleep(progress.decision.wait)

    def run(self, talk: Conversation[T], *, longest: float | None = None) -> T:
        """Hold a conversation: send what it yields, give it the answers, return its result.

        :param talk: the conversation
        :param longest: as for :meth:`send`, for each call
        """
        try:
            call = next(talk)
            while True:
                try:
                    answer = self.send(call, longest=longest)
                except ApiError as error:
                    call = talk.throw(error)
                else:
                    call = talk.send(answer)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    async def arun(self, talk: Conversation[T]) -> T:
        """Hold a conversation from an event loop."""
        try:
            call = next(talk)
            while True:
                try:
                    answer = await self.asend(call)
                except ApiError as error:
                    call = talk.throw(error)
                else:
                    call = talk.send(answer)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    def rows(self, call: Call, paging: Paging) -> Iterator[dict[str, Any]]:
        """Yield the rows of a list, holding one page in memory; see :class:`Walk` for how it ends.

        :raises ValidationError: at once, when the page size is not allowed
        """
        walk = Walk(paging, call)

        def rows() -> Iterator[dict[str, Any]]:
            while walk.page is not None:
                yield from walk.take(self.send(walk.page))

        return rows()

    def stream(self, call: Call) -> Iterator[bytes]:
        """Yield the body of an answer in chunks of 64 KiB, for files of any size.

        The request is repeated like any other until the answer begins. A break in the middle raises
        :class:`MalformedResponseError`: half a file is not a file.
        """
        progress = self._downloading(call)
        if progress.download is None:
            raise RuntimeError("an attempt succeeded without a body")
        with progress.download as download:
            try:
                yield from download
            except BROKEN as error:
                reason = broke_off(error)
            else:
                return
        raise self._failure(call, Outcome(Certainty.UNREADABLE, download.status, reason), Next.FAIL)

    def _downloading(self, call: Call) -> Progress:
        """Send a call until the body of its answer begins, through redirects: each with its slot, all in one time.

        :raises MalformedResponseError: naming the host that must not be asked, or when there are too many redirects
        """
        left = self.settings.whole_timeout
        begun = call
        for _ in range(MAX_REDIRECTS + 1):
            progress = Progress(call, stream=True, seconds=left)
            try:
                with self._traced(progress):
                    self._repeat(progress)
                    self._settle(progress)
                if progress.download is not None or progress.request is None:
                    return progress
                call = redirected(call, str(progress.request.url), progress.outcome.answer["location"])
            except ForbiddenAddressError as error:
                raise self._misled(begun, f"to {self.redactor.text(str(error))}") from None
            left -= progress.took
        raise self._misled(begun, f"more than {MAX_REDIRECTS} times")

    def _misled(self, call: Call, where: str) -> MalformedResponseError:
        endpoint = call.endpoint
        return MalformedResponseError(
            f"{self.settings.vendor} sent {endpoint.method} {endpoint.path} on {where}. It was not followed.",
            vendor=self.settings.vendor,
            method=endpoint.method,
            path=endpoint.path,
        )

    async def _step(self, progress: Progress, attempt: Iterator[float]) -> float | None:
        """Take an attempt to its next wait. A token that all its calls need is fetched once, while they hold no thread.

        :return: the seconds to wait, None when the attempt is over
        """
        account, auth = self.settings.account or self.settings.bases["api"], self.auth
        if progress.call.endpoint.authenticated and auth.shared is not None:
            try:
                await BULKHEADS.share(account, auth.shared, auth.fetch)
            except ApiError as error:
                raise unsigned(progress.call, error, self.settings.vendor, doubt=progress.doubt) from None
        return await BULKHEADS.run(account, next, attempt, None)

    @contextmanager
    def _traced(self, progress: Progress) -> Iterator[None]:
        endpoint = progress.call.endpoint
        route = {"mkt.vendor": self.settings.vendor, "mkt.method": endpoint.method, "mkt.route": endpoint.path}
        with tracing.span("mkt.request", **route) as progress.trace:
            yield

    def _repeat(self, progress: Progress) -> None:
        while True:
            with closing(self.attempt(progress)) as attempt:
                for wait in attempt:
                    clock.sleep(wait)
            if not self._again(progress):
                return
            clock.sleep(progress.decision.wait)

    def _again(self, progress: Progress) -> bool:
        """Return whether another attempt follows, as :func:`decide` said after the last one, and log it."""
        if progress.decision.next is not Next.RETRY:
            return False
        endpoint, decision = progress.call.endpoint, progress.decision
        what = "with renewed credentials" if decision.renew else f"in {decision.wait:.1f} s"
        name = f"{self.settings.vendor} {endpoint.method} {endpoint.path}"
        reason = self.redactor.text(progress.outcome.reason)
        log.warning("%s: %s; attempt %d %s", name, reason, progress.attempt + 1, what)
        metrics.retry(self.settings.vendor, endpoint.method, endpoint.path, progress.outcome.known.name)
        return True

    def _settle(self, progress: Progress) -> Any:
        if progress.decision.next is Next.DONE:
            return progress.outcome.answer
        raise self._failure(progress.call, progress.outcome, progress.decision.next)

    def _failure(self, call: Call, outcome: Outcome, following: Next) -> ApiError:
        return failure(call, outcome, following, self.settings.vendor, self.redactor)
