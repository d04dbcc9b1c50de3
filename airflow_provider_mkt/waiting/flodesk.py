# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Waiting for a segment's size or a subscriber's status. Vendor document: Flodesk API reference, version 1.0.0."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from airflow_provider_mkt.client.endpoint import Call, Priority
from airflow_provider_mkt.exceptions import MalformedResponseError, NotFoundError, ValidationError
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.vendors import flodesk
from airflow_provider_mkt.waiting.base import Verdict, WaitState, Watch, state_of

FINAL_STATUSES = frozenset(flodesk.SHOWN_STATUSES) - flodesk.MAILED_STATUSES
MAX_NAME = 255


def who(value: Any) -> str:
    """Return a subscriber's id or address, checked; messages do not quote it.

    :raises ValidationError: when it is neither
    """
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_NAME:
        raise ValidationError("id_or_email must be a subscriber's id or e-mail address, as text.")
    return value.strip()


def found_subscriber(subscriber: str, priority: Priority = Priority.LAUNCH) -> Generator[Call, Any, dict[str, Any]]:
    """Read a subscriber: yield the call, be sent its answer, return it.

    :param subscriber: id or address, see :func:`who`
    :raises NotFoundError: when there is none
    :raises MalformedResponseError: when the answer is about somebody else: nobody gets another one's mail
    """
    answer: dict[str, Any] = yield flodesk.GET_SUBSCRIBER(path={"id_or_email": subscriber}, priority=priority)
    address = answer.get("email")
    same = answer["id"] == subscriber or (
        "@" in subscriber and isinstance(address, str) and address.lower() == subscriber.lower()
    )
    if not same or "@" in answer["id"]:
        raise MalformedResponseError(
            "Flodesk answered with another subscriber than was asked for; nothing was done. Look the subscriber up "
            "there.",
            vendor=flodesk.VENDOR.name,
        )
    return answer


@dataclass(frozen=True)
class SegmentSizeWatch(Watch):
    """The number of active subscribers in a segment.

    :param segment_id: the segment
    :param minimum: how many there have to be
    """

    segment_id: str
    minimum: int

    hook = FlodeskHook

    def poll(self) -> Generator[Call, Any, Verdict]:
        """Read the segment."""
        answer = yield flodesk.GET_SEGMENT(path={"segment_id": self.segment_id}, priority=Priority.POLL)
        size = answer.get("total_active_subscribers")
        if isinstance(size, bool) or not isinstance(size, int):
            message = f"Flodesk does not tell how many active subscribers the segment {self.segment_id} has"
            return Verdict(WaitState.UNKNOWN, "unknown", message)
        message = f"Flodesk segment {self.segment_id} has {size} active subscribers of {self.minimum}"
        result = {"segment_id": self.segment_id, "total_active_subscribers": size}
        return Verdict(WaitState.DONE if size >= self.minimum else WaitState.PENDING, str(size), message, result)


@dataclass(frozen=True)
class SubscriberWatch(Watch):
    """The status of a subscriber whose id is known.

    :param subscriber_id: Flodesk's id
    :param targets: statuses that mean success
    """

    subscriber_id: str
    targets: list[str]

    hook = FlodeskHook

    def poll(self) -> Generator[Call, Any, Verdict]:
        """Read the subscriber."""
        answer = yield from found_subscriber(self.subscriber_id, Priority.POLL)
        return _judged(answer, self.targets)


@dataclass(frozen=True, repr=False)
class AddressWatch(Watch):
    """The status of somebody who is known by address, and may not have subscribed yet. It never leaves the worker.

    :param address: the e-mail address
    :param targets: statuses that mean success
    """

    address: str
    targets: list[str]

    hook = FlodeskHook

    def poll(self) -> Generator[Call, Any, Verdict]:
        """Read the subscriber; not to be one yet is to be waited through."""
        try:
            answer = yield from found_subscriber(self.address, Priority.POLL)
        except NotFoundError:
            message = "Flodesk has no subscriber of that address yet"
            return Verdict(WaitState.PENDING, "not subscribed", message)
        return _judged(answer, self.targets)

    def arguments(self) -> dict[str, Any]:
        """Refuse to be taken elsewhere: Airflow stores and shows what it takes.

        :raises TypeError: always
        """
        raise TypeError("an address is never handed to a trigger; use SubscriberWatch")


def _judged(answer: dict[str, Any], targets: list[str]) -> Verdict:
    status = str(answer.get("status"))
    state = state_of(status, targets, flodesk.MAILED_STATUSES, FINAL_STATUSES)
    result = {"subscriber_id": answer["id"], "status": status}
    return Verdict(state, status, f"Flodesk subscriber {answer['id']}: {status}", result)
