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
"refused", "failed"    submits again under the next generation of the key: the last one certainly did nothing, or
                       the vendor confirmed that it failed
an intent, KEYED       sends the same body with the same key, for 20 of the 24 hours that vendors keep keys
an intent, traceable   asks the vendor: attaches to what is there, submits what certainly is not
any other intent       raises ``OutcomeUnknownError``: a person has to look; nothing is guessed
another fingerprint    raises ``ValidationError``: the DAG changed between tries, which is not a second order
=====================  ==================================================================================
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
import uuid
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_mkt.client.endpoint import Call, Safety
from airflow_provider_mkt.exceptions import ApiError, MalformedResponseError, OutcomeUnknownError, ValidationError

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

KEYS = uuid.UUID("6d1d4f2e-5b1c-5f4e-9a53-2f0f5c5f7a10")
"""Namespace of the idempotency keys. Changing it would make every unfinished launch look new."""
KEY_TRUSTED = 20 * 3600.0
"""Seconds for which a key is used again; the vendors keep theirs for 24 hours."""
LONGEST_REFERENCE = 255
PREFIX = "mkt.submission."
"""Beginning of the keys under which records stand in the task state store."""

ABSENT: dict[str, Any] = {}
"""What a trace returns when the vendor shows that the submission never happened; recognised by identity."""
INTENT, SUBMITTED, REFUSED, FAILED = "intent", "submitted", "refused", "failed"


class Store(Protocol):
    """Airflow's task state store, as far as it is used here."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of ``key``."""

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        """Write the value of ``key``."""


@dataclass(frozen=True)
class Place:
    """Where in Airflow a submission belongs. It names the submission for ever: the try is no part of it.

    :param conn_id: connection
    :param dag_id: DAG
    :param run_id: DAG run
    :param task_id: task
    :param map_index: index of a mapped task, -1 for others
    :param round: changes when a user clears the task, and only then
    """

    conn_id: str
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    round: int = field(compare=False, default=0)

    @classmethod
    def of(cls, context: Context, conn_id: str) -> Place:
        """Return the place of the running task."""
        ti = context["ti"]
        index = -1 if ti.map_index is None else ti.map_index
        # Clearing raises max_tries, a retry does not.
        return cls(conn_id, ti.dag_id, ti.run_id, ti.task_id, index, ti.max_tries)

    @property
    def reference(self) -> str:
        """A readable handle for the vendor's side, at most 255 characters."""
        parts = [self.dag_id, self.run_id, self.task_id, *([str(self.map_index)] if self.map_index >= 0 else [])]
        text = "/".join(parts)
        if len(text) <= LONGEST_REFERENCE:
            return text
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return f"{text[: LONGEST_REFERENCE - 17]}~{digest}"


@dataclass(frozen=True)
class Order:
    """What is to be submitted.

    :param vendor: the vendor's name
    :param what: what it starts, for messages, e.g. "campaign"
    :param body: the exact request body
    :param call: builds the request from a body and an idempotency key
    :param prepare: called right before a first submission: refuses what can only be refused then, such as a start that
        has passed, and returns what has to be known of the time before
    :param receipt: takes from the answer what the submission is followed by
    :param reference: what to look for at the vendor
    :param id_field: name of the receipt's field that holds the vendor's id or ids; a plural holds a list
    :param trace: asks the vendor what became of a recorded submission: returns its receipt, :data:`ABSENT` when it
        certainly did not happen, None when that cannot be told; the whole is None where the vendor cannot be asked
    """

    vendor: str
    what: str
    body: Any
    call: Callable[[Any, str], Call]
    receipt: Callable[[Any], dict[str, Any]]
    reference: str
    id_field: str
    prepare: Callable[[], dict[str, Any]] = dict
    trace: Callable[[Record], Generator[Call, Any, dict[str, Any] | None]] | None = None


