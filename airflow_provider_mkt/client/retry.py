# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The one retry policy: a pure function that both drivers and the tests call."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from airflow_provider_mkt.client.endpoint import Safety
from airflow_provider_mkt.client.outcome import Certainty, Outcome

ATTEMPTS = 5
FIRST_WAIT = 1.0
MAX_WAIT = 60.0
"""Seconds. What takes longer is no business of a worker: the task is retried later instead."""


class Next(Enum):
    """What follows an attempt."""

    DONE = "done"
    RETRY = "retry"
    FAIL = "fail"
    UNKNOWN = "unknown"
    """Fail, and say that it is unknown whether it happened."""


@dataclass(frozen=True)
class Decision:
    """What to do now.

    :param next: retry, or how to end
    :param wait: seconds before the retry
    :param renew: whether the credentials are to be renewed before the retry
    """

    next: Next
    wait: float = 0.0
    renew: bool = False


def decide(
    safety: Safety, attempt: int, outcome: Outcome, *, renewed: bool = False, doubt: bool = False, jitter: float = 0.0
) -> Decision:
    """Decide what follows an attempt.

    :param safety: what may be repeated, see :class:`Safety`
    :param attempt: number of attempts made, from 1
    :param outcome: what the last attempt taught us
    :param renewed: whether the credentials were renewed already, or cannot be
    :param doubt: whether an earlier attempt of this call may have been executed
    :param jitter: between 0 and 1; spreads simultaneous retries over the upper half of the wait
    """
    if outcome.known is Certainty.ANSWERED:
        return Decision(Next.DONE)
    if outcome.known is Certainty.CONTRADICTED:
        # The same request would get the same answer.
        return Decision(Next.UNKNOWN)
    doubt = doubt or leaves_doubt(safety, outcome)
    if outcome.known is Certainty.UNAUTHORIZED and not renewed:
        return Decision(Next.RETRY, renew=True)
    if outcome.known in (Certainty.REFUSED, Certainty.UNAUTHORIZED) or not may_repeat(safety, outcome):
        return Decision(_end(doubt, outcome))
    wait = backoff(attempt, jitter) if outcome.retry_after is None else outcome.retry_after
    if attempt >= ATTEMPTS or wait > MAX_WAIT:
        return Decision(_end(doubt, outcome))
    return Decision(Next.RETRY, wait)


def may_repeat(safety: Safety, outcome: Outcome) -> bool:
    """Return whether a request may be sent again after ``outcome``: always, unless it is ONCE and may have happened."""
    return safety is not Safety.ONCE or outcome.known in (Certainty.NOT_SENT, Certainty.THROTTLED)


def leaves_doubt(safety: Safety, outcome: Outcome) -> bool:
    """Return whether a request that must not happen twice may have happened, or has, without leaving its result."""
    return safety in (Safety.KEYED, Safety.ONCE) and may_have_happened(outcome)


def may_have_happened(outcome: Outcome) -> bool:
    """Return whether the request may have been executed, or was, without leaving its result."""
    doubtful = (Certainty.UNKNOWN, Certainty.FAILED, Certainty.UNREADABLE, Certainty.CONTRADICTED)
    return outcome.known in doubtful


def _end(doubt: bool, outcome: Outcome) -> Next:
    """A later refusal does not undo an earlier attempt; an unreadable success does settle that it happened."""
    return Next.UNKNOWN if doubt and outcome.known is not Certainty.UNREADABLE else Next.FAIL


def backoff(attempt: int, jitter: float) -> float:
    """Return 1, 2, 4 … 60 seconds, of which the upper half is spread by ``jitter``."""
    full = min(MAX_WAIT, FIRST_WAIT * 2.0 ** (attempt - 1))
    return full / 2 + full / 2 * jitter
