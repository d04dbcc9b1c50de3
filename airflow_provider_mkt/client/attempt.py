# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A single attempt: sign, take a slot of the rate budget, wait for it, send, decide what follows."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Protocol

import requests

from airflow_provider_mkt import clock, metrics
from airflow_provider_mkt.client import tracing
from airflow_provider_mkt.client.adapter import Fence
from airflow_provider_mkt.client.auth import Auth
from airflow_provider_mkt.client.download import Download
from airflow_provider_mkt.client.durations import HOUR
from airflow_provider_mkt.client.endpoint import Call, Priority
from airflow_provider_mkt.client.errors import unsigned
from airflow_provider_mkt.client.exchange import Settings, Wire
from airflow_provider_mkt.client.outcome import Certainty, Outcome
from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.client.request import prepare
from airflow_provider_mkt.client.retry import MAX_WAIT, Decision, Next, decide, leaves_doubt, may_have_happened
from airflow_provider_mkt.exceptions import ApiError, OutcomeUnknownError, RateLimitError, ValidationError

log = logging.getLogger(__name__)

WORTH_A_LINE = 2.0
"""Seconds of waiting for the rate budget above which the log says so."""
STAYS_SIGNED = 10.0
"""Seconds for which a signed request may wait. A token is replaced after four fifths of its life, so it outlives them;
but a vendor may end it at once when another process renews it. That is a 401, a new signature and another attempt."""
SIGNING = 5.0
"""Seconds before its slot at which a request that waits longer is signed again."""
LATE = 1.0
"""Seconds after the beginning of its slot at which a request does not go out any more, but takes another one: signing
took long, all threads were busy, or the machine slept. The answer to a request that is less late moves its slot."""
UNCHECKED = 1.0
"""Seconds of waiting for a slot up to which no cooldown is looked for: a request that goes at once costs no more."""
ASK_AGAIN = 15.0
"""Seconds before there is room at which a poll that was given no slot asks again, at the earliest."""
MAX_NAP = HOUR / 2
"""Seconds after which it asks again at the latest: a person may have lifted a cooldown meanwhile."""
SLOTS = 3
"""Slots that an attempt takes. In the last one it goes out however late it is: on a machine that is always late, a
launch that never happens would be worse than a 429."""


class Budget(Protocol):
    """The rate budget that all requests of a connection go through."""

    def reserve(self, names: tuple[str, ...], priority: Priority, longest: float) -> float:
        """Take the next free slot in every named budget and return the seconds until it begins.

        :raises RateLimitError: when that would be more than ``longest`` seconds; no slot is taken then
        """

    def cooldown(self, names: tuple[str, ...]) -> float:
        """Return how many seconds are left of the cooldown that a 429 began for any of the named budgets."""

    def missed(self, names: tuple[str, ...], late: float) -> None:
        """Give back the slot that began ``late`` seconds ago: nothing was sent in it."""

    def give_back(self, names: tuple[str, ...], wait: float) -> None:
        """Give back the slot that begins in ``wait`` seconds: nothing will be sent in it."""

    def observe(self, names: tuple[str, ...], outcome: Outcome) -> None:
        """Learn from an answer: what is left, and how long to be quiet."""


@dataclass
class Progress:
    """What is remembered of one call from attempt to attempt.

    :param call: what is asked
    :param longest: seconds that a slot of the rate budget is waited for; by default a minute, for news an hour
    :param stream: leave the body of a success unread
    :param fence: called in every attempt when connected, right before the first byte
    :param in_vain: seconds waited for slots that lay in a cooldown when they came
    :param attempt: how many attempts were made
    :param renewed: whether the credentials were renewed
    :param doubt: whether an attempt of what must not happen twice may have been executed
    :param uncertain: whether an attempt may have been executed
    :param outcome: what the last attempt taught
    :param decision: what follows from it
    :param request: what was sent last
    :param download: the success whose body is unread
    :param seconds: for the whole of an attempt, when redirects have taken some of the usual time
    :param took: seconds that the last attempt took
    :param trace: the request's span
    """

    call: Call
    longest: float | None = None
    stream: bool = False
    fence: Fence | None = None
    in_vain: float = 0.0
    attempt: int = 0
    renewed: bool = False
    doubt: bool = False
    uncertain: bool = False
    outcome: Outcome = field(default_factory=lambda: Outcome(Certainty.NOT_SENT))
    decision: Decision = field(default_factory=lambda: Decision(Next.RETRY))
    request: requests.PreparedRequest | None = None
    download: Download | None = None
    seconds: float | None = None
    took: float = 0.0
    trace: tracing.Span = tracing.OFF


