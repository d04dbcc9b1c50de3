# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A person settles what a task could not: adopts what is there at the vendor, or has it submitted again.

A record is written over only while nobody else is at work on it: no try is active, the vendor has had its time, and the
record is what was read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple, Protocol

from airflow_provider_mkt import clock
from airflow_provider_mkt.submission.desk import settled_by_person
from airflow_provider_mkt.submission.record import INTENT, PREFIX, STATES, SUBMITTED, VERSION, Record
from airflow_provider_mkt.submission.summary import problem_of, read

AT_REST = frozenset({"success", "failed", "up_for_retry", "skipped", "upstream_failed", "removed"})
"""States of a task in which no try of it is at work, nor waits in the triggerer."""
CHANGED = "The record or the task has changed since it was read, so nothing was written. Look at it again."


class SettlingError(Exception):
    """A record that cannot be settled now."""


class UnsureError(SettlingError):
    """Something that a person has to say yes to first."""


class Instance(NamedTuple):
    """A task instance.

    :param map_index: index of a mapped task, -1 for others
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int


class Airflow(Protocol):
    """Where records are: Airflow's REST API, or its database."""

    def task_state(self, instance: Instance) -> str:
        """Return the state of a task instance; "" when it has none."""

    def state(self, instance: Instance) -> dict[str, Any]:
        """Return what the task state store holds for a task instance."""

    def set_state(self, instance: Instance, key: str, value: Any) -> None:
        """Write an entry that never expires."""


@dataclass(frozen=True)
class Settling:
    """A record that a person settles, while nothing else is at work on it.

    :param airflow: where it is
    :param instance: the task instance
    :param number: number of the submission within the task
    :param value: what is in the store
    :param record: the same, read
    :param state: the task's state
    :param writer: by which means it is settled
    """

    airflow: Airflow
    instance: Instance
    number: str
    value: Any
    record: Record
    state: str
    writer: str

    @property
    def following(self) -> str:
        """What has to be done for the next try to begin."""
        if self.state == "up_for_retry":
            return f"The next try of {self.instance.task_id} comes by itself"
        return f"Clear the task {self.instance.task_id} now"

    def adopt(self, ids: Sequence[str], *, sure: bool) -> Record:
        """Hand over the ids that a person found at the vendor: the next try attaches to them.

        :param ids: as :meth:`.Record.adopt` takes them
        :param sure: whether it may take the place of ids that the record has
        :raises SettlingError: when it cannot be done; :class:`UnsureError` when it needs a yes
        """
        record = self.record
        if record.state == SUBMITTED and not record.problem and not sure:
            raise UnsureError(f"It is submitted already as {record.receipt}")
        try:
            adopted = record.adopt(list(ids))
        except ValueError as error:
            raise SettlingError(str(error)) from None
        self.write(adopted)
        return adopted

    def forget(self, *, sure: bool) -> None:
        """Void the record: the next try submits again, under a key of its own.

        :param sure: whether the person knows that it did not happen
        :raises SettlingError: when it cannot be done; :class:`UnsureError` when it needs a yes
        """
        record = self.record
        if record.left_nothing:
            raise SettlingError(f"Nothing was sent of it. {self.following}: it submits by itself.")
        if later := self._continued():
            raise SettlingError(f"Submission {later} goes on from this one; forget that one first.")
        if not sure:
            raise UnsureError(
                f"This has {record.reference!r} of {record.time} submitted a second time if it did happen. Check the "
                "vendor first"
            )
        self.write(record.forget())

    def _continued(self) -> str | None:
        """Return the last submission of the same chunk that goes on from this one."""
        records = {number: read(value) for number, value in numbers(self.airflow, self.instance).items()}
        current = [number for number, each in records.items() if each and each.state in (INTENT, SUBMITTED)]
        later = [number for number in current if _continues(number, self.number)]
        return later[-1] if later else None

    def write(self, record: Record) -> None:
        """Write over what was read.

        :raises SettlingError: when something else is there by now
        """
        key = f"{PREFIX}{self.number}"
        there = self.airflow.state(self.instance).get(key)
        if there != self.value or self.airflow.task_state(self.instance) != self.state:
            raise SettlingError(CHANGED)
        written = replace(record, writer=self.writer, version=VERSION)
        self.airflow.set_state(self.instance, key, asdict(written))
        settled_by_person(written, self.record.writer)


def settling(airflow: Airflow, instance: Instance, number: str, value: Any, writer: str) -> Settling:
    """Return what a person settles.

    :raises SettlingError: when somebody else may be at work on it, or it cannot be read
    """
    state = airflow.task_state(instance)
    if state not in AT_REST:
        raise SettlingError(
            f"The task {instance.task_id} is {state or 'about to be scheduled'}: a try of it may write this record at "
            "any moment. Wait for its end, or mark it as failed first."
        )
    record = read(value)
    if record is None or record.state not in STATES:
        raise SettlingError(
            f"The record cannot be settled from here: {problem_of(value)}. Use the version that wrote it."
        )
    if (left := record.conclusive_at - clock.now()) > 0:
        raise SettlingError(
            "The request may still be at work at the vendor, so what it shows now proves nothing. Check it in "
            f"{left:.0f} s, and settle it then."
        )
    return Settling(airflow, instance, number, value, record, state, writer)


def numbers(airflow: Airflow, instance: Instance) -> dict[str, Any]:
    """Return the records of a task instance by their numbers: chunk 2 before chunk 10, 2 before 2.1."""
    state = airflow.state(instance)
    records = {key.removeprefix(PREFIX): value for key, value in state.items() if key.startswith(PREFIX)}
    return dict(sorted(records.items(), key=lambda entry: _order(entry[0])))


def _order(number: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() else -1 for part in number.split("."))


def _continues(later: str, number: str) -> bool:
    return _order(later)[0] == _order(number)[0] and _order(later) > _order(number)
