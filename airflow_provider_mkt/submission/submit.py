# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Submit once: a write-ahead record around every request that starts something.

The record lives in Airflow's task state store, which survives retries, clears and lost workers:

1. the intent (key, exact body, fingerprint) is written before the request,
2. the request is sent from what was written,
3. the receipt (what to follow it by) is written before anything else is done.

=====================  ==================================================================================
a later try finds      and does
=====================  ==================================================================================
nothing                submits
a receipt              attaches to it; nothing is sent
a receipt that a       attaches to it, even when asked to submit anew: the person has just looked
person handed over
"refused", "failed"    submits again under the next generation of the key: the last one certainly did nothing, or
                       the vendor confirmed that it failed, or a person has it forgotten
an intent, KEYED       sends the same body with the same key, for 20 of the 24 hours that vendors keep keys
an intent, traceable   asks the vendor: attaches to what is there, submits what certainly is not, unless the vendor had
                       said that it happened
any other intent       raises ``OutcomeUnknownError``: a person has to look; nothing is guessed
an intent of another   raises ``ValidationError``: another account can neither tell nor be sent it
connection
another fingerprint    raises ``ValidationError``: the DAG changed between tries, which is not a second order
=====================  ==================================================================================
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, Protocol

from airflow_provider_mkt import metrics
from airflow_provider_mkt.client.durations import HOUR
from airflow_provider_mkt.client.endpoint import Call, Safety
from airflow_provider_mkt.exceptions import (
    ApiError,
    MalformedResponseError,
    OutcomeUnknownError,
    RateLimitError,
    ValidationError,
)
from airflow_provider_mkt.submission import messages
from airflow_provider_mkt.submission.record import (
    ADOPTED,
    FAILED,
    INTENT,
    PREFIX,
    REFUSED,
    SUBMITTED,
    Record,
    fingerprint,
)
from airflow_provider_mkt.submission.request import ABSENT, SubmissionRequest, TaskKey

log = logging.getLogger(__name__)

KEYS = uuid.UUID("6d1d4f2e-5b1c-5f4e-9a53-2f0f5c5f7a10")
"""Namespace of the idempotency keys. Changing it would make every unfinished launch look new."""
KEY_TRUSTED = 20 * HOUR
"""Seconds for which a key is used again; the vendors keep theirs for 24 hours."""
SETTLED = 180.0
"""Seconds after the last request may have left after which a vendor that does not list it never executed it."""


class Store(Protocol):
    """Airflow's task state store, as far as it is used here."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of ``key``."""

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        """Write the value of ``key``."""


