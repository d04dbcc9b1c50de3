# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The decisions of a submission, as tables: what a try finds, what it asks, how its request ends, and what follows.

Nothing here does anything. :mod:`.submit` looks a decision up and carries it out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from airflow_provider_mkt.exceptions import (
    MalformedResponseError,
    OutcomeUnknownError,
    RateLimitError,
    StoppedError,
)
from airflow_provider_mkt.submission.record import ADOPTED, FAILED, HELD, REFUSED, SUBMITTED, Record, fingerprint
from airflow_provider_mkt.submission.request import Finding, SubmissionRequest, TaskKey


class Found(Enum):
    """What a try finds when it begins."""

    NOTHING = "no record"
    OVER = "the last submission did not happen, failed without effect, or was forgotten"
    REPLACED = "a submission, and the wish to submit again"
    HELD = "a submission that was held back: the vendor listed the task's own reference before it"
    COPIED = "an open submission of another deployment: this is a copy of its database, or its name was changed"
    NOT_SENT = "an intent, of which certainly nothing was sent"
    CHANGED = "a submission with another body"
    ACCEPTED = "a receipt"
    ELSEWHERE = "an open submission through another connection"
    IN_DOUBT = "a request that may have been executed"
    EXECUTED = "a request that the vendor confirmed, with an answer that could not be read"


class Opening(Enum):
    """What a try begins with."""

    SUBMIT = "submit, under the next generation of the key"
    SUBMIT_STILL = "submit, under the key that was never sent"
    ATTACH = "attach to the receipt; nothing is sent"
    SETTLE = "find out what became of it"
    REFUSE = "fail and say why; nothing is sent"


OPENING: Mapping[Found, Opening] = {
    Found.NOTHING: Opening.SUBMIT,
    Found.OVER: Opening.SUBMIT,
    Found.REPLACED: Opening.SUBMIT,
    Found.HELD: Opening.SUBMIT_STILL,
    Found.COPIED: Opening.REFUSE,
    Found.NOT_SENT: Opening.SUBMIT_STILL,
    Found.CHANGED: Opening.REFUSE,
    Found.ACCEPTED: Opening.ATTACH,
    Found.ELSEWHERE: Opening.REFUSE,
    Found.IN_DOUBT: Opening.SETTLE,
    Found.EXECUTED: Opening.SETTLE,
}


@dataclass(frozen=True)
class Situation:
    """A record, and what is to be submitted today.

    :param record: the record
    :param request: what is to be submitted
    :param task_key: of the running task
    :param here: name of this deployment
    :param resubmit: submit although an earlier submission is recorded; counts once per clearing of the task
    """

    record: Record
    request: SubmissionRequest
    task_key: TaskKey
    here: str
    resubmit: bool = False

    @property
    def replaced(self) -> bool:
        """Whether the record does not count any more."""
        return is_replaced(self.record, self.request.follows, self.task_key, resubmit=self.resubmit)

    @property
    def copied(self) -> bool:
        """Whether to go on from it would be up to another deployment."""
        is_open = self.record.state != SUBMITTED
        return (is_open or self.replaced) and self.record.deployment not in ("", self.here)

    @property
    def changed(self) -> bool:
        """Whether the body is another one than the recorded one."""
        return self.record.fingerprint != fingerprint(self.request.body)

    @property
    def elsewhere(self) -> bool:
        """Whether the connection is another one than the recorded one, if that was recorded."""
        return self.record.conn_id not in ("", self.task_key.conn_id)


FINDING: tuple[tuple[Found, Callable[[Situation], bool]], ...] = (
    (Found.OVER, lambda now: now.record.state in (REFUSED, FAILED)),
    (Found.COPIED, lambda now: now.copied),
    (Found.REPLACED, lambda now: now.replaced),
    (Found.HELD, lambda now: now.record.state == HELD),
    (Found.NOT_SENT, lambda now: now.record.left_nothing),
    (Found.CHANGED, lambda now: now.changed),
    (Found.ACCEPTED, lambda now: now.record.state == SUBMITTED),
    (Found.ELSEWHERE, lambda now: now.elsewhere),
    (Found.EXECUTED, lambda now: now.record.executed),
    (Found.IN_DOUBT, lambda _: True),
)
"""What a record is taken for: the first that holds."""


