# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt submissions adopt`` and ``forget``: a person settles what a task could not.

They write over a record, and only while nobody else is at work on it: no try is active, the vendor has had its time,
and the record is what was read.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass, replace
from typing import Any

from airflow_provider_mkt import clock
from airflow_provider_mkt.cli import submission_records
from airflow_provider_mkt.cli.airflow_api import AirflowApi, Instance
from airflow_provider_mkt.cli.console import one_line, printable
from airflow_provider_mkt.cli.submission_records import numbers, order
from airflow_provider_mkt.submission.desk import settled_by_person
from airflow_provider_mkt.submission.record import INTENT, PREFIX, STATES, SUBMITTED, VERSION, Record
from airflow_provider_mkt.submission.summary import problem_of, read

WRITER = "airflow mkt submissions"
AT_REST = frozenset({"success", "failed", "up_for_retry", "skipped", "upstream_failed", "removed"})
"""States of a task in which no try of it is at work, nor waits in the triggerer."""


def adopt_submission(args: argparse.Namespace) -> None:
    """Hand over the ids that a person found at the vendor: the next try attaches to them."""
    with one_line():
        settling = _settling(args)
        record = settling.record
        if record.state == SUBMITTED and not record.problem and not args.yes:
            raise SystemExit(f"It is submitted already as {record.receipt}; add --yes to replace that.")
        try:
            adopted = record.adopt(args.ids)
        except ValueError as error:
            raise SystemExit(str(error)) from None
        settling.write(adopted)
    print(printable(f"Adopted {adopted.receipt}. {settling.following}: it attaches to that."))


def forget_submission(args: argparse.Namespace) -> None:
    """Void a record: the next try submits again, under a key of its own."""
    with one_line():
        settling = _settling(args)
        record = settling.record
        if record.left_nothing:
            raise SystemExit(f"Nothing was sent of it. {settling.following}: it submits by itself.")
        if later := settling.continued():
            raise SystemExit(f"Submission {later} goes on from this one; forget that one first.")
        if not args.yes:
            raise SystemExit(
                f"This has {record.reference!r} of {record.time} submitted a second time if it did happen. Check the "
                "vendor first, then add --yes."
            )
        settling.write(record.forget())
    print(printable(f"Forgotten. {settling.following}: it submits again."))


@dataclass(frozen=True)
class Settling:
    """A record that a person settles, while nothing else is at work on it.

    :param api: Airflow's REST API
    :param instance: the task instance
    :param number: number of the submission within the task
    :param value: what is in the store
    :param record: the same, read
    :param state: the task's state
    """

    api: AirflowApi
    instance: Instance
    number: str
    value: Any
    record: Record
    state: str

    @property
    def following(self) -> str:
        """What has to be done for the next try to begin."""
        if self.state == "up_for_retry":
            return f"The next try of {self.instance.task_id} comes by itself"
        return f"Clear the task {self.instance.task_id} now"

    def continued(self) -> str | None:
        """Return the last submission of the same chunk that goes on from this one."""
        records = {number: read(value) for number, value in numbers(self.api, self.instance).items()}
        current = [number for number, each in records.items() if each and each.state in (INTENT, SUBMITTED)]
        later = [number for number in current if _continues(number, self.number)]
        return later[-1] if later else None

    def write(self, record: Record) -> None:
        """Write over what was read.

        :raises SystemExit: when something else is there by now
        """
        key = f"{PREFIX}{self.number}"
        if self.api.state(self.instance).get(key) != self.value or self.api.task_state(self.instance) != self.state:
            raise SystemExit(
                "The record or the task has changed since it was read, so nothing was written. Look at it again."
            )
        written = replace(record, writer=WRITER, version=VERSION)
        self.api.set_state(self.instance, key, asdict(written))
        settled_by_person(written, self.record.writer)


def _settling(args: argparse.Namespace) -> Settling:
    """Return what the command settles.

    :raises SystemExit: when somebody else may be at work on it, or it cannot be read
    """
    api, instance = submission_records.connect(args), submission_records.instance_of(args)
    state = api.task_state(instance)
    if state not in AT_REST:
        raise SystemExit(
            f"The task {instance.task_id} is {state or 'about to be scheduled'}: a try of it may write this record at "
            "any moment. Wait for its end, or mark it as failed first."
        )
    value = submission_records.one(api, args).value
    record = read(value)
    if record is None or record.state not in STATES:
        raise SystemExit(f"The record cannot be settled from here: {problem_of(value)}. Use the version that wrote it.")
    if (left := record.conclusive_at - clock.now()) > 0:
        raise SystemExit(
            f"The request may still be at work at the vendor, so what it shows now proves nothing. Check it in "
            f"{left:.0f} s, and run this command then."
        )
    return Settling(api, instance, args.number, value, record, state)


def _continues(later: str, number: str) -> bool:
    return order(later)[0] == order(number)[0] and order(later) > order(number)