class Submission:
    """One submission of one task.

    :param store: the task state store
    :param task_key: where it belongs
    :param operation: number or name of the submission within the task, for batches
    :param clock: Unix time, by default this machine's
    """

    def __init__(
        self, store: Store, task_key: TaskKey, operation: int | str = 0, clock: Callable[[], float] | None = None
    ) -> None:
        self._store = store
        self._task_key = task_key
        self._operation = operation
        self._clock = clock or time.time

    @property
    def _name(self) -> str:
        return f"{PREFIX}{self._operation}"

    def record(self) -> Record | None:
        """Return what earlier tries left behind."""
        found = self._store.get(self._name)
        return None if found is None else Record.of(found)

    def current(self, *, follows: str = "", resubmit: bool = False) -> Record | None:
        """Return the record that the next try goes by; None when that try submits afresh.

        :param follows: as in :class:`SubmissionRequest`: a record that follows another one is void
        :param resubmit: as in :meth:`submit`
        """
        record = self.record()
        return self._attached(record) if record is not None and self._stands(record, follows, resubmit) else None

    def _stands(self, record: Record, follows: str, resubmit: bool) -> bool:
        replaced = resubmit and record.clear_count not in (self._task_key.clear_count, ADOPTED)
        return record.state in (INTENT, SUBMITTED) and record.follows == follows and not replaced

    def _attached(self, record: Record) -> Record:
        """Let what a person handed over count for this clearing of the task, and not for the next one."""
        return (
            self._save(replace(record, clear_count=self._task_key.clear_count))
            if record.clear_count == ADOPTED
            else record
        )

    def _save(self, record: Record) -> Record:
        from airflow.sdk import NEVER_EXPIRE  # type: ignore[attr-defined]  # noqa: PLC0415 - missing in the stub

        self._store.set(self._name, asdict(record), retention=NEVER_EXPIRE)
        return record

    def submit(
        self,
        request: SubmissionRequest,
        send: Callable[[Call], Any],
        run: Callable[..., Any],
        *,
        resubmit: bool = False,
    ) -> Record:
        """Submit ``request`` unless that has happened, and return the record with its receipt.

        :param request: what to submit
        :param send: sends a call
        :param run: holds a conversation, to trace a submission
        :param resubmit: submit although an earlier submission is recorded; counts once per clearing of the task
        :raises OutcomeUnknownError: when nobody can know whether it happened
        :raises ValidationError: when the request differs from the recorded one, or an open one from its connection
        :raises RateLimitError: when the vendor wants quiet; what was in doubt before stays so
        :raises ApiError: when it certainly did not happen
        """
        record = self.record()
        if record is None or record.state in (REFUSED, FAILED):
            return self._send(self._intend(request, record), request, send)
        if not self._stands(record, request.follows, resubmit):
            log.warning(
                "Submitting %s anew as asked, although %s is recorded.", request.what, record.receipt or record.time
            )
            return self._send(self._intend(request, record), request, send)
        if record.fingerprint != fingerprint(request.body):
            raise ValidationError(messages.changed(record, request), vendor=request.vendor)
        if record.state == SUBMITTED:
            log.info(
                "%s %s was submitted at %s; attaching to %s.", request.vendor, request.what, record.time, record.receipt
            )
            metrics.submission(request.vendor, "attached")
            return self._attached(record)
        if record.conn_id not in ("", self._task_key.conn_id):
            elsewhere = messages.elsewhere(record, request, self._task_key.conn_id)
            raise ValidationError(f"{elsewhere} {self.remedies(record, request.vendor)}", vendor=request.vendor)
        return self._resolve(record, request, send, run)

    def fail(self, record: Record) -> None:
        """Note that the vendor confirmed that the submission failed without any effect: a retry may submit again."""
        self._save(replace(record, state=FAILED))

    def _intend(self, request: SubmissionRequest, previous: Record | None) -> Record:
        baseline = request.prepare()
        generation = previous.generation + 1 if previous else 1
        task_key = self._task_key
        name = [
            request.vendor,
            task_key.conn_id,
            task_key.dag_id,
            task_key.run_id,
            task_key.task_id,
            task_key.map_index,
        ]
        key = uuid.uuid5(KEYS, json.dumps([*name, self._operation, generation]))
        return self._save(
            Record(
                key=str(key),
                generation=generation,
                state=INTENT,
                fingerprint=fingerprint(request.body),
                body=request.body,
                reference=request.reference,
                id_field=request.id_field,
                intent_at=self._clock(),
                clear_count=task_key.clear_count,
                try_number=task_key.try_number,
                baseline=baseline,
                follows=request.follows,
                parts=request.parts,
                conn_id=task_key.conn_id,
            )
        )

    def _resolve(
        self, record: Record, request: SubmissionRequest, send: Callable[[Call], Any], run: Callable[..., Any]
    ) -> Record:
        """Settle an intent that has no receipt."""
        if not record.doubtful:
            # The task died without a word: when its last request left is not known, but it was before now.
            record = self._doubt(record)
        if self._repeatable(record, request):
            log.info("The answer to %s of %s was lost; sending it again with the same key.", request.what, record.time)
            return self._send(record, request, send)
        if request.trace is not None:
            receipt = run(request.trace(record))
            if receipt is ABSENT and self._unsettled_for(record) == 0 and not record.executed:
                log.info("%s does not have the %s of %s; submitting it.", request.vendor, request.what, record.time)
                return self._send(self._intend(request, record), request, send)
            if receipt:
                log.info("%s of %s was found at %s: %s.", request.what, record.time, request.vendor, receipt)
                return self._submitted(record, request, receipt)
        pending = request.trace is not None and self._unsettled_for(record) > 0
        raise (self._unreadable if record.executed else self._unknown)(record, request, pending=pending)

    def _send(self, record: Record, request: SubmissionRequest, send: Callable[[Call], Any]) -> Record:
        try:
            receipt = request.receipt(send(request.call(record.body, record.key)))
        except (OutcomeUnknownError, MalformedResponseError) as error:
            record = self._doubt(record, executed=record.executed or _executed(error))
            lost = self._unreadable if record.executed else self._unknown
            unknown = lost(record, request, error, pending=self._resolvable(record, request))
        except (ApiError, ValueError) as error:
            if not record.doubtful:
                self._save(replace(record, state=REFUSED))
                metrics.submission(request.vendor, "refused")
                raise
            # Certainly not executed this time, but an earlier try may have been.
            if isinstance(error, RateLimitError):
                raise
            settled = self._unreadable if record.executed else self._unknown
            unknown = settled(record, request, error, pending=self._resolvable(record, request))
        else:
            # Said before it is written: should the writing fail, the ids are in the log.
            log.info("%s accepted the %s: %s", request.vendor, request.what, receipt)
            return self._submitted(record, request, receipt)
        raise unknown

    def _submitted(self, record: Record, request: SubmissionRequest, receipt: Any) -> Record:
        saved = self._save(replace(record, state=SUBMITTED, receipt=receipt, accepted_at=self._clock()))
        metrics.submission(request.vendor, "reconciled" if record.doubtful else "submitted")
        return saved

    def _unknown(
        self, record: Record, request: SubmissionRequest, cause: Exception | None = None, *, pending: bool
    ) -> OutcomeUnknownError:
        why = str(cause) if cause else "the task died before an answer was recorded"
        say = messages.not_yet_known if pending else messages.unknown
        error = OutcomeUnknownError(
            say(record, request, why, self._then(record, request, pending=pending)),
            vendor=request.vendor,
            **_facts(cause),
        )
        error.reference = record.reference
        error.resolvable = self._resolvable(record, request)
        if error.retry_after is None and request.trace is not None:
            error.retry_after = self._unsettled_for(record) or None
        return error

    def _unreadable(
        self, record: Record, request: SubmissionRequest, cause: Exception | None = None, *, pending: bool
    ) -> MalformedResponseError:
        then = self._then(record, request, pending=pending)
        error = MalformedResponseError(
            messages.executed(record, request, cause, then), executed=True, vendor=request.vendor, **_facts(cause)
        )
        error.resolvable = pending
        return error

    def _then(self, record: Record, request: SubmissionRequest, *, pending: bool) -> str:
        """Say what comes next: the next try sees to it, or a person has to, which is counted."""
        if pending:
            return messages.next_try(request.vendor, repeated=self._repeatable(record, request))
        metrics.submission(request.vendor, "unknown")
        return self.remedies(record, request.vendor)

    def _doubt(self, record: Record, *, executed: bool = False) -> Record:
        return self._save(replace(record, doubtful=True, doubt_at=self._clock(), executed=executed))

    def _unsettled_for(self, record: Record) -> float:
        """Return for how many seconds the vendor may still be at work on a request that it does not show yet."""
        return max(0.0, record.doubt_at + SETTLED - self._clock())

    def _repeatable(self, record: Record, request: SubmissionRequest) -> bool:
        keyed = request.call(record.body, record.key).endpoint.safety is Safety.KEYED
        return keyed and self._clock() - record.intent_at < KEY_TRUSTED

    def _resolvable(self, record: Record, request: SubmissionRequest) -> bool:
        return self._repeatable(record, request) or request.trace is not None

    def remedies(self, record: Record, vendor: str) -> str:
        """Return what a person can do about an unsettled record."""
        return messages.remedies(record, vendor, self._operation)


def _executed(error: ApiError) -> bool:
    return isinstance(error, MalformedResponseError) and error.executed


def _facts(cause: Exception | None) -> dict[str, Any]:
    return {name: getattr(cause, name, None) for name in ("method", "path", "status", "request_id", "retry_after")}
