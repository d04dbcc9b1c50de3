# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Where in Airflow a submission belongs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.submission.deployment import deployment
from airflow_provider_mkt.submission.record import INTENT, PREFIX, SUBMITTED

if TYPE_CHECKING:
    from airflow.sdk import Context

MAX_REFERENCE = 255


@dataclass(frozen=True)
class TaskKey:
    """Where a submission belongs. It names the submission for ever: the try is no part of it.

    :param conn_id: connection
    :param dag_id: DAG
    :param run_id: DAG run
    :param task_id: task
    :param map_index: index of a mapped task, -1 for others
    :param deployment: name of the Airflow that the submission belongs to; "" for those that began before there were
        such names
    :param clear_count: changes when a user clears the task, and only then
    :param try_number: the present try, for people to read
    """

    conn_id: str
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    deployment: str = ""
    clear_count: int = field(compare=False, default=0)
    try_number: int = field(compare=False, default=0)

    @classmethod
    def of(cls, context: Context, conn_id: str) -> TaskKey:
        """Return the key of the running task.

        A submission that has begun keeps the deployment it began with: its body may hold the reference.
        """
        ti = context["ti"]
        index = -1 if ti.map_index is None else ti.map_index
        begun = _begun(context["task_state_store"].get(f"{PREFIX}0"))
        name = deployment() if begun is None else begun
        # Clearing raises max_tries, a retry does not.
        return cls(conn_id, ti.dag_id, ti.run_id, ti.task_id, index, name, ti.max_tries, ti.try_number)

    @property
    def names(self) -> tuple[str | int, ...]:
        """What an idempotency key is made of, besides vendor, operation and generation."""
        own = (self.conn_id, self.dag_id, self.run_id, self.task_id, self.map_index)
        return (self.deployment, *own) if self.deployment else own

    @property
    def reference(self) -> str:
        """A readable handle for the vendor's side, at most 255 characters."""
        parts = [self.deployment] if self.deployment else []
        parts += [self.dag_id, self.run_id, self.task_id, *([str(self.map_index)] if self.map_index >= 0 else [])]
        text = "/".join(parts)
        if len(text) <= MAX_REFERENCE:
            return text
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return f"{text[: MAX_REFERENCE - 17]}~{digest}"

    def is_only_name(self, reference: str) -> bool:
        """Tell whether no other run has this reference: it is the task's own, or holds the run's id."""
        return reference == self.reference or self.run_id in reference


def _begun(record: Any) -> str | None:
    """Return the deployment of a submission that has begun and is not over; None when there is no such submission."""
    if not isinstance(record, dict) or record.get("state") not in (INTENT, SUBMITTED):
        return None
    return str(record.get("deployment", ""))
