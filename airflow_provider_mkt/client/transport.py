# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Sending: one attempt, two drivers. ``send`` waits with ``time.sleep``, ``asend`` with ``asyncio.sleep``."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any, Protocol, TypeVar

import requests
import tenacity
from urllib3.exceptions import HTTPError

from airflow_provider_mkt.client.auth import Auth
from airflow_provider_mkt.client.connecting import Adapter
from airflow_provider_mkt.client.endpoint import Call, Priority, Safety
from airflow_provider_mkt.client.failures import failure
from airflow_provider_mkt.client.outcome import Known, Outcome, judge_exception, judge_response
from airflow_provider_mkt.client.pages import Paging, Walk
from airflow_provider_mkt.client.redaction import Redactor, guard_urllib3_logs
from airflow_provider_mkt.client.retry import LONGEST_WAIT, Decision, Next, decide, leaves_doubt, may_have_happened
from airflow_provider_mkt.client.upload import Multipart
from airflow_provider_mkt.exceptions import (
    ApiError,
    MalformedResponseError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitError,
    ValidationError,
)

log = logging.getLogger(__name__)

LARGEST_ANSWER = 16 * 1024 * 1024
CHUNK = 64 * 1024
THREADS = 32
GONE = (404, 410)
HOUR = 3600.0
WORTH_A_LINE = 2.0
"""Seconds of waiting for the rate budget above which the log says so."""

T = TypeVar("T")
Talk = Generator[Call, Any, T]
"""A conversation with a vendor, free of I/O: yields calls, is sent their answers, returns a result."""


class Budget(Protocol):
    """The rate budget that all requests of a connection go through."""

    def reserve(self, names: tuple[str, ...], priority: Priority, longest: float) -> float:
        """Take the next free slot in every named budget and return the seconds until it begins.

        :raises RateLimitError: when that would be more than ``longest`` seconds; no slot is taken then
        """

    def observe(self, names: tuple[str, ...], outcome: Outcome) -> None:
        """Learn from an answer: what is left, and how long to be quiet."""


@dataclass(frozen=True)
class Settings:
    """How to reach a vendor.

    :param vendor: the vendor's name, for messages
    :param bases: base URLs by name; ``api`` is the main one
    :param headers: sent with every request
    :param connect_timeout: seconds to establish a connection
    :param read_timeout: seconds of silence after which an attempt is given up
    :param whole_timeout: seconds after which an answer that only trickles in is given up
    :param verify: check certificates: True, False, or the path of a CA bundle
    """

    vendor: str
    bases: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)
    connect_timeout: float = 5.0
    read_timeout: float = 30.0
    whole_timeout: float = 120.0
    verify: bool | str = True


@dataclass
class _Progress:
    """What the retry loop remembers of one call."""

    call: Call
    stream: bool = False
    attempt: int = 0
    renewed: bool = False
    doubt: bool = False
    uncertain: bool = False
    decision: Decision = field(default_factory=lambda: Decision(Next.RETRY))
    request: requests.PreparedRequest | None = None
    response: requests.Response | None = None


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="mkt-http")


async def in_thread(function: Callable[..., T], *args: Any) -> T:
    """Run ``function`` on this package's own threads; Airflow's default pool is small and shared."""
    return await asyncio.get_running_loop().run_in_executor(_threads(), function, *args)


