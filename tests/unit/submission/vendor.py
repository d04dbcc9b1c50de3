# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A vendor that carries out what reaches it, and tasks that submit to it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict, dataclass, field
from typing import Any

from airflow.sdk import NEVER_EXPIRE

from airflow_provider_mkt.client.endpoint import Call, Endpoint, Safety
from airflow_provider_mkt.exceptions import NotSentError, OutcomeUnknownError
from airflow_provider_mkt.submission.record import Record
from airflow_provider_mkt.submission.request import ABSENT, SubmissionRequest, TaskKey
from airflow_provider_mkt.submission.submit import Submission
from airflow_provider_mkt.tasks.guard import Guard
from tests.unit.context import Task

KEYED = Endpoint("POST", "/things", Safety.KEYED)
ONCE = Endpoint("POST", "/things", Safety.ONCE)
LIST = Endpoint("GET", "/things", Safety.READ)
HOUR = 3600.0


@dataclass
class Vendor:
    """A vendor that carries out what reaches it, and answers as the script says.

    :param conclusive: whether its list shows everything, so that what is not there did not happen
    :param script: for each request: "ok", or an error, and whether it was carried out before that error
    :param executed: idempotency key and body of everything that was carried out
    :param kept: first answers by idempotency key
    """

    keyed: bool = True
    traceable: bool = False
    conclusive: bool = False
    script: list[tuple[bool, BaseException | None]] = field(default_factory=list)
    executed: list[tuple[str, Any]] = field(default_factory=list)
    sent: list[Call] = field(default_factory=list)
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)

    def send(self, call: Call, *, fence: Any = None) -> Any:
        if call.endpoint is LIST:
            return [{"id": f"id_{number}", "key": key} for number, (key, _) in enumerate(self.executed, 1)]
        self.sent.append(call)
        executes, error = self.script.pop(0) if self.script else (True, None)
        if not isinstance(error, NotSentError):
            fence()
        key = str(call.idempotency_key)
        if executes and not (self.keyed and key in self.kept):
            self.executed.append((key, call.body))
            self.kept[key] = {"id": f"id_{len(self.executed)}"}
        if error:
            raise error
        return self.kept[key]

    def ids(self, key: str) -> list[str]:
        """Return the ids of what was carried out under ``key``."""
        return [f"id_{number}" for number, (known, _) in enumerate(self.executed, 1) if known == key]

    def run(self, talk: Generator[Call, Any, Any]) -> Any:
        try:
            call = next(talk)
            while True:
                call = talk.send(self.send(call))
        except StopIteration as end:
            return end.value

    def request(self, body: Any = None, **parts: Any) -> SubmissionRequest:
        endpoint = KEYED if self.keyed else ONCE

        def trace(record: Record) -> Generator[Call, Any, dict[str, Any] | None]:
            rows = yield LIST()
            found = next(({"id": row["id"]} for row in rows if row["key"] == record.key), None)
            return found or (ABSENT if self.conclusive else None)

        return SubmissionRequest(
            vendor="Vendor",
            what="thing",
            body={"name": "a", "size": 1} if body is None else body,
            call=lambda frozen, key: endpoint(body=frozen, idempotency_key=key),
            receipt=lambda answer: {"id": answer["id"]},
            reference="launch/run/publish",
            id_field="id",
            trace=trace if self.traceable else None,
            **parts,
        )


@dataclass
class Clock:
    now: float = 1_780_000_000.0

    def __call__(self) -> float:
        return self.now


def task_key(task: Task) -> TaskKey:
    return TaskKey.of(task.context, "vendor_default")  # type: ignore[arg-type]


def submission(
    task: Task, operation: int | str = 0, *, key: TaskKey | None = None, clock: Any = None, stopped: Any = None
) -> Submission:
    """Return a submission of the task's present try."""
    context: Any = task.context
    guard = Guard(context["ti"], stopped or (lambda: False))
    return Submission(
        context["task_state_store"], key or task_key(task), operation, guard=guard, clock=clock or Clock()
    )


def submit(
    task: Task, vendor: Vendor, request: SubmissionRequest | None = None, *, resubmit: bool = False, clock: Any = None
) -> Record:
    """Submit in the task's present try."""
    ours = submission(task, clock=clock)
    return ours.submit(request or vendor.request(), vendor.send, vendor.run, resubmit=resubmit)


def settle(task: Task, vendor: Vendor) -> Record:
    """Settle what nobody could know, as a person does: hand over the id of what is there, forget what is not."""
    record = Record.of(task.record)
    ids = vendor.ids(record.key)
    settled = record.adopt(ids) if ids else record.forget()
    task.store.set("mkt.submission.0", asdict(settled), retention=NEVER_EXPIRE)
    return settled


def unknown(message: str = "the connection was reset") -> OutcomeUnknownError:
    return OutcomeUnknownError(message, vendor="Vendor", method="POST", path="/things")
