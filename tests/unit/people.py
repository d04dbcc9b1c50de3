# Licensed under the Apache License, Version 2.0; see LICENSE.
"""People who answer the questions of tasks, as Airflow's Required Actions has them do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskAwaitingInput


@dataclass
class Asking:
    """A question as Airflow keeps it: its first text for ever, also when the task asks something else."""

    options: list[str]
    subject: str
    body: str
    answered: bool = False


@dataclass
class People:
    """Whoever answers, and what Airflow shows them.

    :param asked: every question of any task, in order
    :param page: the one that Airflow shows; None when there is none
    """

    asked: list[Asking] = field(default_factory=list)
    page: Asking | None = None

    def put(
        self,
        ti: Any,
        options: Sequence[str],
        subject: str,
        body: str,
        params: Mapping[str, Any],
    ) -> bool:
        """Take a question, as Airflow's API server does."""
        self.asked.append(Asking(list(options), subject, body))
        if self.page is None:
            self.page = self.asked[-1]
        self.page.answered = False
        return self.page.options == list(options)

    def event(self, option: str, reason: str | None = None, by: str = "ana") -> dict[str, Any]:
        """Return what Airflow resumes the task with."""
        assert self.page is not None
        assert option in self.page.options
        user = {"id": by, "name": by}
        return {"chosen_options": [option], "params_input": {"reason": reason}, "responded_by_user": user}

    def yes(self, **parts: Any) -> dict[str, Any]:
        """Approve what Airflow shows."""
        assert self.page is not None
        return self.event(self.page.options[0], **parts)

    def no(self, **parts: Any) -> dict[str, Any]:
        """Refuse what Airflow shows."""
        assert self.page is not None
        return self.event(self.page.options[-1], **parts)


def waiting(run: Callable[..., Any], *args: Any) -> TaskAwaitingInput:
    """Run a task that has to ask, and return how it waits."""
    with pytest.raises(TaskAwaitingInput) as caught:
        run(*args)
    return caught.value


def resume(operator: Any, wait: TaskAwaitingInput, event: Mapping[str, Any], context: Any) -> Any:
    """Resume a task with an answer, as Airflow's task runner does."""
    return operator.resume_execution(wait.method_name, {**(wait.kwargs or {}), "event": event}, context)