def find(now: Situation) -> Found:
    """Name what a try finds when there is a record."""
    return next(found for found, holds in FINDING if holds(now))


def is_replaced(record: Record, follows: str, task_key: TaskKey, *, resubmit: bool) -> bool:
    """Tell whether a record does not count any more: it goes on from another one, or another launch is wanted."""
    asked = resubmit and record.clear_count not in (task_key.clear_count, ADOPTED)
    return record.follows != follows or asked


class Settling(Enum):
    """What follows from what the vendor shows of a request whose answer was lost."""

    RECORD = "record what was found as the receipt"
    SUBMIT = "submit, under the next generation of the key: it never happened"
    LATER = "leave it to a later try: the vendor may not show it yet"
    PERSON = "leave it to a person"


class Shown(Enum):
    """What the vendor shows."""

    FOUND = "it is there"
    ABSENT = "it is not there"
    UNCLEAR = "that cannot be told"

    @classmethod
    def by(cls, finding: Finding) -> Shown:
        """Name what was found."""
        if finding.receipt:
            return cls.FOUND
        return cls.ABSENT if finding.absent else cls.UNCLEAR


SETTLING: Mapping[tuple[Shown, bool, bool], Settling] = {
    # shown, whether the vendor has had its time, whether it has confirmed the request
    (Shown.FOUND, False, False): Settling.RECORD,
    (Shown.FOUND, False, True): Settling.RECORD,
    (Shown.FOUND, True, False): Settling.RECORD,
    (Shown.FOUND, True, True): Settling.RECORD,
    (Shown.ABSENT, False, False): Settling.LATER,
    (Shown.ABSENT, False, True): Settling.LATER,
    (Shown.ABSENT, True, False): Settling.SUBMIT,
    (Shown.ABSENT, True, True): Settling.PERSON,
    (Shown.UNCLEAR, False, False): Settling.LATER,
    (Shown.UNCLEAR, False, True): Settling.LATER,
    (Shown.UNCLEAR, True, False): Settling.PERSON,
    (Shown.UNCLEAR, True, True): Settling.PERSON,
}


class Ending(Enum):
    """How sending a request ends."""

    ANSWERED = "an answer that can be read"
    UNREADABLE = "the vendor confirmed it, with an answer that cannot be read"
    LOST = "no answer, or one that contradicts itself: it may have been executed"
    LIMITED = "not executed: the rate limit is exhausted"
    REFUSED = "not executed"
    STOPPED = "the fence did not let it leave"

    @classmethod
    def by(cls, error: Exception) -> Ending:
        """Name the ending that an error tells of."""
        if isinstance(error, StoppedError):
            return cls.STOPPED
        if isinstance(error, MalformedResponseError):
            return cls.UNREADABLE if error.executed else cls.LOST
        if isinstance(error, OutcomeUnknownError):
            return cls.LOST
        return cls.LIMITED if isinstance(error, RateLimitError) else cls.REFUSED


class Closing(Enum):
    """What follows from that."""

    RECEIPT = "write the receipt"
    CLOSE = "note that it did not happen, and raise the error: a later try submits again"
    LEAVE = "leave the record as it is, and raise the error: it says what happened to this request"
    DOUBT = "note that it may have happened, and say what comes next"
    CONFIRM = "note that it happened, and say what comes next"
    SAY = "leave the record as it is, and say what comes next: an earlier request is still in doubt"


CLOSING: Mapping[tuple[Ending, bool], Closing] = {
    # how it ended, whether an earlier request of this record is in doubt
    (Ending.ANSWERED, False): Closing.RECEIPT,
    (Ending.ANSWERED, True): Closing.RECEIPT,
    (Ending.UNREADABLE, False): Closing.CONFIRM,
    (Ending.UNREADABLE, True): Closing.CONFIRM,
    (Ending.LOST, False): Closing.DOUBT,
    (Ending.LOST, True): Closing.DOUBT,
    (Ending.LIMITED, False): Closing.CLOSE,
    (Ending.LIMITED, True): Closing.LEAVE,
    (Ending.REFUSED, False): Closing.CLOSE,
    (Ending.REFUSED, True): Closing.SAY,
    (Ending.STOPPED, False): Closing.LEAVE,
    (Ending.STOPPED, True): Closing.LEAVE,
}
