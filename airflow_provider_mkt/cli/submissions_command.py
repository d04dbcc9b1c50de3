# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt submissions``: look at what tasks have submitted, and settle what they could not.

``adopt`` and ``forget`` write over a record. They do so only while nobody else is at work on it: no try is active, the
vendor has had its time, and the record is what was read.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from airflow.sdk import conf

from airflow_provider_mkt import clock
from airflow_provider_mkt.cli.airflow_api import AirflowApi, AirflowApiError, Instance
from airflow_provider_mkt.cli.console import print_rows, printable
from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.submission.record import (
    HELD,
    INTENT,
    PREFIX,
    STATES,
    SUBMITTED,
    VERSION,
    Record,
    UnreadableRecordError,
)

WRITER = "airflow mkt submissions"
UNREADABLE = "unreadable"
"""Shown as the state of what is no record, or one of another version."""
AT_REST = frozenset({"success", "failed", "up_for_retry", "skipped", "upstream_failed", "removed"})
"""States of a task in which no try of it is at work, nor waits in the triggerer."""


@contextmanager
def refusals() -> Iterator[None]:
    """End the command with the API's words instead of a traceback, and with nothing that acts on the terminal."""
    try:
        yield
    except AirflowApiError as error:
        raise SystemExit(printable(str(error))) from None
    except SystemExit as end:
        raise SystemExit(printable(end.code) if isinstance(end.code, str) else end.code) from None


def _api(args: argparse.Namespace) -> AirflowApi:
    base = args.api_url or conf.get("api", "base_url", fallback="") or "http://localhost:8080"
    return AirflowApi(base, os.environ.get("AIRFLOW_API_TOKEN"))


def list_submissions(args: argparse.Namespace) -> None:
    """Print a line for every submission of a DAG's latest runs."""
    with refusals():
        api = _api(args)
        runs = [args.run_id] if args.run_id else api.runs(args.dag_id, args.runs)
        found = [each for run in runs for each in _found(api, args.dag_id, run)]
    rows = [_row(*each) for each in found if not args.unsettled or _needs_a_person(each[2])]
    print_rows(rows, args.output)


def show_submission(args: argparse.Namespace) -> None:
    """Print one record; its body without secrets and personal data."""
    with refusals():
        _, value = _one(_api(args), args)
    shown = {**asdict(record), "time": record.time} if (record := _record(value)) else dict(value)
    shown["body"] = Redactor().data(shown.get("body"))
    print(printable(json.dumps(shown, indent=2, ensure_ascii=False)))  # the command's output


def adopt_submission(args: argparse.Namespace) -> None:
    """Hand over the ids that a person found at the vendor: the next try attaches to them."""
    with refusals():
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
    with refusals():
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
        numbers = _numbers(self.api, self.instance)
        records = {number: _record(value) for number, value in numbers.items()}
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
        self.api.set_state(self.instance, key, asdict(replace(record, writer=WRITER, version=VERSION)))


def _settling(args: argparse.Namespace) -> Settling:
    """Return what the command settles.

    :raises SystemExit: when somebody else may be at work on it, or it cannot be read
    """
    api, instance = _api(args), _instance(args)
    state = api.task_state(instance)
    if state not in AT_REST:
        raise SystemExit(
            f"The task {instance.task_id} is {state or 'about to be scheduled'}: a try of it may write this record at "
            "any moment. Wait for its end, or mark it as failed first."
        )
    _, value = _one(api, args)
    record = _record(value)
    if record is None or record.state not in STATES:
        raise SystemExit(f"The record cannot be settled from here: {_problem(value)}. Use the version that wrote it.")
    if (left := record.conclusive_at - clock.now()) > 0:
        raise SystemExit(
            f"The request may still be at work at the vendor, so what it shows now proves nothing. Check it in "
            f"{left:.0f} s, and run this command then."
        )
    return Settling(api, instance, args.number, value, record, state)


def _record(value: Any) -> Record | None:
    try:
        return Record.of(value)
    except UnreadableRecordError:
        return None


def _problem(value: Any) -> str:
    """Say why a record cannot be used; "" when it can."""
    try:
        return Record.of(value).problem
    except UnreadableRecordError as error:
        return str(error)


def _needs_a_person(value: Any) -> bool:
    """Tell whether a submission may wait for a person: its outcome is unknown, or it was held back."""
    record = _record(value)
    return record is None or bool(record.problem) or record.state == HELD or record.conclusive_at > 0 or record.executed


def _found(api: AirflowApi, dag_id: str, run_id: str) -> Iterator[tuple[Instance, str, Any]]:
    for each in api.task_instances(dag_id, run_id):
        instance = Instance(dag_id, run_id, str(each["task_id"]), int(each["map_index"]))
        for number, value in _numbers(api, instance).items():
            yield instance, number, value


def _numbers(api: AirflowApi, instance: Instance) -> dict[str, Any]:
    """Return the records of a task instance by their numbers: chunk 2 before chunk 10, 2 before 2.1."""
    found = {key.removeprefix(PREFIX): value for key, value in api.state(instance).items() if key.startswith(PREFIX)}
    return dict(sorted(found.items(), key=lambda entry: _order(entry[0])))


def _order(number: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() else -1 for part in number.split("."))


def _continues(later: str, number: str) -> bool:
    return _order(later)[0] == _order(number)[0] and _order(later) > _order(number)


def _row(instance: Instance, number: str, value: Any) -> dict[str, Any]:
    record = _record(value)
    task = instance.task_id if instance.map_index < 0 else f"{instance.task_id} [{instance.map_index}]"
    row = {"run": instance.run_id, "task": task, "number": number}
    if record is None:
        return {**row, "state": UNREADABLE, "time": "", "reference": "", "ids": _problem(value)}
    ids = record.receipt.get(record.id_field)
    return {
        **row,
        "state": record.state if record.state in STATES else UNREADABLE,
        "time": record.time,
        "reference": record.reference,
        "ids": f"{len([each for each in ids if each])} of {record.parts}" if record.parts and ids else json.dumps(ids),
    }


def _instance(args: argparse.Namespace) -> Instance:
    return Instance(args.dag_id, args.run_id, args.task_id, args.map_index)


def _one(api: AirflowApi, args: argparse.Namespace) -> tuple[str, Any]:
    key = f"{PREFIX}{args.number}"
    value = api.state(_instance(args)).get(key)
    if value is None:
        raise SystemExit(
            f"{args.task_id} in {args.run_id} has no submission {args.number}; 'list' shows what there is."
        )
    return key, value
