# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Answers to tasks that ask a person, so that a test never waits for one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

Answer = bool | str | None
"""True for the first option, False for the last one, or an option."""
Approve = Answer | Mapping[str, Answer]


class UnansweredError(AssertionError):
    """A task asks a person, and the test says nothing of it."""


class Approvals:
    """What a test answers.

    :param approve: one answer to all, or answers by task id; None lets the time for an answer pass
    """

    def __init__(self, approve: Approve) -> None:
        self._approve = approve

    def answer(self, instances: list[Any], session: Session) -> bool:
        """Answer the tasks that wait, and tell whether there were any.

        :raises UnansweredError: when one waits without a time limit, and there is no answer to it
        :raises ValueError: when the answer is none of its options
        """
        from airflow.models.hitl import HITLDetail
        from airflow.models.trigger import handle_event_submit
        from airflow.sdk import timezone
        from airflow.triggers.base import TriggerEvent
        from airflow.utils.state import TaskInstanceState

        answered = False
        for each in instances:
            if each.state != TaskInstanceState.AWAITING_INPUT:
                continue
            detail = session.get(HITLDetail, each.id)
            if detail is None:
                raise UnansweredError(f"The task {each.task_id} waits for a person whom it has asked nothing.")
            chosen = self._chosen(each, detail)
            if chosen is None:
                continue
            detail.chosen_options, detail.params_input = [chosen], _as_asked(detail.params or {})
            detail.responded_at, detail.responded_by = timezone.utcnow(), {"id": "test", "name": "test"}
            handle_event_submit(TriggerEvent(detail.as_resume_event_payload()), task_instance=each, session=session)
            answered = True
        session.commit()
        return answered

    def _chosen(self, instance: Any, asked: Any) -> str | None:
        approve, options = self._approve, list(asked.options)
        answer = approve.get(instance.task_id) if isinstance(approve, Mapping) else approve
        if answer is None:
            if instance.trigger_timeout is None:
                raise UnansweredError(
                    f"The task {instance.task_id} asks a person: {asked.subject!r}. Say what is "
                    f"answered: approve={{{instance.task_id!r}: {options[0]!r}}}."
                )
            return None
        chosen = answer if isinstance(answer, str) else options[0 if answer else -1]
        if chosen not in options:
            raise ValueError(f"{chosen!r} is no answer to the task {instance.task_id}; it takes {', '.join(options)}")
        return chosen


def _as_asked(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the form's fields as they were filled in beforehand."""
    return {name: _value(each) for name, each in params.items()}


def _value(field: Any) -> Any:
    return field["value"] if isinstance(field, dict) and "value" in field else field
