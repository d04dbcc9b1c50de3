# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a trigger fires. Airflow writes it into the task's log as Python shows it, so it is shown as a sentence."""

from __future__ import annotations

from typing import Any

from airflow.triggers.base import TriggerEvent


class WaitEvent(TriggerEvent):
    """The end of a wait. To Airflow it is a plain event; in the log it is what the task will say.

    :param payload: a verdict, or an error, as JSON; redacted, as :meth:`.Verdict.event` and :meth:`.ApiError.to_event`
        return it
    """

    def __init__(self, payload: dict[str, Any]) -> None:
        super().__init__(payload)  # type: ignore[no-untyped-call]

    def __repr__(self) -> str:
        """Return the payload's sentence; its other fields are for the task."""
        told = self.payload if isinstance(self.payload, dict) else {}
        return str(told.get("message") or told.get("status") or "the wait is over")

    __str__ = __repr__
