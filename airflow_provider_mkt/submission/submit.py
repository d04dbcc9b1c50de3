# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Submit once: a write-ahead record around every request that starts something.

The record is kept in Airflow's task state store, which survives retries, clears and lost workers:

1. The intent (key, exact body, fingerprint) is written before the request. It says that nothing was sent.
2. Right before the first byte the :mod:`fence <.fence>` makes sure that this try is the only one, and writes that the
   request leaves.
3. The receipt (what to follow it by) is written before anything else is done.

What a later try does with what it finds is in the tables of :mod:`.decisions`.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt import metrics
from airflow_provider_mkt.client import tracing
from airflow_provider_mkt.clock import now
from airflow_provider_mkt.exceptions import (
    ApiError,
    MalformedResponseError,
    OutcomeUnknownError,
    StoppedError,
    ValidationError,
)
from airflow_provider_mkt.state.launches.launch import DONE
from airflow_provider_mkt.submission import messages
from airflow_provider_mkt.submission.decisions import (
    CLOSING,
    OPENING,
    SETTLING,
    Closing,
    Ending,
    Found,
    Opening,
    Settling,
    Shown,
    Situation,
    find,
    is_replaced,
)
from airflow_provider_mkt.submission.deployment import deployment
from airflow_provider_mkt.submission.evidence import Observer
from airflow_provider_mkt.submission.fence import Fence
from airflow_provider_mkt.submission.intent import can_repeat, intent
from airflow_provider_mkt.submission.receipt import receipt_of
from airflow_provider_mkt.submission.record import (
    ADOPTED,
    FAILED,
    HELD,
    INTENT,
    OURS,
    REFUSED,
    SETTLED,
    SUBMITTED,
    Record,
    moment,
)
from airflow_provider_mkt.submission.record_file import RecordFile
from airflow_provider_mkt.submission.request import SubmissionRequest, TaskKey
from airflow_provider_mkt.tasks.guard import Guard
from airflow_provider_mkt.tasks.state_store import Store

if TYPE_CHECKING:
    from airflow_provider_mkt.submission.desk import Desk

__all__ = ["SETTLED", "Send", "Store", "Submission"]

log = logging.getLogger(__name__)

Send = Callable[..., Any]
"""Like :meth:`ApiClient.send`: it takes the call, and the ``fence`` that the first byte has to pass."""
Run = Callable[..., Any]
"""Like :meth:`ApiClient.run`."""