class ApiClient:
    """Sends calls to one vendor account.

    :param settings: addresses and timeouts
    :param auth: how requests are signed
    :param budget: the shared rate budget
    :param redactor: knows the connection's secrets
    """

    def __init__(self, settings: Settings, auth: Auth, budget: Budget, redactor: Redactor) -> None:
        self.settings = settings
        self.auth = auth
        self.budget = budget
        self.redactor = redactor

    def __repr__(self) -> str:
        return f"<ApiClient {self.settings.vendor} {self.settings.bases['api']}>"

    @cached_property
    def session(self) -> requests.Session:
        """The one pooled session of this client."""
        guard_urllib3_logs()
        session = requests.Session()
        session.headers.update(self.settings.headers)
        adapter = Adapter(pool_connections=4, pool_maxsize=THREADS, max_retries=0)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session

    def close(self) -> None:
        """Close pooled connections."""
        if "session" in self.__dict__:
            self.session.close()

    def send(self, call: Call) -> Any:
        """Send ``call``, repeating it as far as its safety allows.

        :param call: what to ask
        :return: the vendor's JSON without its envelope; None where the endpoint answers with nothing
        :raises ApiError: one of the family, saying what is known
        """
        progress = _Progress(call)
        return self._settle(progress, self._repeat(progress))

    async def asend(self, call: Call) -> Any:
        """Send ``call`` from an event loop: the same attempts on threads of our own, waits that hold no thread."""
        progress = _Progress(call)

        async def turn() -> Outcome:
            await asyncio.sleep(await in_thread(self._reserve, progress))
            return await in_thread(self._attempt, progress)

        retrying = tenacity.AsyncRetrying(**self._policy(progress), sleep=asyncio.sleep)
        return self._settle(progress, await retrying(turn))

    def talk(self, talk: Talk[T]) -> T:
        """Hold a conversation: send what it yields, give it the answers, return its result."""
        try:
            call = next(talk)
            while True:
                try:
                    answer = self.send(call)
                except ApiError as error:
                    call = talk.throw(error)
                else:
                    call = talk.send(answer)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    async def atalk(self, talk: Talk[T]) -> T:
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
        progress = _Progress(call, stream=True)
        self._settle(progress, self._repeat(progress))
        if progress.response is None:
            raise RuntimeError("an attempt succeeded without a response")
        with progress.response as response:
            try:
                yield from response.iter_content(CHUNK)
            except (requests.RequestException, HTTPError, OSError) as error:
                reason = f"the body broke off: {judge_exception(error).reason}"
            else:
                return
        raise self._failure(call, Outcome(Known.UNREADABLE, response.status_code, reason), Next.FAIL)

    def _repeat(self, progress: _Progress) -> Outcome:
        def turn() -> Outcome:
            time.sleep(self._reserve(progress))
            return self._attempt(progress)

        return tenacity.Retrying(**self._policy(progress), sleep=time.sleep)(turn)

    def _policy(self, progress: _Progress) -> dict[str, Any]:
        """Return tenacity's settings; every decision was already made by :func:`decide`."""
        return {
            "retry": tenacity.retry_if_result(lambda _: progress.decision.next is Next.RETRY),
            "wait": lambda _: progress.decision.wait,
            "stop": tenacity.stop_never,
            "before_sleep": lambda state: self._say(progress, state.outcome.result()),
        }

    def _say(self, progress: _Progress, outcome: Outcome) -> None:
        endpoint, decision = progress.call.endpoint, progress.decision
        what = "with renewed credentials" if decision.renew else f"in {decision.wait:.1f} s"
        name = f"{self.settings.vendor} {endpoint.method} {endpoint.path}"
        log.warning("%s: %s; attempt %d %s", name, self.redactor.text(outcome.reason), progress.attempt + 1, what)

    def _reserve(self, progress: _Progress) -> float:
        """Take a slot of the rate budget and return the seconds until it begins.

        A launch that has not begun does not hold a worker for longer than a minute: :class:`RateLimitError` says when
        to come back. Waiting for news may take its time, and what has been sent once is seen through.
        """
        call = progress.call
        patient = progress.attempt > 0 or call.priority is Priority.NEWS
        try:
            wait = self.budget.reserve(call.endpoint.budgets, call.priority, HOUR if patient else LONGEST_WAIT)
        except RateLimitError as error:
            if not progress.doubt:
                raise
            lost = f"{self.settings.vendor} {call.endpoint.method} {call.endpoint.path} may have been executed: {error}"
        else:
            self._say_wait(call, wait)
            return wait
        raise OutcomeUnknownError(lost, vendor=self.settings.vendor)

    def _say_wait(self, call: Call, wait: float) -> None:
        if wait > WORTH_A_LINE:
            budgets = " and ".join(call.endpoint.budgets)
            log.info("%s: waiting %.1f s for the rate budget %s", self.settings.vendor, wait, budgets)

    def _attempt(self, progress: _Progress) -> Outcome:
        """Make one attempt and decide what follows. The only place that sends anything."""
        progress.attempt += 1
        endpoint = progress.call.endpoint
        begun = time.monotonic()
        outcome = self._exchange(progress)
        took = time.monotonic() - begun
        log.debug("%s %s %s: %s in %.3f s", self.settings.vendor, endpoint.method, endpoint.path, outcome.status, took)
        self.budget.observe(endpoint.budgets, outcome)
        outcome = _as_declared(progress, outcome)
        curable = endpoint.authenticated and outcome.status in self.auth.renewable
        progress.decision = decide(
            progress.call.safety,
            progress.attempt,
            outcome,
            renewed=progress.renewed or not curable,
            doubt=progress.doubt,
            jitter=random.random(),  # noqa: S311 - spreads retries, protects nothing
        )
        progress.doubt |= leaves_doubt(progress.call.safety, outcome)
        progress.uncertain |= may_have_happened(outcome)
        if progress.decision.renew and progress.request is not None:
            self.auth.renew(progress.request)
            progress.renewed = True
        return outcome

    def _exchange(self, progress: _Progress) -> Outcome:
        call, session = progress.call, self.session
        progress.request = request = self._sign(session, progress)
        if call.safety is Safety.ONCE:
            # A launch never rides on an idle connection, not even on that of its own token call: the vendor may be
            # closing it this very moment.
            session.close()
        settings = session.merge_environment_settings(request.url, {}, True, self.settings.verify, None)
        try:
            response = session.send(
                request,
                timeout=(self.settings.connect_timeout, self.settings.read_timeout),
                allow_redirects=_follows(call),
                **settings,
            )
            if progress.stream and _executed(call, response):
                progress.response = response
                return Outcome(Known.ANSWERED, response.status_code)
            with response:
                return self._judge(call, response)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            # A ValueError is a Location that makes no sense: the request itself was checked before.
            return judge_exception(error)

    def _judge(self, call: Call, response: requests.Response) -> Outcome:
        headers = {name.lower(): value for name, value in response.headers.items()}
        body = bytearray()
        deadline = time.monotonic() + self.settings.whole_timeout
        reason = ""
        try:
            # read1 returns what has arrived, so that the deadline also ends a body that comes byte by byte.
            while chunk := response.raw.read1(CHUNK, decode_content=True):
                body += chunk
                if len(body) > LARGEST_ANSWER:
                    reason = f"the body is larger than {LARGEST_ANSWER // 1024**2} MB"
                elif time.monotonic() > deadline:
                    reason = f"the body took longer than {self.settings.whole_timeout:.0f} s"
                if reason:
                    break
        except (requests.RequestException, HTTPError, OSError) as error:
            reason = f"the body broke off: {judge_exception(error).reason}"
        if reason:
            known = Known.UNREADABLE if _executed(call, response) else Known.UNKNOWN
            return Outcome(known, response.status_code, reason, None, headers)
        return judge_response(call.endpoint, response.status_code, headers, bytes(body), time.time())

    def _sign(self, session: requests.Session, progress: _Progress) -> requests.PreparedRequest:
        """Build and sign the request. A failed token call says nothing about the request that needed the token."""
        call = progress.call
        try:
            return self._prepare(session, call)
        except ApiError as error:
            route = f"{self.settings.vendor} {call.endpoint.method} {call.endpoint.path}"
            if progress.doubt:
                unsettled: ApiError = OutcomeUnknownError(
                    f"{route} may have been executed, and cannot be repeated: {error}"
                )
            elif isinstance(error, (OutcomeUnknownError, MalformedResponseError)):
                unsettled = NotSentError(f"{route} was not sent, for lack of a token: {error}")
            else:
                raise
            unsettled.vendor, unsettled.method, unsettled.path = error.vendor, call.endpoint.method, call.endpoint.path
        raise unsettled

    def _prepare(self, session: requests.Session, call: Call) -> requests.PreparedRequest:
        endpoint = call.endpoint
        headers = dict(call.headers)
        if call.idempotency_key:
            headers["Idempotency-Key"] = call.idempotency_key
        body = call.body if endpoint.form else None
        try:
            if call.file:
                body = Multipart(call.file, call.idempotency_key or "")
                headers["Content-Type"] = body.content_type
            request = requests.Request(
                endpoint.method,
                call.url(self.settings.bases[endpoint.base]),
                params={name: value for name, value in call.query.items() if value is not None},
                headers=headers,
                json=None if endpoint.form else call.body,
                data=body,
                auth=self.auth if endpoint.authenticated else _no_auth,
            )
            prepared = session.prepare_request(request)
            # A token may have been fetched by another hook or process: this client has to learn what to hide.
            self.redactor.add(prepared.headers.get("Authorization", "").partition(" ")[2])
            _check_headers(prepared)
        except ApiError:
            # The vendor's token call failed, and says so itself.
            raise
        except (requests.RequestException, ValueError, TypeError) as error:
            route = f"{endpoint.method} {endpoint.path}"
            problem = f"The request {route} cannot be put together: {self.redactor.text(str(error))}"
        else:
            return prepared
        raise ValidationError(problem, vendor=self.settings.vendor, method=endpoint.method, path=endpoint.path)

    def _settle(self, progress: _Progress, outcome: Outcome) -> Any:
        if progress.decision.next is Next.DONE:
            return outcome.answer
        raise self._failure(progress.call, outcome, progress.decision.next)

    def _failure(self, call: Call, outcome: Outcome, following: Next) -> ApiError:
        return failure(call, outcome, following, self.settings.vendor, self.redactor)


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Sign nothing; without it ``requests`` would look for credentials in ``~/.netrc``."""
    return request


def _check_headers(request: requests.PreparedRequest) -> None:
    """Refuse what ``http.client`` would refuse with the connection open, quoting the value.

    :raises ValueError: naming the header
    """
    for name, value in request.headers.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        if text != text.strip() or any(ord(character) < 32 or ord(character) > 255 for character in text):
            raise ValueError(f"the header {name} holds a line break or a character that HTTP cannot carry")


def _executed(call: Call, response: requests.Response) -> bool:
    return 200 <= response.status_code < 300 and response.status_code not in call.endpoint.not_yet


def _follows(call: Call) -> bool:
    """Say whether redirects are followed: never with a body, nor with credentials in the query."""
    endpoint = call.endpoint
    return endpoint.method == "GET" and not endpoint.redirect and (endpoint.authenticated or call.link is not None)


def _as_declared(progress: _Progress, outcome: Outcome) -> Outcome:
    """Read an outcome as the endpoint declares it: gone after an uncertain deletion is deleted, a 429 may be final."""
    endpoint = progress.call.endpoint
    if endpoint.gone_is_done and progress.uncertain and outcome.status in GONE:
        return replace(outcome, known=Known.ANSWERED, answer=None)
    if endpoint.final_429 and outcome.known is Known.THROTTLED:
        return replace(outcome, known=Known.REFUSED)
    return outcome
