# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Operators that ask a person before they send, and hold no worker meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_mkt.exceptions import ApprovalWantedError
from airflow_provider_mkt.operators.base import Hook, MarketingOperator
from airflow_provider_mkt.validation import positive

if TYPE_CHECKING:
    from airflow.sdk import BaseNotifier, Context

    from airflow_provider_mkt.state.launches.approvals import Asked
    from airflow_provider_mkt.state.launches.launch import Launch

T = TypeVar("T")

REQUIRED, NONE = "required", "none"
"""What ``approval`` may be."""


class AsksPeople(BaseOperator):
    """Asks a person, and waits for the answer without a worker.

    :param approval_timeout: how long an answer is waited for, in seconds; the task fails after that. None: without end
    :param approval_notifiers: notifiers that tell people that they are asked
    """

    asking = False
    """Whether the task asks right now, for notifiers."""

    def __init__(
        self,
        *,
        approval_timeout: float | timedelta | None = None,
        approval_notifiers: Sequence[BaseNotifier] | BaseNotifier = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.approval_timeout = None if approval_timeout is None else positive("approval_timeout", approval_timeout)
        self.approval_notifiers: list[BaseNotifier] = (
            list(approval_notifiers) if isinstance(approval_notifiers, Sequence) else [approval_notifiers]
        )

    def ask(self, context: Context, asked: Sequence[Asked], scope: str = "task", task: Launch | None = None) -> None:
        """Ask a person, and end this try until there is an answer. It returns only where that is known at once.

        :param asked: the requests
        :param scope: whether the answer is good for this ``task``, or for all of its ``run``
        :param task: names this task, where it launches nothing itself
        :raises TaskAwaitingInput: to have Airflow wait
        :raises ValidationError: in a test of a DAG, saying how to approve there
        :raises StoreError: when the shared store fails
        """
        from airflow.sdk.exceptions import TaskAwaitingInput

        from airflow_provider_mkt.state.launches.approvals import Approvals
        from airflow_provider_mkt.submission.approval import answer_here
        from airflow_provider_mkt.submission.question import REASON, Question
        from airflow_provider_mkt.submission.trial_run import waits_for_people
        from airflow_provider_mkt.tasks import required_action

        question = Question(asked)
        name = Approvals().ask(asked, question.code, scope, task)
        if not waits_for_people():
            answer_here(question, name)
            return
        shown = required_action.put(context["ti"], question.options, question.subject, question.body, REASON)
        self.log.info("%s Answer it in Required Actions, or: airflow mkt approvals show %s", question.subject, name[:8])
        if not shown:
            self.log.warning(
                "Airflow's Required Actions shows what this task asked earlier. That does not count any more: answer "
                "with 'airflow mkt approvals approve %s', or 'refuse'.",
                name[:8],
            )
        self._tell(context)
        wait = None if self.approval_timeout is None else timedelta(seconds=self.approval_timeout)
        raise TaskAwaitingInput(method_name="execute_approved", kwargs={"ask": name}, timeout=wait)

    def _tell(self, context: Context) -> None:
        """Tell people that they are asked. What goes wrong with that keeps nobody from answering."""
        from airflow_provider_mkt.tasks.telling import tell

        self.asking = True
        for notify in self.approval_notifiers:
            try:
                tell(partial(notify, context), type(notify).__name__)
            except Exception:
                self.log.exception("Nobody was told by %s that an approval is wanted.", type(notify).__name__)
        self.asking = False

    def execute_approved(self, context: Context, event: Mapping[str, Any], ask: str = "") -> Any:
        """Go on with an answer: send what was approved, or fail. What has changed meanwhile is asked about again."""
        from airflow.sdk.bases.operator import ExecutorSafeguard

        from airflow_provider_mkt.state.launches.approvals import REFUSED, VOID
        from airflow_provider_mkt.submission.approval import hear

        state, by, reason = hear(ask, event)
        if state == REFUSED:
            said = f": {reason.rstrip('.')}" if reason else ""
            raise AirflowFailException(
                f"{by} refused this launch{said}. Nothing was sent. Clear the task to ask again."
            )
        if state == VOID and "error" in event:
            raise AirflowFailException(
                f"Nobody approved this launch within {self.approval_timeout or 0:.0f} s. Nothing was sent. Clear the "
                "task to ask again."
            )
        token = ExecutorSafeguard.tracker.set(self)
        try:
            return self.execute(context)
        finally:
            ExecutorSafeguard.tracker.reset(token)


class ApprovingOperator(AsksPeople, MarketingOperator[Hook]):
    """Sends only what a person has approved, where that is wanted.

    What is approved is the exact request, with its account: whatever changes it voids the approval.

    :param approval: ``required``: each launch needs an approval; None or ``none``: only one above ``[mkt]
        approval_above``
    :param approval_timeout: how long an answer is waited for, in seconds; the task fails after that. None: without end
    :param approval_notifiers: notifiers that tell people that they are asked
    """

    def __init__(self, *, approval: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.approval = checked_approval(approval)

    def when_approved(self, context: Context, send: Callable[[], T]) -> T:
        """Send, or ask a person about what nobody has approved yet.

        :param send: sends what is approved; raises :class:`ApprovalWantedError` for anything else
        """
        try:
            return send()
        except ApprovalWantedError as error:
            asked = error.asked
        self.ask(context, asked)
        # The answer was known at once.
        return send()


def checked_approval(approval: str | None) -> str | None:
    """Return what ``approval`` says: ``required`` or None.

    :raises ValueError: when it is something else
    """
    if approval not in (None, NONE, REQUIRED):
        raise ValueError(f"approval must be '{REQUIRED}', '{NONE}' or None, got {approval!r}")
    return None if approval == NONE else approval
