# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One record in Airflow's task state store, written only over what was read.

Airflow gives a task instance a new id on retry, lost heartbeat and clear. It refuses writes under the former id, and
answers reads under it with "nothing there". There is no compare-and-set, so each write reads first: whoever finds
something else than they left there is not the only one at work, and stops.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from airflow_provider_mkt.exceptions import ApiError, StoppedError, ValidationError
from airflow_provider_mkt.submission.record import PREFIX, SUBMITTED, VERSION, Record, UnreadableRecordError
from airflow_provider_mkt.tasks.state_store import Store, keep

WRITERS: set[str] = set()
"""Of this process: what it wrote itself is no news to it."""
GONE = 404
"""Status by which Airflow's API server says that it does not know a task instance any more."""


class RecordFile:
    """The record of one submission.

    :param store: the task state store
    :param operation: number or name of the submission within its task
    :param writer: names the try that writes
    :param written: called after each write, with the record and who wrote it before
    """

    def __init__(
        self,
        store: Store,
        operation: int | str,
        writer: str,
        written: Callable[[Record, str], None] | None = None,
    ) -> None:
        self._store, self.writer, self._written = store, writer, written
        WRITERS.add(writer)
        self._operation = operation
        self._name = f"{PREFIX}{operation}"
        self._seen: Any = None

    def read(self) -> Record | None:
        """Return the record, or None when there is none.

        :raises ValidationError: when nothing can be concluded from what is there; nothing may be sent then
        """
        self._seen = self._store.get(self._name)
        if self._seen is None:
            return None
        try:
            record = Record.of(self._seen)
            problem = record.problem
        except UnreadableRecordError as error:
            problem = str(error)
        if problem:
            number = f" --number {self._operation}" if self._operation else ""
            raise ValidationError(
                f"The record {self._name!r} of this task cannot be used: {problem}. Nothing was sent. Run the version "
                f"of this package that wrote it. If there is none, check the vendor, then run 'airflow mkt submissions "
                f"adopt{number}' with what is there, or 'forget{number}'."
            )
        return record

    def is_unchanged(self) -> bool:
        """Ask whether the store still holds what was read or written here last."""
        return bool(self._store.get(self._name) == self._seen)

    def write(self, record: Record) -> Record:
        """Write over what was read or written here last.

        :raises StoppedError: when something else is there, or Airflow has given this try up
        """
        if not self.is_unchanged():
            raise StoppedError(
                "The record of this submission was changed by another try or a person, so this try stops."
            )
        return self.overwrite(record)

    def overwrite(self, record: Record) -> Record:
        """Write, without looking at what is there.

        :raises StoppedError: when Airflow has given this try up
        """
        from airflow.sdk.exceptions import AirflowRuntimeError

        record = replace(record, writer=self.writer, version=VERSION)
        former = str(self._seen.get("writer", "")) if isinstance(self._seen, dict) else ""
        value = dict(vars(record))
        try:
            keep(self._store, self._name, value)
        except AirflowRuntimeError as error:
            if not _given_up(error):
                raise
        else:
            self._seen = json.loads(json.dumps(value))
            if self._written is not None:
                self._written(record, former)
            return record
        raise StoppedError("Airflow has given this try up: another one takes its place, or the task was cleared.")

    def write_receipt(self, record: Record) -> Record:
        """Write a receipt: over whatever is there, except another receipt.

        :raises ApiError: naming the ids, when they cannot be recorded: a person has to act
        """
        name, ids = record.id_field, record.receipt
        there = self._store.get(self._name)
        other = there.get("receipt") if isinstance(there, dict) and there.get("state") == SUBMITTED else None
        if other and other != ids:
            raise ApiError(
                f"The vendor accepted this submission as {ids}, but {other} was recorded meanwhile. Check the vendor: "
                "it may have happened twice."
            )
        try:
            return self.overwrite(record)
        except StoppedError:
            problem = (
                f"The vendor accepted this submission as {ids}, but Airflow has given this try up and refuses the "
                f"record. The next try asks the vendor; where it cannot, hand the {name} over with 'airflow mkt "
                "submissions adopt'."
            )
        raise ApiError(problem)


def _given_up(error: Any) -> bool:
    detail = getattr(error.error, "detail", None) or {}
    return detail.get("status_code") == GONE
