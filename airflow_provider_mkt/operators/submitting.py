# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Operators that start something at a vendor, once."""

from __future__ import annotations

import sys
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import conf
from airflow.sdk.exceptions import AirflowFailException, AirflowTaskTimeout

from airflow_provider_mkt import validation
from airflow_provider_mkt.client.durations import DAY
from airflow_provider_mkt.client.retry import MAX_WAIT
from airflow_provider_mkt.exceptions import INCURABLE, ApiError
from airflow_provider_mkt.links.submission import SubmissionLink
from airflow_provider_mkt.operators.base import MarketingOperator
from airflow_provider_mkt.submission import messages
from airflow_provider_mkt.submission.record import SUBMITTED, Record
from airflow_provider_mkt.submission.request import SubmissionRequest, TaskKey
from airflow_provider_mkt.submission.submit import Submission
from airflow_provider_mkt.tasks.reschedule import reschedule_when_rate_limited
from airflow_provider_mkt.tasks.user_stop import marked_failed
from airflow_provider_mkt.validation import positive
from airflow_provider_mkt.waiting.base import FailedPolls, Verdict, WaitState, Watch

if TYPE_CHECKING:
    from airflow.sdk import Context


CANCEL_TIMEOUT = 4.0
"""Seconds. Airflow kills a task five seconds after it has asked it to stop."""


