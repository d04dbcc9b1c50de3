# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What is to be submitted, and where it belongs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.client.endpoint import Call
from airflow_provider_mkt.submission.record import Record

if TYPE_CHECKING:
    from airflow.sdk import Context

MAX_REFERENCE = 255

ABSENT: dict[str, Any] = {}
"""What a trace returns when the vendor shows that the submission never happened; recognised by identity."""


@dataclass(frozen=True)
class TaskKey:
    """Where in Airflow a submission belongs. It names the submission for ever: the try is no part of it.

    :param conn_id: connection
    :param dag_id: DAG
    :param run_id: DAG run
    :param task_id: task
    :param map_index: index of a mapped task, -1 for others
    :param clear_count: changes when a user clears the task, and only then
    :param try_number: the present try, for people to read
    """

    conn_id: str
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    clear_count: int = field(compare=False, default=0)
    try_number: int = field(compare=False, default=0)

    @classmethod
    def of(cls, context: Context, conn_id: str) -> TaskKey:
        """Return the key of the running task."""
        ti = context["ti"]
        index = -1 if ti.map_index is None else ti.map_index
        # Clearing raises max_tries, a retry does not.
        return cls(conn_id, ti.dag_id, ti.run_id, ti.task_id, index, ti.max_tries, ti.try_number)

    @property
    def reference(self) -> str:
        """A readable handle for the vendor's side, at most 255 characters."""
        parts = [self.dag_id, self.run_id, self.task_id, *([str(self.map_index)] if self.map_index >= 0 else [])]
        text = "/".join(parts)
        if len(text) <= MAX_REFERENCE:
            return text
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return f"{text[: MAX_REFERENCE - 17]}~{digest}"

    def names(self, reference: str) -> bool:
        """Tell whether no other run has this reference: it is the task's own, or holds the run's id."""
        return reference == self.reference or self.run_id in reference


@dataclass(frozen=True)
class SubmissionRequest:
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
    :param follows: key of the record that this request goes on from, when it sends what that one left undone
    :param parts: for a batch: of how many parts it consists, each with an id of its own
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
    follows: str = ""
    parts: int = 0
