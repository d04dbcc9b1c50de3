# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What is to be submitted, and what a vendor shows of it afterwards."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_mkt.client.endpoint import Call
from airflow_provider_mkt.client.redaction import HIDDEN, MIN_SECRET
from airflow_provider_mkt.state.launches.launch import Effect
from airflow_provider_mkt.submission.record import OURS, OURS_RECEIPT, SETTLED, Record
from airflow_provider_mkt.submission.task_key import TaskKey

__all__ = [
    "ABSENT",
    "OURS",
    "OURS_RECEIPT",
    "SETTLED",
    "Effect",
    "Finding",
    "SubmissionRequest",
    "TaskKey",
    "first_words",
]

ABSENT: dict[str, Any] = {}
"""What a trace returns when the vendor shows that the submission never happened; recognised by identity."""


@dataclass(frozen=True)
class Finding:
    """What the vendor shows of a submission whose answer was lost.

    :param receipt: what to follow it by; None when it was not found
    :param absent: whether that proves that it never happened
    :param showed: what was seen, in words for people
    """

    receipt: dict[str, Any] | None = None
    absent: bool = False
    showed: str = ""

    @classmethod
    def of(cls, found: Finding | dict[str, Any] | None) -> Finding:
        """Return what a trace returned as a finding."""
        if isinstance(found, Finding):
            return found
        return cls(absent=True) if found is ABSENT else cls(receipt=found or None)


SHOWN = 60
"""Characters of a text that a summary shows."""


def first_words(text: str, secrets: Iterable[str]) -> str:
    """Return the beginning of a text, on one line: the register and everybody who looks at a launch shows it.

    :param secrets: of the connection, which somebody may have pasted into it
    """
    for secret in secrets:
        if len(secret) >= MIN_SECRET:
            text = text.replace(secret, HIDDEN)
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"


Trace = Callable[[Record], Generator[Call, Any, "Finding | dict[str, Any] | None"]]


def _nothing() -> None:
    """Confirm that a request may leave."""


@dataclass(frozen=True)
class SubmissionRequest:
    """What is to be submitted.

    :param vendor: the vendor's name
    :param what: what it starts, for messages, e.g. "campaign"
    :param body: the exact request body
    :param call: builds the request from a body and an idempotency key
    :param prepare: called right before a first submission: refuses what can only be refused then, such as a start that
        has passed, and returns what has to be known of the time before. Under :data:`OURS` it names what the vendor
        lists under the task's own reference already, under :data:`OURS_RECEIPT` what to follow that by if not by these
    :param receipt: takes from the answer what the submission is followed by
    :param reference: what to look for at the vendor
    :param id_field: name of the receipt's field that holds the vendor's id or ids; a plural holds a list
    :param trace: asks the vendor what became of a recorded submission: returns its receipt, :data:`ABSENT` when it
        certainly did not happen, None when that cannot be told, or all that as a :class:`Finding`; the whole is None
        where the vendor cannot be asked
    :param untraceable: why the vendor cannot be asked, for people
    :param settled: seconds after a lost answer from which on the vendor shows whatever it has taken
    :param confirm: called in the fence, right before the request leaves; raises when it must not leave any more
    :param follows: key of the record that this request goes on from, when it sends what that one left undone
    :param parts: for a batch: of how many parts it consists, each with an id of its own
    :param echoed: fields of the body that the answer may show: an answer that shows another value is not ours
    :param effect: what it means to a marketer
    """

    vendor: str
    what: str
    body: Any
    call: Callable[[Any, str], Call]
    receipt: Callable[[Any], dict[str, Any]]
    reference: str
    id_field: str
    prepare: Callable[[], dict[str, Any]] = dict
    trace: Trace | None = None
    untraceable: str = ""
    settled: float = SETTLED
    confirm: Callable[[], None] = _nothing
    follows: str = ""
    parts: int = 0
    echoed: frozenset[str] = frozenset()
    effect: Effect = field(default_factory=Effect)
