# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The intent: the record of what is about to be sent, and the idempotency key under which it is sent."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

from airflow_provider_mkt.client.durations import HOUR
from airflow_provider_mkt.client.endpoint import Safety
from airflow_provider_mkt.submission.record import HELD, INTENT, OURS, Record, fingerprint
from airflow_provider_mkt.submission.request import SubmissionRequest
from airflow_provider_mkt.submission.task_key import TaskKey

KEYS = uuid.UUID("6d1d4f2e-5b1c-5f4e-9a53-2f0f5c5f7a10")
"""Namespace of the idempotency keys. Changing it would make every unfinished launch look new."""
KEY_TRUSTED = 20 * HOUR
"""Seconds for which a key is used again; the vendors keep theirs for 24 hours."""


def intent(
    request: SubmissionRequest,
    task_key: TaskKey,
    operation: int | str,
    generation: int,
    clock: Callable[[], float],
) -> Record:
    """Return the record to be written before a request leaves. It says that nothing was sent.

    The record is held back when the vendor lists the task's own reference before its first submission.

    :param request: what is to be submitted; it is prepared
    :param task_key: of the task that submits
    :param operation: number or name of the submission within the task
    :param generation: counts the submissions of this record, from 1
    :param clock: Unix time
    """
    baseline = request.prepare()
    name = [request.vendor, *task_key.names, operation, generation]
    return Record(
        key=str(uuid.uuid5(KEYS, json.dumps(name))),
        generation=generation,
        state=HELD if generation == 1 and baseline.get(OURS) else INTENT,
        fingerprint=fingerprint(request.body),
        body=request.body,
        reference=request.reference,
        id_field=request.id_field,
        intent_at=clock(),
        clear_count=task_key.clear_count,
        try_number=task_key.try_number,
        baseline=baseline,
        follows=request.follows,
        parts=request.parts,
        conn_id=task_key.conn_id,
        deployment=task_key.deployment,
        sent=False,
        vendor=request.vendor,
    )


def can_repeat(record: Record, request: SubmissionRequest, now: float) -> bool:
    """Tell whether the vendor answers the same request under the same key with what it did the first time.

    :param now: Unix time
    """
    keyed = request.call(record.body, record.key).endpoint.safety is Safety.KEYED
    return keyed and now - record.intent_at < KEY_TRUSTED
