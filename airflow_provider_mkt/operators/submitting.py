# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Operators that start something at a vendor, once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import conf
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_mkt import validation
from airflow_provider_mkt.exceptions import ApiError
from airflow_provider_mkt.links import vendor_page
from airflow_provider_mkt.links.submission import SubmissionLink
from airflow_provider_mkt.links.vendor_page import VendorPageLink
from airflow_provider_mkt.operators.approving import ApprovingOperator
from airflow_provider_mkt.operators.base import Hook
from airflow_provider_mkt.operators.waiting import WaitingOperator
from airflow_provider_mkt.tasks.reschedule import reschedule_when_rate_limited

if TYPE_CHECKING:
    from airflow.sdk import BaseOperatorLink, Context

    from airflow_provider_mkt.submission.record import Record
    from airflow_provider_mkt.submission.request import SubmissionRequest, TaskKey
    from airflow_provider_mkt.submission.submit import Submission
    from airflow_provider_mkt.waiting.base import Verdict, Watch


class RecordingOperator(ApprovingOperator[Hook]):
    """Records what it submits, and submits it again only when a user has cleared the task and asks for that.

    :param resubmit: submit again when a finished task is cleared, instead of attaching to what was submitted
    """

    clock: Callable[[], float] | None = None
    """Unix time, by default this machine's."""

    def __init__(self, *, resubmit: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.resubmit = resubmit
        if "airflow.models.dagrun" in sys.modules:
            from airflow_provider_mkt.submission.trial_run import keep_records

            keep_records()

    @property
    def operator_extra_links(self) -> tuple[BaseOperatorLink, ...]:  # type: ignore[override]
        """The links of a task. Airflow stores each when a task ends: one that is always empty would cost a request."""
        return (SubmissionLink(), VendorPageLink()) if vendor_page.told() else (SubmissionLink(),)

    def pre_execute(self, context: Any) -> None:
        """Ask before a test of a task that has launched already.

        :raises ValidationError: when nobody says yes
        """
        from airflow_provider_mkt.submission.trial_run import check_trial_run

        super().pre_execute(context)
        check_trial_run(context["task_state_store"], f"The task {self.task_id}")

    def resubmit_asked(self, context: Context) -> bool:
        """Return whether what was submitted before this task was cleared is to be submitted again."""
        if conf.getboolean("state_store", "clear_on_success", fallback=False):
            self.log.warning(
                "[state_store] clear_on_success is on: clearing this task after it succeeded submits again instead of "
                "attaching to what was submitted."
            )
        asked = (context["dag_run"].conf or {}).get("mkt_resubmit")
        return self.resubmit or (asked is not None and validation.flag("mkt_resubmit", asked))


class SubmitOnce(RecordingOperator[Hook]):
    """Starts something exactly once. It is done when the vendor has accepted it, unless a subclass waits.

    A subclass says what to submit (:meth:`submission_request`) and what to return (:meth:`result`).

    :param resubmit: submit again when a finished task is cleared, instead of attaching to what was submitted
    """

    def submission_request(self, task_key: TaskKey) -> SubmissionRequest:
        """Return what to submit, checked.

        :raises ValidationError: naming the parameter that is wrong
        """
        raise NotImplementedError

    def result(self, record: Record, verdict: Verdict | None) -> dict[str, Any]:
        """Return the task's result; ``verdict`` is None when nothing was waited for."""
        raise NotImplementedError

    def submit(self, context: Context) -> Record:
        """Submit, unless that has happened, and return the record with its receipt."""
        from airflow_provider_mkt.submission.request import TaskKey

        task_key = TaskKey.of(context, self.conn_id)
        client = self.hook.client
        resubmit = self.resubmit_asked(context)

        def send() -> Record:
            with reschedule_when_rate_limited():
                request = self.submission_request(task_key)
                return self.submission(context, task_key).submit(request, client.send, client.run, resubmit=resubmit)

        return self.when_approved(context, send)

    def submission(self, context: Context, task_key: TaskKey | None = None) -> Submission:
        """Return the submission of the running task."""
        from airflow_provider_mkt.submission.desk import Desk
        from airflow_provider_mkt.submission.request import TaskKey
        from airflow_provider_mkt.submission.submit import Submission

        key = task_key or TaskKey.of(context, self.conn_id)
        desk = Desk.of(context, self.hook.account, key, self.approval or "")
        return Submission(context["task_state_store"], key, guard=self.guard(context), desk=desk, clock=self.clock)


class InstantOperator(SubmitOnce[Hook]):
    """Starts something that is done when it is accepted: an upload, a segment, the entry into a workflow.

    There is nothing to wait for and nothing to cancel. The parameters about that are taken all the same, so that a DAG
    can set them for all its launches, and then left alone.

    :param resubmit: submit again when a finished task is cleared, instead of attaching to what was submitted
    """

    def __init__(
        self,
        *,
        wait_for_completion: bool = True,
        deferrable: bool | None = None,
        poll_interval: float | None = None,
        wait_timeout: float | timedelta | None = None,
        cancel_on_kill: bool = True,
        on_timeout: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)

    def execute(self, context: Context) -> Any:
        """Submit."""
        return self.result(self.submit(context), None)


class SubmittingOperator(SubmitOnce[Hook], WaitingOperator[Hook]):
    """Starts something at a vendor exactly once, and waits for it if asked to.

    A subclass says what to submit (:meth:`submission_request`), what to wait for (:meth:`watch`) and what to return
    (:meth:`result`); everything else is here, the same for all vendors.

    :param wait_for_completion: succeed only when the vendor is done; otherwise as soon as it has accepted the request
    :param deferrable: wait in the triggerer instead of on a worker; default ``[operators] default_deferrable``
    :param poll_interval: seconds between polls while waiting
    :param wait_timeout: seconds after which waiting is given up; what was started goes on, and a retry attaches to it
    :param resubmit: submit again when a finished task is cleared, instead of attaching to what was submitted
    :param cancel_on_kill: stop it at the vendor, where that is possible, when a user marks the waiting task as failed
    :param on_timeout: ``leave`` it at the vendor when ``wait_timeout`` is over, or ``stop`` it there
    """

    def watch(self, record: Record) -> Watch | None:
        """Return what to wait for after the submission; None when there is nothing that it could be followed by."""
        raise NotImplementedError

    def execute(self, context: Context) -> Any:
        """Submit, then wait or return."""
        with self.running(context):
            record = self.submit(context)
            self.leave_to_the_original(record)
            watch = self.watch(record) if self.wait_for_completion else None
            if watch is None:
                return self.result(record, None)
            verdict = self.wait(watch)
        return self.conclude(context, verdict)

    def accepted(self, context: Context) -> Watch | None:
        """Return what the vendor has accepted, if it is to be waited for; never one that was to be submitted again."""
        from airflow_provider_mkt.submission.record import SUBMITTED

        record = self.submission(context).current(resubmit=self.resubmit_asked(context))
        if record is None:
            return None
        if record.state != SUBMITTED:
            name = self.hook.vendor.name
            self.log.error(
                "A user stopped this task before %s had answered. The request may be carried out: check %s. 'airflow "
                "mkt submissions show' tells what was sent.",
                name,
                name,
            )
            return None
        return self.watch(record) if self.wait_for_completion else None

    def following(self, context: Context) -> Watch | None:
        """Return what was accepted; what another deployment has submitted is left to it."""
        if (record := self.submission(context).record()) is not None:
            self.leave_to_the_original(record)
        return self.accepted(context)

    def conclude(self, context: Context, verdict: Verdict) -> Any:
        """Return the result; or say what failed, and whether a retry submits again."""
        from airflow_provider_mkt.submission import messages
        from airflow_provider_mkt.submission.record import SUBMITTED
        from airflow_provider_mkt.waiting.base import WaitState

        submission = self.submission(context)
        record = submission.record()
        if record is None or record.state != SUBMITTED:
            state = "gone from the task state store" if record is None else f"{record.state!r}, no longer 'submitted'"
            raise AirflowFailException(
                f"The record of the submission is {state}: somebody changed it while this task waited. "
                f"{verdict.message}. {messages.resubmit_hint()}"
            )
        if verdict.state is WaitState.DONE:
            submission.done(record)
            return self.result(record, verdict)
        if not verdict.untouched:
            raise AirflowFailException(
                f"{verdict.message}. Part of it may have had effects, so nothing is submitted again. "
                f"{messages.resubmit_hint()}"
            )
        submission.fail(record)
        raise ApiError(
            f"{verdict.message}. Nothing came of it; a retry submits it again.", vendor=self.hook.vendor.name
        )
