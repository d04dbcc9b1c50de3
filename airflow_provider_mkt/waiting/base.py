# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A watch looks at one thing at a vendor and tells its state."""

from __future__ import annotations

import dataclasses
import logging
from abc import ABC, abstractmethod
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_mkt.client.endpoint import Call
from airflow_provider_mkt.exceptions import INCURABLE, ApiError, RateLimitError
from airflow_provider_mkt.hooks.base import MarketingHook

if TYPE_CHECKING:
    from airflow_provider_mkt.client.redaction import Redactor
    from airflow_provider_mkt.waiting.listing import Listing

log = logging.getLogger(__name__)

TOLERATED = 10
"""Failed polls in a row after which the wait ends."""


class WaitState(Enum):
    """The state of what is waited for."""

    PENDING = "pending"
    UNKNOWN = "unknown"
    """An unknown status. Waited through like PENDING, and named when time runs out; never a success."""
    DONE = "done"
    FAILED = "failed"


FINAL = (WaitState.DONE, WaitState.FAILED)


@dataclass(frozen=True)
class Verdict:
    """What one look told.

    :param state: what that means for the wait
    :param status: the vendor's status, or several of them
    :param message: a sentence for the log and for errors
    :param answer: JSON that the waiting task returns
    :param untouched: for failures: the vendor did nothing at all, so that a retry may submit again
    """

    state: WaitState
    status: str
    message: str
    answer: Any = None
    untouched: bool = False

    @property
    def final(self) -> bool:
        """Whether waiting is over."""
        return self.state in FINAL

    def redacted(self, redactor: Redactor) -> Verdict:
        """Return the verdict without secrets and personal data: the vendor's words end in logs, errors and XComs."""
        answer = self.answer
        if isinstance(answer, dict):
            # One by one: the redactor leaves out what follows the hundredth key.
            answer = {name: shown for item in answer.items() for name, shown in redactor.data(dict([item])).items()}
        status, message = redactor.text(self.status), redactor.text(self.message)
        return dataclasses.replace(self, status=status, message=message, answer=answer)

    def event(self) -> dict[str, Any]:
        """Return the verdict as JSON, to travel from a trigger to its task."""
        return {**dataclasses.asdict(self), "state": self.state.value}

    @classmethod
    def of(cls, event: dict[str, Any]) -> Verdict:
        """Return the verdict that :meth:`event` described; earlier versions say ``stand`` for ``state``."""
        state = event.get("state", event.get("stand"))
        fields = {name: value for name, value in event.items() if name != "stand"}
        return cls(**{**fields, "state": WaitState(state)})


@dataclass(frozen=True)
class Watch(ABC):
    """Something to wait for. Subclasses are frozen dataclasses of plain data: ids, never secrets.

    One that names a ``listing`` is looked at together with all others of the account that are in that list. It then
    says in :meth:`ids` and :meth:`judge` what :meth:`poll` says for one that looks alone.
    """

    hook: ClassVar[type[MarketingHook]]
    listing: ClassVar[Listing | None] = None

    @abstractmethod
    def poll(self) -> Generator[Call, Any, Verdict]:
        """Yield the calls to make, be sent their answers, return the verdict."""

    def cancel(self) -> Generator[Call, Any, str] | None:
        """Stop it at the vendor, where that is possible: yield the calls, return what was done. None: impossible."""
        return None

    def ids(self) -> Sequence[str]:
        """Return the ids of the rows that :meth:`judge` needs."""
        raise NotImplementedError

    def judge(self, rows: Mapping[str, Any]) -> Verdict:
        """Return the verdict on the rows of a list, by id; None is what the list does not show."""
        raise NotImplementedError

    def settled(self, row: Any) -> bool:  # noqa: ARG002 - for watches of several things
        """Tell whether one of several things has come to its end, so that it need not be read again."""
        return False

    def occasion(self, verdict: Verdict) -> str:
        """Return what tells one occasion on which this is done from the next one, for those who want to know of each.

        By default that is the status, and nothing while it is under way: once done, it has to begin again first.
        """
        return verdict.status if verdict.state is WaitState.DONE else ""

    def first_counts(self) -> bool:
        """Tell whether it is an occasion when this is done at the very first poll."""
        return True

    def arguments(self) -> dict[str, Any]:
        """Return the fields, to rebuild this watch elsewhere."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @property
    def path(self) -> str:
        """Where the class is found."""
        return f"{type(self).__module__}.{type(self).__qualname__}"


def state_of(status: str, targets: Collection[str], pending: Collection[str], failed: Collection[str]) -> WaitState:
    """Place a status: reached, failed, still under way, or unheard of."""
    if status in targets:
        return WaitState.DONE
    if status in failed:
        return WaitState.FAILED
    return WaitState.PENDING if status in pending else WaitState.UNKNOWN


def overall(states: Iterable[WaitState]) -> WaitState:
    """Combine the parts of one order: nothing is settled before every part is."""
    found = set(states)
    return next(
        (state for state in (WaitState.UNKNOWN, WaitState.PENDING, WaitState.FAILED) if state in found), WaitState.DONE
    )


class FailedPolls:
    """Outlasts a vendor that does not answer for a while: ten failed polls in a row end the wait."""

    def __init__(self) -> None:
        self._failures = 0
        self._told = ""

    def reset(self, verdict: Verdict) -> None:
        """Note a poll that worked, and log what it showed when that is new."""
        self._failures = 0
        if verdict.message != self._told:
            self._told = verdict.message
            log.log(logging.WARNING if verdict.state is WaitState.UNKNOWN else logging.INFO, "%s", verdict.message)

    def give_up_on(self, error: ApiError) -> bool:
        """Note a poll that failed; return whether it is hopeless to poll again. One that has to wait did not fail."""
        if isinstance(error, RateLimitError):
            log.info("Not polled this time: %s", error)
            return False
        self._failures += 1
        log.warning("The poll failed, %d in a row: %s", self._failures, error)
        return self._failures >= TOLERATED or isinstance(error, INCURABLE)