@dataclass(frozen=True)
class Record:
    """What is known about one submission; plain JSON in the task state store."""

    key: str
    generation: int
    state: str
    fingerprint: str
    body: Any
    reference: str
    id_field: str
    intent_at: float
    round: int
    baseline: dict[str, Any] = field(default_factory=dict)
    doubtful: bool = False
    receipt: dict[str, Any] = field(default_factory=dict)

    @property
    def time(self) -> str:
        """When the intent was written, in UTC."""
        return datetime.fromtimestamp(self.intent_at, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")

    def adopt(self, ids: list[str]) -> Record:
        """Return the record with the receipt that a person found at the vendor.

        :param ids: the vendor's ids
        :raises ValueError: when there are none, or several where there can only be one
        """
        several = self.id_field.endswith("s")
        if not ids or (len(ids) > 1 and not several):
            raise ValueError(
                f"{self.id_field} takes {'one id or more' if several else 'exactly one id'}, got {len(ids)}"
            )
        return replace(self, state=SUBMITTED, receipt={self.id_field: ids if several else ids[0], "status": "adopted"})


def fingerprint(body: Any) -> str:
    """Return the SHA-256 of the body's canonical JSON."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class Submission:
    """One submission of one task.

    :param store: the task state store
    :param place: where it belongs
    :param operation: number of the submission within the task, for batches
    :param clock: Unix time
    """

    def __init__(self, store: Store, place: Place, operation: int = 0, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._place = place
        self._operation = operation
        self._clock = clock

    @property
    def _name(self) -> str:
        return f"{PREFIX}{self._operation}"

    def record(self) -> Record | None:
        """Return what earlier tries left behind."""
        found = self._store.get(self._name)
        return None if found is None else Record(**found)

    def _save(self, record: Record) -> Record:
        from airflow.sdk import NEVER_EXPIRE  # type: ignore[attr-defined]  # noqa: PLC0415 - missing in the stub

        self._store.set(self._name, asdict(record), retention=NEVER_EXPIRE)
        return record

    def submit(
        self, order: Order, send: Callable[[Call], Any], talk: Callable[..., Any], *, anew: bool = False
    ) -> Record:
        """Submit ``order`` unless that has happened, and return the record with its receipt.

        :param order: what to submit
        :param send: sends a call
        :param talk: holds a conversation, to trace a submission
        :param anew: submit although an earlier submission is recorded; counts once per clearing of the task
        :raises OutcomeUnknownError: when nobody can know whether it happened
        :raises ValidationError: when the request differs from the recorded one
        :raises ApiError: when it certainly did not happen
        """
        record = self.record()
        if record is None or record.state in (REFUSED, FAILED):
            return self._send(self._intend(order, record), order, send)
        if anew and record.round != self._place.round:
            log.warning(
                "Submitting %s anew as asked, although %s is recorded.", order.what, record.receipt or record.time
            )
            return self._send(self._intend(order, record), order, send)
        if record.fingerprint != fingerprint(order.body):
            raise ValidationError(self._changed(record, order), vendor=order.vendor)
        if record.state == SUBMITTED:
            log.info(
                "%s %s was submitted at %s; attaching to %s.", order.vendor, order.what, record.time, record.receipt
            )
            return record
        return self._resolve(record, order, send, talk)

    def fail(self, record: Record) -> None:
        """Note that the vendor confirmed that the submission failed without any effect: a retry may submit again."""
        self._save(replace(record, state=FAILED))

    def _intend(self, order: Order, previous: Record | None) -> Record:
        baseline = order.prepare()
        generation = previous.generation + 1 if previous else 1
        place = self._place
        name = [order.vendor, place.conn_id, place.dag_id, place.run_id, place.task_id, place.map_index]
        key = uuid.uuid5(KEYS, json.dumps([*name, self._operation, generation]))
        return self._save(
            Record(
                key=str(key),
                generation=generation,
                state=INTENT,
                fingerprint=fingerprint(order.body),
                body=order.body,
                reference=order.reference,
                id_field=order.id_field,
                intent_at=self._clock(),
                round=place.round,
                baseline=baseline,
            )
        )

    def _resolve(self, record: Record, order: Order, send: Callable[[Call], Any], talk: Callable[..., Any]) -> Record:
        """Settle an intent that has no receipt."""
        record = self._save(replace(record, doubtful=True))
        if self._repeatable(record, order):
            log.info("The answer to %s of %s was lost; sending it again with the same key.", order.what, record.time)
            return self._send(record, order, send)
        if order.trace is not None:
            receipt = talk(order.trace(record))
            if receipt is ABSENT:
                log.info("%s does not have the %s of %s; submitting it.", order.vendor, order.what, record.time)
                return self._send(self._intend(order, record), order, send)
            if receipt is not None:
                log.info("%s of %s was found at %s: %s.", order.what, record.time, order.vendor, receipt)
                return self._save(replace(record, state=SUBMITTED, receipt=receipt))
        raise self._unknown(record, order)

    def _send(self, record: Record, order: Order, send: Callable[[Call], Any]) -> Record:
        try:
            receipt = order.receipt(send(order.call(record.body, record.key)))
        except (OutcomeUnknownError, MalformedResponseError) as error:
            record = self._save(replace(record, doubtful=True))
            unknown = (
                self._unreadable(record, order, error) if _executed(error) else self._unknown(record, order, error)
            )
        except (ApiError, ValueError) as error:
            if not record.doubtful:
                self._save(replace(record, state=REFUSED))
                raise
            # Certainly not executed this time, but an earlier try may have been.
            unknown = self._unknown(record, order, error)
        else:
            return self._save(replace(record, state=SUBMITTED, receipt=receipt))
        raise unknown

    def _unknown(self, record: Record, order: Order, cause: Exception | None = None) -> OutcomeUnknownError:
        why = f" ({cause})" if cause else " (the task died before an answer was recorded)"
        error = OutcomeUnknownError(
            f"Nobody can know whether the {order.what} was submitted to {order.vendor} at {record.time}{why}. "
            f"It is not submitted again by itself. {_ways_on(record, order)}",
            vendor=order.vendor,
            **_facts(cause),
        )
        error.reference = record.reference
        error.resolvable = self._resolvable(record, order)
        return error

    def _unreadable(self, record: Record, order: Order, cause: ApiError) -> MalformedResponseError:
        error = MalformedResponseError(
            f"{cause}. The {order.what} was submitted at {record.time}, but what to follow it by was lost with the "
            f"answer. It is not submitted again. {_ways_on(record, order)}",
            executed=True,
            vendor=order.vendor,
            **_facts(cause),
        )
        error.resolvable = self._resolvable(record, order)
        return error

    def _repeatable(self, record: Record, order: Order) -> bool:
        keyed = order.call(record.body, record.key).endpoint.safety is Safety.KEYED
        return keyed and self._clock() - record.intent_at < KEY_TRUSTED

    def _resolvable(self, record: Record, order: Order) -> bool:
        return self._repeatable(record, order) or order.trace is not None

    def _changed(self, record: Record, order: Order) -> str:
        changed = ""
        if isinstance(record.body, dict) and isinstance(order.body, dict):
            old, new = record.body, order.body
            changed = ", ".join(name for name in sorted({*old, *new}) if old.get(name, ...) != new.get(name, ...))
        return (
            f"The {order.what} for {order.vendor} was recorded at {record.time} (state: {record.state}) with another "
            "request"
            + (f"; these fields differ: {changed}" if changed else "")
            + ". It is not submitted a second time. Restore the DAG as it was to go on with the recorded one, or run "
            "'airflow mkt submissions forget' to submit the new one; then clear the task."
        )


def _executed(error: ApiError) -> bool:
    return isinstance(error, MalformedResponseError) and error.executed


def _facts(cause: Exception | None) -> dict[str, Any]:
    return {name: getattr(cause, name, None) for name in ("method", "path", "status", "request_id", "retry_after")}


def _ways_on(record: Record, order: Order) -> str:
    return (
        f"Look at {order.vendor} for the reference {record.reference!r}. If it is there, hand its ids over with "
        "'airflow mkt submissions adopt', otherwise 'airflow mkt submissions forget' has it submitted anew; then clear "
        "the task."
    )
