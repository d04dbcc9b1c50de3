# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a preflight found: problems that would stop the launch, and questions that got no answer."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowNotFoundException

from airflow_provider_mkt.exceptions import INCURABLE, ApiError, RateLimitError, ValidationError

if TYPE_CHECKING:
    from airflow_provider_mkt.hooks.base import MarketingHook

log = logging.getLogger(__name__)

MAX_TOLD = 50
"""Problems that a message names."""


class Findings:
    """Collects the answers of all steps, so that none hides another.

    :ivar problems: what has to be corrected, in the order of the launch
    :ivar unanswered: what could not be asked, and why: a vendor that is down, for example
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.unanswered: list[tuple[str, ApiError]] = []

    @property
    def count(self) -> int:
        """How much was found so far."""
        return len(self.problems) + len(self.unanswered)

    def add(self, place: str, problem: str) -> None:
        """Note a problem.

        :param place: what it is about, such as ``post 2``
        :param problem: what is wrong, and what to do
        """
        self.problems.append(f"{place}: {problem}")

    @contextmanager
    def about(self, place: str) -> Iterator[None]:
        """Note a refusal of the block as a problem of ``place``, and go on behind the block.

        :raises RateLimitError: as it comes, so that the task can be rescheduled
        """
        try:
            yield
        except RateLimitError:
            raise
        except AirflowNotFoundException as error:
            self.add(place, f"{str(error).rstrip('.')}. Create the connection.")
        except INCURABLE as error:
            self.add(place, str(error))
        except ApiError as error:
            self.unanswered.append((place, error))

    def settle(self) -> None:
        """Raise what was found, all of it in one message.

        :raises ValidationError: when something has to be corrected: a retry would find it again
        :raises ApiError: when all that is wrong is that a vendor did not answer: a retry asks again
        """
        silent = [f"{place}: could not be asked: {error}" for place, error in self.unanswered]
        if not self.problems:
            for _, error in self.unanswered:
                raise type(error)(
                    _told("Not everything could be asked, so nothing was begun", silent), vendor=error.vendor
                )
            return
        number = f"{len(self.problems)} problem{'s' * (len(self.problems) > 1)}"
        raise ValidationError(_told(f"Nothing was begun: the launch has {number}", [*self.problems, *silent]))


def _told(title: str, lines: list[str]) -> str:
    more = [f"… and {len(lines) - MAX_TOLD:,} more"] if len(lines) > MAX_TOLD else []
    return "\n- ".join([f"{title}.", *lines[:MAX_TOLD], *more])


def connected(findings: Findings, hook: MarketingHook) -> bool:
    """Have a connection checked, and make one harmless call with it. Returns whether that worked."""
    before = findings.count
    with findings.about(f"connection {hook.conn_id!r}"):
        log.info("%s", hook.check())
    return findings.count == before


def meant(name: str, known: Iterable[str]) -> str:
    """Return how a message about an unknown name ends: with the one that is alike, or with those that there are."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, 1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; it has {', '.join(names[:10])}{' …' * (len(names) > 10)}" if names else "; it has none"