class Attempts:
    """Makes single attempts for one vendor account, as a client's base.

    :param settings: addresses and timeouts
    :param auth: how requests are signed
    :param budget: the shared rate budget
    :param redactor: knows the connection's secrets
    """

    def __init__(self, settings: Settings, auth: Auth, budget: Budget, redactor: Redactor) -> None:
        self.settings, self.auth, self.budget, self.redactor = settings, auth, budget, redactor
        self.wire = Wire(settings.headers)

    def attempt(self, progress: Progress) -> Generator[float, None, None]:
        """Make one attempt, whose outcome and what follows from it are then found in ``progress``.

        The slot is taken once the request is ready: getting a token may take a while, and vendors count arrivals. A
        request that would leave too late for its slot, or into a cooldown that began while it waited, takes another.
        One that is closed while it waits gives its slot back.

        :return: the seconds to wait, one by one, before going on
        :raises ApiError: when the request cannot be built, signed, or given a slot
        """
        slots = 1
        while True:
            request = self._sign(progress)
            wait = yield from self._reserve(progress)
            due = clock.monotonic() + wait
            with progress.trace.child("mkt.budget.wait", **{"mkt.budgets": " ".join(progress.call.endpoint.budgets)}):
                request = yield from self._wait(progress, request, wait, due)
            if wait > UNCHECKED and self._cooling(progress.call, clock.monotonic() - due):
                progress.in_vain += wait
                continue
            late = clock.monotonic() - due
            if late <= LATE or slots == SLOTS:
                break
            self._miss(progress.call, f"{late:.1f} s late for its slot of the rate budget", late)
            slots += 1
        self._send(progress, request)

    def _wait(
        self, progress: Progress, request: requests.PreparedRequest, wait: float, due: float
    ) -> Generator[float, None, requests.PreparedRequest]:
        """Wait for a slot, and give it back when nobody waits any more, or there is no token any more.

        :param wait: seconds until the slot begins
        :param due: when that is
        :return: the request, signed again shortly before its slot when it waited for long
        """
        try:
            if wait > STAYS_SIGNED:
                yield wait - SIGNING
                request = self._sign(progress)
                wait = max(0.0, due - clock.monotonic())
            yield wait
        except BaseException:
            self.budget.give_back(progress.call.endpoint.budgets, due - clock.monotonic())
            raise
        return request

    def _sign(self, progress: Progress) -> requests.PreparedRequest:
        """Build and sign the request. A failed token call says nothing about the request that needed the token."""
        try:
            return self._prepare(progress.call)
        except ApiError as error:
            settled = unsigned(progress.call, error, self.settings.vendor, doubt=progress.doubt)
            if settled is error:
                raise
        raise settled

    def _prepare(self, call: Call) -> requests.PreparedRequest:
        endpoint = call.endpoint
        try:
            request = prepare(call, self.settings.bases[endpoint.base], self.wire.session, self.auth)
        except ApiError:
            # The vendor's token call failed, and says so itself.
            raise
        except (requests.RequestException, ValueError, TypeError) as error:
            route = f"{endpoint.method} {endpoint.path}"
            problem = f"The request {route} cannot be put together: {self.redactor.text(str(error))}"
        else:
            # A token may have been fetched by another hook or process: this client has to learn what to hide.
            self.redactor.add(request.headers.get("Authorization", "").partition(" ")[2])
            return request
        raise ValidationError(problem, vendor=self.settings.vendor, method=endpoint.method, path=endpoint.path)

    def _reserve(self, progress: Progress) -> Generator[float, None, float]:
        """Take a slot of the rate budget and return the seconds until it begins.

        What may wait no longer raises :class:`RateLimitError`, which says when to come back. A launch that may have
        happened is seen through, so that it is known what became of it. A poll is given slots of the near future only,
        and asks again when there is none.

        :return: the seconds to wait, one by one, before asking again
        """
        call = progress.call
        patient = progress.doubt or (call.priority is Priority.POLL and progress.longest is None)
        longest = HOUR if patient else max(0.0, (progress.longest or MAX_WAIT) - progress.in_vain)
        until, left = clock.monotonic() + longest, longest
        while True:
            try:
                wait = self.budget.reserve(call.endpoint.budgets, call.priority, left)
            except RateLimitError as error:
                again = error.retry_after or ASK_AGAIN
                if progress.doubt:
                    route = f"{self.settings.vendor} {call.endpoint.method} {call.endpoint.path}"
                    lost = f"{route} may have been executed: {error}"
                    break
                if call.priority is not Priority.POLL or again > left:
                    raise
            else:
                self._say_wait(call, wait)
                return wait
            # Those who ask again come one by one, shortly before there is room.
            yield max(0.1, min(MAX_NAP, again) - ASK_AGAIN * random.random())  # noqa: S311 - spreads them
            left = max(0.0, until - clock.monotonic())
        raise OutcomeUnknownError(lost, vendor=self.settings.vendor)

    def _cooling(self, call: Call, late: float) -> bool:
        """Whether another's 429 began a cooldown while this request waited; its slot is given up then."""
        left = self.budget.cooldown(call.endpoint.budgets)
        if left > 0:
            self._miss(call, f"its slot of the rate budget lies in a cooldown of another {left:.1f} s", late)
        return left > 0

    def _miss(self, call: Call, why: str, late: float) -> None:
        endpoint = call.endpoint
        route = f"{self.settings.vendor} {endpoint.method} {endpoint.path}"
        log.info("%s: %s, so it takes another one", route, why)
        self.budget.missed(endpoint.budgets, late)

    def _say_wait(self, call: Call, wait: float) -> None:
        vendor, budgets = self.settings.vendor, call.endpoint.budgets
        if wait > WORTH_A_LINE:
            log.info("%s: waiting %.1f s for the rate budget %s", vendor, wait, " and ".join(budgets))
        metrics.wait(vendor, budgets, wait)

    def _send(self, progress: Progress, request: requests.PreparedRequest) -> None:
        """Send the request and decide what follows. The only place that sends anything."""
        progress.attempt += 1
        progress.request = request
        endpoint = progress.call.endpoint
        begun = time.monotonic()
        with progress.trace.child("mkt.vendor", **{"mkt.attempt": progress.attempt}) as sent:
            request.headers.update(sent.headers())
            outcome, progress.download = self.wire.exchange(
                progress.call,
                request,
                self.settings,
                stream=progress.stream,
                fence=progress.fence,
                seconds=progress.seconds,
            )
            sent.answered(outcome.known.name, outcome.status)
        took = progress.took = time.monotonic() - begun
        log.debug("%s %s %s: %s in %.3f s", self.settings.vendor, endpoint.method, endpoint.path, outcome.status, took)
        metrics.request(self.settings.vendor, endpoint.method, endpoint.path, outcome.known.name, took)
        self.budget.observe(endpoint.budgets, outcome)
        progress.outcome = _as_declared(progress, outcome)
        self._decide(progress, progress.outcome)

    def _decide(self, progress: Progress, outcome: Outcome) -> None:
        curable = progress.call.endpoint.authenticated and outcome.status in self.auth.renewable
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


def _as_declared(progress: Progress, outcome: Outcome) -> Outcome:
    """Read an outcome as the endpoint declares it: gone after an uncertain deletion is deleted, a 429 may be final."""
    endpoint = progress.call.endpoint
    if endpoint.gone_is_done and progress.uncertain and outcome.status in (404, 410):
        return replace(outcome, known=Certainty.ANSWERED, answer=None)
    if endpoint.final_429 and outcome.known is Certainty.THROTTLED:
        return replace(outcome, known=Certainty.REFUSED)
    return outcome
