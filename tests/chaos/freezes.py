# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The freeze matrix as data: where a try stands still, how it is given up, when it thaws, and how the launch ends.

A freeze differs from a kill: what was frozen goes on, minutes later, beside the try that took its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from tests.chaos import steps
from tests.chaos.subjects import End, Left, Subject


class Where(str, Enum):
    """Where a try stands still, in order."""

    BEFORE_INTENT = "before the intent"
    AFTER_INTENT = "after the intent"
    BUDGET = "in the budget wait"
    CONNECTED = "when connected"
    ASKED = "in the fence, before its record"
    RECORDED = "in the fence, behind its record"
    OPEN = "behind the fence, before the first byte"
    HEAD = "between head and body"
    LAST = "before the last byte"
    SENT = "after the send"


class Course(str, Enum):
    """How Airflow, or a user, gives the frozen try up."""

    RETRY = "retry"
    CLEAR = "clear"
    CLEAR_TWICE = "clear twice"
    MARKED = "marked failed"


class Thaw(str, Enum):
    """When the frozen try goes on."""

    BEFORE = "before the next try"
    AFTER = "after the next try"
    AT_ONCE = "with the next try"


@dataclass(frozen=True)
class Freeze:
    """One cell of the matrix, without its operator."""

    where: Where
    course: Course
    thaw: Thaw

    def __str__(self) -> str:
        return f"frozen {self.where.value}, {self.course.value}, thawed {self.thaw.value}"

    @property
    def keeps_id(self) -> bool:
        """Whether the frozen try still has its id when it goes on: what is marked as failed keeps it until a clear."""
        return self.course is Course.MARKED and self.thaw is Thaw.BEFORE

    @property
    def left(self) -> Left:
        """What the frozen try leaves behind for the others."""
        if self.where is Where.SENT:
            return Left.RECEIPT if self.keeps_id else Left.DONE
        if self.where in (Where.RECORDED, Where.OPEN, Where.HEAD):
            # Only who still has the id can take the record back.
            return Left.NOTHING if self.keeps_id else Left.DOUBT
        return Left.NOTHING

    @property
    def certain(self) -> bool:
        """Whether the record always says that nothing left."""
        return list(Where).index(self.where) < list(Where).index(Where.RECORDED)

    def needs_a_person(self, subject: Subject) -> bool:
        """Whether it cannot be told what became of the launch, so that a person has to look."""
        return subject.ends[self.left] is not End.ONCE


TABLE = tuple(where for where in Where if where is not Where.LAST)
"""Where a freeze never has a launch happen twice. What is left out are some microseconds, which nothing can tell."""
FREEZES = tuple(Freeze(where, course, thaw) for where in TABLE for course in Course for thaw in Thaw)
NO_BODY = {"flodesk_workflow", "flokit"}
"""Subjects whose request has a head only: the moment behind the fence is the one before the last byte."""
WAIT = 5.0
"""Seconds that a try is made to wait for its rate budget."""


def arm(where: Where, act: Callable[[], None], store: Any) -> None:
    """Have ``act`` called when this process comes to ``where`` for the first time.

    :param store: the task state store, an object or its class
    """
    from http.client import HTTPConnection

    from urllib3.connection import HTTPConnection as Pooled

    once = steps.Once(act)
    simple: dict[Where, Callable[[], None]] = {
        Where.BEFORE_INTENT: lambda: steps.on_write(store, "intent", once, early=True),
        Where.AFTER_INTENT: lambda: steps.on_write(store, "intent", once),
        Where.BUDGET: lambda: steps.on_write(store, "intent", lambda: _wait_for_budget(once)),
        Where.CONNECTED: lambda: steps.Wire(fresh=True).at(Pooled, "connect", lambda *_: once()),
        Where.ASKED: lambda: steps.on_write(store, "leaving", once, early=True),
        Where.RECORDED: lambda: steps.on_write(store, "leaving", once),
        Where.OPEN: lambda: steps.Wire().at(HTTPConnection, "send", lambda *_: once(), early=True),
        Where.LAST: lambda: steps.Wire().at(
            HTTPConnection, "send", lambda _, data: _at_the_last(data, once), early=True
        ),
        Where.HEAD: lambda: steps.Wire().at(HTTPConnection, "send", lambda *_: once()),
        Where.SENT: lambda: steps.Wire().at(Pooled, "getresponse", lambda *_: once(), early=True),
    }
    simple[where]()


def _at_the_last(data: bytes, act: Callable[[], None]) -> None:
    """Act when ``data`` is the last piece of a request: its body, or its head when it has none."""
    head = data.startswith(b"POST ")
    if not head or b"content-length: 0" in data.lower() or b"content-length" not in data.lower():
        act()


def _wait_for_budget(act: Callable[[], None]) -> None:
    """Have the rate budget say "wait", and act when that is waited for."""
    import time

    from airflow_provider_mkt.state.budgets.shared import SharedBudget

    reserve, sleep = SharedBudget.reserve, time.sleep

    def later(*args: Any, **options: Any) -> float:
        return max(WAIT, reserve(*args, **options))

    def stand_still(seconds: float) -> None:
        if seconds > WAIT / 2:
            SharedBudget.reserve, time.sleep = reserve, sleep  # type: ignore[method-assign]
            act()
        else:
            sleep(seconds)

    SharedBudget.reserve, time.sleep = later, stand_still  # type: ignore[method-assign,assignment]


WITH_ANALYTICS = "flow_living_analytics"
"""The connection with an analytics host, where the default one has none."""
REAL: Mapping[str, tuple[str, Where]] = {
    "before_intent": ("flinque", Where.BEFORE_INTENT),
    "after_intent": ("flow_living", Where.AFTER_INTENT),
    "in_the_budget_wait": ("flokit", Where.BUDGET),
    "connected": ("flodesk_workflow", Where.CONNECTED),
    "asked": ("flodesk_segment", Where.ASKED),
    "recorded": ("flow_social", Where.RECORDED),
    "head": ("flow_social_batch", Where.HEAD),
    "sent": ("flinque_campaign", Where.SENT),
    "open": ("flow_social_media", Where.OPEN),
    "flinque_webhook": ("flinque_webhook", Where.AFTER_INTENT),
    "flow_social_webhook": ("flow_social_webhook", Where.CONNECTED),
    "flodesk_webhook": ("flodesk_webhook", Where.ASKED),
    "found_by_analytics": ("flow_living_with_analytics", Where.SENT),
    "repeated": ("flodesk_upsert", Where.OPEN),
}
"""What is frozen under a real scheduler: for each task its subject, and where its first try stands still. What leaves a
doubt is sent again with its key at once; a list would have to be waited for."""