class Submission:
    """One submission of one task.

    :param store: the task state store
    :param task_key: where it belongs
    :param operation: number or name of the submission within the task, for batches
    :param guard: whether Airflow still wants this try
    :param desk: the launch desk; None where there is none
    :param clock: Unix time, by default this machine's
    """

    def __init__(
        self,
        store: Store,
        task_key: TaskKey,
        operation: int | str = 0,
        *,
        guard: Guard,
        desk: Desk | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._task_key, self._operation = task_key, operation
        self._guard, self._clock, self._desk = guard, clock or now, desk
        self._file = RecordFile(store, operation, uuid.uuid4().hex, desk.note if desk else None)

    def record(self) -> Record | None:
        """Return what earlier tries left behind, as :meth:`RecordFile.read` does."""
        return self._file.read()

    def current(self, *, follows: str = "", resubmit: bool = False) -> Record | None:
        """Return the record that the next try goes by; None when that try submits afresh.

        :param follows: as in :class:`SubmissionRequest`: a record that follows another one is void
        :param resubmit: as in :meth:`submit`
        """
        record = self.record()
        if record is None or record.state not in (INTENT, SUBMITTED) or record.left_nothing:
            return None
        if is_replaced(record, follows, self._task_key, resubmit=resubmit):
            return None
        return self._attached(record)

    def submit(self, request: SubmissionRequest, send: Send, run: Run, *, resubmit: bool = False) -> Record:
        """Submit ``request`` unless that has happened, and return the record with its receipt.

        :param request: what to submit
        :param send: sends a call, and calls its ``fence`` before the first byte
        :param run: holds a conversation, to trace a submission
        :param resubmit: submit although an earlier submission is recorded; counts once per clearing of the task
        :raises OutcomeUnknownError: when it is unknown whether it happened
        :raises ValidationError: when the request differs from the recorded one, or the record belongs elsewhere
        :raises StoppedError: when this try was stopped or given up before its request left
        :raises ApprovalWantedError: when a person has to approve it first
        :raises RateLimitError: when the vendor wants quiet; what was in doubt before stays so
        :raises ApiError: when it certainly did not happen
        """
        record = self.record()
        if self._desk:
            self._desk.request = request
        situation = record and Situation(record, request, self._task_key, deployment(), resubmit)
        found = find(situation) if situation else Found.NOTHING
        opening = OPENING[found]
        if record is None or opening in (Opening.SUBMIT, Opening.SUBMIT_STILL):
            return self._send(self._intend(request, record, found), request, send)
        if opening is Opening.REFUSE:
            why = messages.refusal(found, record, request, self._task_key.conn_id)
            then = "" if found is Found.CHANGED else f" {self.remedies(record, request.vendor)}"
            raise ValidationError(why + then, vendor=request.vendor)
        if opening is Opening.ATTACH:
            return self._attach(record, request)
        return self._settle(record, request, send, run)

    def fail(self, record: Record) -> None:
        """Note that the vendor confirmed that the submission failed without any effect: a retry may submit again.

        :raises StoppedError: when the record has changed since ``record`` was read
        """
        if self.record() != record:
            raise StoppedError("The record of this submission has changed meanwhile, so this try stops.")
        self._file.write(replace(record, state=FAILED))

    def done(self, record: Record) -> None:
        """Note in the register that the vendor has carried it out."""
        self._enter(record, DONE)

    def _enter(self, record: Record, state: str = "") -> None:
        if self._desk is not None:
            self._desk.note(record, record.writer, state)

    def remedies(self, record: Record, vendor: str, untraceable: str = "") -> str:
        """Return what a person can do about an unsettled record."""
        return messages.remedies(record, vendor, self._operation, untraceable=untraceable)

    # Opening

    def _attach(self, record: Record, request: SubmissionRequest) -> Record:
        log.info(
            "%s %s was submitted at %s; attaching to %s.", request.vendor, request.what, record.time, record.receipt
        )
        metrics.submission(request.vendor, "attached")
        self._enter(record)
        return self._attached(record)

    def _attached(self, record: Record) -> Record:
        """Let what a person handed over count for this clearing of the task, and not for the next one."""
        return (
            record
            if record.clear_count != ADOPTED
            else self._file.write(replace(record, clear_count=self._task_key.clear_count))
        )

    def _intend(self, request: SubmissionRequest, previous: Record | None, found: Found) -> Record:
        """Write down what is about to be sent.

        :raises ValidationError: when the vendor lists the task's own reference before its first submission
        """
        if found is Found.REPLACED and previous is not None:
            recorded = previous.receipt or previous.time
            log.warning("Submitting %s again as asked, although %s is recorded.", request.what, recorded)
        still = previous is not None and OPENING[found] is Opening.SUBMIT_STILL
        generation = (previous.generation if previous else 0) + (not still)
        record = self._file.write(intent(request, self._task_key, self._operation, generation, self._clock))
        if record.state == HELD:
            why = messages.listed_already(request, record.baseline[OURS], self._operation)
            raise ValidationError(why, vendor=request.vendor)
        return record

    # Settling

    def _settle(self, record: Record, request: SubmissionRequest, send: Send, run: Run) -> Record:
        """Find out what became of a request that has no receipt."""
        if not record.doubtful:
            # The task ended without a word. Its request left before now, or never will: the fence closed behind it.
            record = self._file.write(replace(record, doubtful=True, doubt_at=self._clock()))
        if self._repeatable(record, request):
            log.info("The answer to %s of %s was lost; sending it again with the same key.", request.what, record.time)
            return self._send(record, request, send)
        if request.trace is None:
            raise self._told(record, request, pending=False)
        observer = Observer()
        finding = run(observer.watch(request.trace(record)))
        settling = SETTLING[Shown.by(finding), self._unsettled_for(record, request) == 0, record.executed]
        if settling is Settling.RECORD:
            log.info("%s of %s was found at %s: %s.", request.what, record.time, request.vendor, finding.receipt)
            return self._submitted(record, request, finding.receipt)
        if settling is Settling.SUBMIT:
            log.info("%s does not have the %s of %s; submitting it.", request.vendor, request.what, record.time)
            self._enter(replace(record, state=REFUSED))
            return self._send(self._intend(request, record, Found.OVER), request, send)
        record = self._file.write(record.with_evidence(f"{moment(self._clock())}: {observer.told(finding)}"))
        raise self._told(record, request, pending=settling is Settling.LATER)

    def _repeatable(self, record: Record, request: SubmissionRequest) -> bool:
        return can_repeat(record, request, self._clock())

    def _unsettled_for(self, record: Record, request: SubmissionRequest) -> float:
        """Return for how many seconds the vendor may still be at work on what it does not show yet."""
        return max(0.0, record.doubt_at + request.settled - self._clock())

    # Sending

    def _send(self, record: Record, request: SubmissionRequest, send: Send) -> Record:
        """Send what was recorded, through the fence, and write down how that ended."""
        call = request.call(record.body, record.key)
        if self._desk is not None:
            self._desk.check_approval(record, call)
        fence = Fence(self._file, record, self._guard, request.confirm, call, clock=self._clock, desk=self._desk)
        try:
            with tracing.span("mkt.launch", **{"mkt.vendor": request.vendor, "mkt.what": request.what}):
                receipt = receipt_of(request, send(call, fence=fence))
        except ApiError as error:
            cause = error
        else:
            if not fence.passed:
                raise RuntimeError(f"the {request.what} was sent without passing its fence")
            # Said before it is written: should the writing fail, the ids are in the log.
            log.info("%s accepted the %s: %s", request.vendor, request.what, receipt)
            return self._submitted(fence.record, request, receipt)
        raise self._closed(fence.record, request, cause)

    def _closed(self, record: Record, request: SubmissionRequest, cause: ApiError) -> ApiError:
        """Write down how a request ended that got no receipt, and return what to raise."""
        closing = CLOSING[Ending.by(cause), record.doubtful]
        contradicted = getattr(cause, "contradicted", False)
        if closing is Closing.CLOSE:
            self._file.write(replace(record, state=REFUSED))
            metrics.submission(request.vendor, "refused")
        if closing in (Closing.CLOSE, Closing.LEAVE):
            return cause
        if closing in (Closing.DOUBT, Closing.CONFIRM):
            log.warning("%s", cause)  # before it is written: Airflow may refuse the writing
            executed = record.executed or closing is Closing.CONFIRM
            record = replace(record, doubtful=True, doubt_at=self._clock(), executed=executed)
            if contradicted:
                record = record.with_evidence(f"{moment(self._clock())}: {cause}")
            record = self._file.write(record)
        repeat = not contradicted and self._repeatable(record, request)  # one that got an answer gets the same again
        return self._told(record, request, cause, pending=repeat or request.trace is not None)

    def _submitted(self, record: Record, request: SubmissionRequest, receipt: Any) -> Record:
        accepted = replace(record, state=SUBMITTED, receipt=receipt, accepted_at=self._clock())
        saved = self._file.write_receipt(accepted)
        metrics.submission(request.vendor, "reconciled" if record.doubtful else "submitted")
        return saved

    def _told(
        self, record: Record, request: SubmissionRequest, cause: Exception | None = None, *, pending: bool
    ) -> OutcomeUnknownError | MalformedResponseError:
        """Return the error that says what is not known: the next try settles it (``pending``), or a person has to."""
        if pending:
            then = messages.next_try(request.vendor, repeated=self._repeatable(record, request))
        else:
            then = self.remedies(record, request.vendor, request.untraceable)
            metrics.submission(request.vendor, "unknown")
        error = messages.error(record, request, cause, then, pending=pending)
        if isinstance(error, OutcomeUnknownError) and error.retry_after is None and request.trace is not None:
            error.retry_after = self._unsettled_for(record, request) or None
        return error
