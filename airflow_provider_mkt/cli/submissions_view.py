# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt submissions list`` and ``show``: what tasks have submitted, and how it stands."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from airflow_provider_mkt.cli import submission_records
from airflow_provider_mkt.cli.console import one_line, print_record, print_rows
from airflow_provider_mkt.cli.submission_records import Found
from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.submission.record import STATES, moment
from airflow_provider_mkt.submission.summary import amount_of, ids_of, is_unsettled, problem_of, read

UNREADABLE = "unreadable"
"""Shown as the state of what is no record, or one of another version."""
UNSETTLED = 3
"""Exit status of ``list --unsettled`` when there are any."""
MOMENTS = ("intent_at", "sent_at", "doubt_at", "accepted_at")


def list_submissions(args: argparse.Namespace) -> None:
    """Print every submission of one DAG's latest runs, or of all DAGs, the newest last.

    :raises SystemExit: with :data:`UNSETTLED` when ``--unsettled`` finds some
    """
    with one_line():
        found = list(submission_records.found(submission_records.connect(args), args))
    if args.unsettled:
        found = [each for each in found if is_unsettled(each.value)]
    rows = [_row(each) for each in found]
    # Of one task they stay in the order of their numbers.
    latest = {each.instance: row["time"] for each, row in zip(found, rows, strict=True)}
    together = sorted(zip(found, rows, strict=True), key=lambda each: (latest[each[0].instance], each[0].instance))
    rows = [row for _, row in together]
    print_rows(rows, args.output, table=[_for_people(row) for row in rows])
    if args.unsettled and rows:
        raise SystemExit(UNSETTLED)


def show_submission(args: argparse.Namespace) -> None:
    """Print one record; its body without secrets and personal data."""
    with one_line():
        found = submission_records.one(submission_records.connect(args), args)
    record = read(found.value)
    shown = {**asdict(record), "time": record.time} if record else dict(found.value)
    shown["body"] = Redactor().data(shown.get("body"))
    if record and args.output not in ("json", "yaml"):
        shown = _record_for_people(found, shown)
    print_record(shown, args.output)


def _row(found: Found) -> dict[str, Any]:
    instance, record = found.instance, read(found.value)
    return {
        "time": record.time if record else "",
        "state": record.state if record and record.state in STATES else UNREADABLE,
        "vendor": record.vendor if record else "",
        "connection": record.conn_id if record else "",
        "amount": amount_of(record) if record else "",
        "try": record.try_number if record else None,
        "dag": instance.dag_id,
        "run": instance.run_id,
        "task": instance.task_id,
        "map_index": instance.map_index,
        "number": found.number,
        "reference": record.reference if record else "",
        "ids": ids_of(record) if record else [],
        "problem": problem_of(found.value),
    }


def _for_people(row: dict[str, Any]) -> dict[str, str]:
    """Return two lines: when, what, how much; and where it is, as the other commands want it typed."""
    there = [each for each in row["ids"] if each]
    ids = f"{len(there)} of {len(row['ids'])} ids" if len(row["ids"]) > 1 else ", ".join(map(str, there))
    index = f" --map-index {row['map_index']}" if row["map_index"] >= 0 else ""
    number = f" --number {row['number']}" if row["number"] != "0" else ""
    return {
        "time": row["time"].removesuffix(" UTC").replace(" ", "\n"),
        "state": row["state"] + (f"\ntry {row['try']}" if row["try"] else ""),
        "vendor": f"{row['vendor']}\n{row['connection']}".strip(),
        "amount,\nids": "\n".join(filter(None, (row["amount"], row["problem"] or ids))),
        "submission": f"{row['dag']} {row['run']} {row['task']}{index}{number}",
    }


def _record_for_people(found: Found, shown: dict[str, Any]) -> dict[str, Any]:
    record, instance = read(found.value), found.instance
    if record is None:
        return shown
    times = {name: moment(shown[name]) if shown[name] else "-" for name in MOMENTS}
    index = f" [{instance.map_index}]" if instance.map_index >= 0 else ""
    return {
        "state": record.state if record.state in STATES else UNREADABLE,
        "problem": record.problem,
        "unsettled": "yes: a person may have to look" if is_unsettled(found.value) else "no",
        "vendor": record.vendor,
        "connection": record.conn_id,
        "deployment": record.deployment,
        "task": f"{instance.dag_id} / {instance.run_id} / {instance.task_id}{index}, submission {found.number}",
        "try": f"{record.try_number}, generation {record.generation}",
        "amount": amount_of(record),
        "reference": record.reference,
        "key": record.key,
        "written": times["intent_at"],
        "sent": times["sent_at"] if record.sent else "no",
        "in doubt since": times["doubt_at"],
        "conclusive from": moment(record.conclusive_at) if record.conclusive_at else "-",
        "accepted": times["accepted_at"],
        "receipt": shown["receipt"],
        "evidence": shown["evidence"],
        "body": shown["body"],
    }
