# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt submissions``: look at what tasks have submitted, and settle what nobody could know."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from airflow.cli.simple_table import AirflowConsole
from airflow.sdk import conf

from airflow_provider_mkt.cli.airflow_api import AirflowApi, AirflowApiError
from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.submission.record import INTENT, PREFIX, SUBMITTED, Record

TaskKey = tuple[str, str, str, int]


@contextmanager
def refusals() -> Iterator[None]:
    """End the command with the API's words instead of a traceback."""
    try:
        yield
    except AirflowApiError as error:
        raise SystemExit(str(error)) from None


def _api(args: argparse.Namespace) -> AirflowApi:
    base = args.api_url or conf.get("api", "base_url", fallback="") or "http://localhost:8080"
    return AirflowApi(base, os.environ.get("AIRFLOW_API_TOKEN"))


def list_submissions(args: argparse.Namespace) -> None:
    """Print a line for every submission of a DAG's latest runs."""
    with refusals():
        api = _api(args)
        runs = [args.run_id] if args.run_id else api.runs(args.dag_id, args.runs)
        rows = [_row(*found) for run in runs for found in _found(api, args.dag_id, run)]
        if args.unsettled:
            rows = [row for row in rows if row["state"] == INTENT]
    AirflowConsole().print_as(data=rows, output=args.output)


def show_submission(args: argparse.Namespace) -> None:
    """Print one record; its body without secrets and personal data."""
    with refusals():
        _, record = _one(_api(args), args)
    shown = {**asdict(record), "time": record.time, "body": Redactor().data(record.body)}
    print(json.dumps(shown, indent=2, ensure_ascii=False))  # noqa: T201 - the command's output


def adopt_submission(args: argparse.Namespace) -> None:
    """Hand over the ids that a person found at the vendor: the next try attaches to them."""
    with refusals():
        api = _api(args)
        key, record = _one(api, args)
        if record.state == SUBMITTED and not args.yes:
            raise SystemExit(f"It is submitted already as {record.receipt}; add --yes to replace that.")
        try:
            adopted = record.adopt(args.ids)
        except ValueError as error:
            raise SystemExit(str(error)) from None
        api.set_state(_place(args), key, asdict(adopted))
    print(f"Adopted {adopted.receipt}. Clear the task {args.task_id} now: it attaches to that.")  # noqa: T201


def forget_submission(args: argparse.Namespace) -> None:
    """Void a record: the next try submits anew, under a key of its own."""
    with refusals():
        api = _api(args)
        key, record = _one(api, args)
        records = {name: Record.of(value) for name, value in _numbers(api, _place(args)).items()}
        current = [name for name, each in records.items() if each.state in (INTENT, SUBMITTED)]
        later = [name for name in current if _continues(name, args.number)]
        if later:
            raise SystemExit(f"Submission {later[-1]} goes on from this one; forget that one first.")
        if not args.yes:
            raise SystemExit(
                f"This has {record.reference!r} of {record.time} submitted a second time if it did happen. Look at the "
                "vendor first, then add --yes."
            )
        api.set_state(_place(args), key, asdict(record.forget()))
    print(f"Forgotten. Clear the task {args.task_id} now: it submits anew.")  # noqa: T201


def _found(api: AirflowApi, dag_id: str, run_id: str) -> Iterator[tuple[TaskKey, str, Record]]:
    for instance in api.task_instances(dag_id, run_id):
        place = (dag_id, run_id, str(instance["task_id"]), int(instance["map_index"]))
        for number, value in _numbers(api, place).items():
            yield place, number, Record.of(value)


def _numbers(api: AirflowApi, place: TaskKey) -> dict[str, Any]:
    """Return the records of a task instance by their numbers: chunk 2 before chunk 10, 2 before 2.1."""
    found = {key.removeprefix(PREFIX): value for key, value in api.state(*place).items() if key.startswith(PREFIX)}
    return dict(sorted(found.items(), key=lambda entry: _order(entry[0])))


def _order(number: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() else -1 for part in number.split("."))


def _continues(later: str, number: str) -> bool:
    return _order(later)[0] == _order(number)[0] and _order(later) > _order(number)


def _row(place: TaskKey, number: str, record: Record) -> dict[str, Any]:
    ids = record.receipt.get(record.id_field)
    return {
        "run": place[1],
        "task": place[2] if place[3] < 0 else f"{place[2]} [{place[3]}]",
        "number": number,
        "state": record.state,
        "time": record.time,
        "reference": record.reference,
        "ids": f"{len([each for each in ids if each])} of {record.parts}" if record.parts and ids else json.dumps(ids),
    }


def _place(args: argparse.Namespace) -> TaskKey:
    return (args.dag_id, args.run_id, args.task_id, args.map_index)


def _one(api: AirflowApi, args: argparse.Namespace) -> tuple[str, Record]:
    key = f"{PREFIX}{args.number}"
    value = api.state(*_place(args)).get(key)
    if value is None:
        raise SystemExit(
            f"{args.task_id} in {args.run_id} has no submission {args.number}; 'list' shows what there is."
        )
    return key, Record.of(value)