class SubmittingOperator(MarketingOperator):
    """Starts something at a vendor exactly once, and waits for it if asked to.

    A subclass says what to submit (:meth:`submission_request`), what to wait for (:meth:`watch`) and what to return
    (:meth:`result`); everything else is here, the same for all vendors.

    :param wait_for_completion: succeed only when the vendor is done; otherwise as soon as it has accepted the request
    :param deferrable: wait in the triggerer instead of on a worker; default ``[operators] default_deferrable``
    :param poll_interval: seconds between looks while waiting
    :param wait_timeout: seconds after which waiting is given up; what was started goes on, and a retry attaches to it
    :param resubmit: submit again when a finished task is cleared, instead of attaching to what was submitted
    :param cancel_on_kill: stop it at the vendor, where that is possible, when a user marks the waiting task as failed
    """

    def __init__(
        self,
        *,
        wait_for_completion: bool = True,
        deferrable: bool | None = None,
        poll_interval: float = 60.0,
        wait_timeout: float | timedelta = DAY,
        resubmit: bool = False,
        cancel_on_kill: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.wait_for_completion = wait_for_completion
        self.deferrable = (
            conf.getboolean("operators", "default_deferrable", fallback=False) if deferrable is None else deferrable
        )
        self.poll_interval = positive("poll_interval", poll_interval)
        self.wait_timeout = positive("wait_timeout", wait_timeout)
        self.resubmit = resubmit
        self.cancel_on_kill = cancel_on_kill
        self._begun: Context | None = None
        self._waiting: Watch | None = None
        self._called_off = False

    operator_extra_links = (SubmissionLink(),)

    def submission_request(self, task_key: TaskKey) -> SubmissionRequest:
        """Return what to submit, checked.

        :raises ValidationError: naming the parameter that is wrong
        """
        raise NotImplementedError

    def watch(self, record: Record) -> Watch | None:
        """Return what to wait for after the submission; None when there is nothing that it could be followed by."""
        raise NotImplementedError

    def result(self, record: Record, verdict: Verdict | None) -> dict[str, Any]:
        """Return the task's result; ``verdict`` is None when nothing was waited for."""
        raise NotImplementedError

    def execute(self, context: Context) -> Any:
        """Submit, then wait or return."""
        self._begun = context
        task_key = TaskKey.of(context, self.conn_id)
        submission = self._submission(context, task_key)
        client = self.hook.client
        resubmit = self._resubmit_asked(context)
        with reschedule_when_rate_limited():
            record = submission.submit(self.submission_request(task_key), client.send, client.run, resubmit=resubmit)
        watch = self.watch(record) if self.wait_for_completion else None
        if watch is not None:
            return self._wait(context, record, watch)
        self._begun = None
        return self.result(record, None)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Go on when the trigger has something to tell."""
        if (error := ApiError.from_event(event)) is not None:
            self._say_remedies(error)
            raise error
        record = self._submission(context).record()
        if record is None:
            raise AirflowFailException("The record of the submission is gone from the task state store.")
        return self._conclude(context, record, Verdict.of(event))

    def on_kill(self) -> None:
        """Stop at the vendor what this task waits for, when a user marks the task as failed; see :mod:`.stopping`.

        Airflow calls this in a signal handler, at any point of the main thread, so the work is done in a thread of its
        own: a lock that the main thread holds cannot block it for ever.

        :raises AirflowFailException: when there is nothing to stop yet: what the main thread is at ends here
        """
        if self._begun is None or not self.cancel_on_kill or isinstance(sys.exc_info()[1], AirflowTaskTimeout):
            return
        thread = threading.Thread(target=self._cancel, args=(self._begun,), name="mkt-cancel", daemon=True)
        thread.start()
        thread.join(CANCEL_TIMEOUT)
        if thread.is_alive():
            self.log.error("Not finished stopping it at the vendor after %.0f s; look there.", CANCEL_TIMEOUT)
        elif self._called_off:
            name = self.hook.vendor.name
            raise AirflowFailException(
                f"A user stopped this task before it was known what {name} had done. If the request had left, it may "
                f"be carried out: look at {name}. 'airflow mkt submissions show' tells what was to be sent."
            )

    def _cancel(self, context: Context) -> None:
        if not marked_failed(context["ti"]):
            self.log.info("This try ends, but the task was not marked as failed: the vendor goes on.")
            return
        if (dag := self.get_dag()) is not None and dag.fail_fast:
            self.log.error(
                "The DAG fails fast: nobody can tell whether a user stopped this task or another task failed. "
                "It goes on at the vendor; look there."
            )
            return
        watch = self._waiting
        if watch is None:
            record = self._accepted(context)
            self._called_off = record is None
            watch = self.watch(record) if record is not None and self.wait_for_completion else None
        talk = watch.cancel() if watch is not None else None
        if talk is not None:
            try:
                self.log.warning(
                    "The task was stopped by a user: %s. %s", self.hook.client.run(talk), messages.resubmit_hint()
                )
            except ApiError as error:
                self.log.error("Could not stop it at the vendor; look there: %s", error)  # noqa: TRY400

    def _accepted(self, context: Context) -> Record | None:
        """Return what this task goes by, when the vendor has accepted it; never one that it was to submit anew."""
        record = self._submission(context).current(resubmit=self._resubmit_asked(context))
        return record if record is not None and record.state == SUBMITTED else None

    def _resubmit_asked(self, context: Context) -> bool:
        """Return whether what was submitted before this task was cleared is to be submitted again."""
        if conf.getboolean("state_store", "clear_on_success", fallback=False):
            self.log.warning(
                "[state_store] clear_on_success is on: clearing this task after it succeeded submits again instead of "
                "attaching to what was submitted."
            )
        asked = (context["dag_run"].conf or {}).get("mkt_resubmit")
        return self.resubmit or (asked is not None and validation.flag("mkt_resubmit", asked))

    def _submission(self, context: Context, task_key: TaskKey | None = None) -> Submission:
        return Submission(context["task_state_store"], task_key or TaskKey.of(context, self.conn_id))

    def _wait(self, context: Context, record: Record, watch: Watch) -> Any:
        from airflow_provider_mkt.triggers.watch import WatchTrigger  # noqa: PLC0415

        client = self.hook.client
        self._waiting = watch
        patience = FailedPolls()
        deadline = time.monotonic() + self.wait_timeout
        while True:
            try:
                verdict = client.run(watch.poll(), longest=MAX_WAIT).redacted(client.redactor)
            except ApiError as error:
                if patience.give_up_on(error):
                    self._say_remedies(error)
                    raise
            else:
                patience.reset(verdict)
                if verdict.final:
                    return self._conclude(context, record, verdict)
            if self.deferrable:
                trigger = WatchTrigger.of(watch, self.conn_id, self.poll_interval, cancel_on_kill=self.cancel_on_kill)
                self.defer(
                    trigger=trigger, method_name="execute_complete", timeout=timedelta(seconds=self.wait_timeout)
                )
            if time.monotonic() + self.poll_interval > deadline:
                raise ApiError(
                    f"{self.hook.vendor.name} was not done after {self.wait_timeout:.0f} s. It goes on there; a retry "
                    "of this task attaches to it and waits again. Raise wait_timeout if that is normal.",
                    vendor=self.hook.vendor.name,
                )
            time.sleep(self.poll_interval)

    def _say_remedies(self, error: ApiError) -> None:
        """Say what can be done about a wait that ended with an error, unless the next try goes on with it."""
        if isinstance(error, INCURABLE):
            self.log.error(messages.resubmit_hint())

    def _conclude(self, context: Context, record: Record, verdict: Verdict) -> Any:
        self._begun = self._waiting = None
        if verdict.state is WaitState.DONE:
            return self.result(record, verdict)
        if not verdict.untouched:
            raise AirflowFailException(
                f"{verdict.message}. Part of it may have had effects, so nothing is submitted again. "
                f"{messages.resubmit_hint()}"
            )
        self._submission(context).fail(record)
        raise ApiError(
            f"{verdict.message}. Nothing came of it; a retry submits it again.", vendor=self.hook.vendor.name
        )
