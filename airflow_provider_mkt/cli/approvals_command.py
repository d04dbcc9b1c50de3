# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt approvals``: what waits for a person, exactly what would be sent, and the answer.

An answer goes through Airflow's API, as :mod:`.answering` says.
"""

from __future__ import annotations

import argparse
import getpass
import json
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from airflow.utils.cli import action_cli

from airflow_provider_mkt.cli.console import one_line, print_rows
from airflow_provider_mkt.cli.launches_command import NAMED
from airflow_provider_mkt.cli.submission_records import connect
from airflow_provider_mkt.control.answering import MANY, Answer, AnsweringError, answer, former_question
from airflow_provider_mkt.control.differences import differences
from airflow_provider_mkt.state.launches.approvals import APPROVED, REFUSED, STATES, WAITING, Approval, Approvals
from airflow_provider_mkt.submission.digest import shown
from airflow_provider_mkt.submission.question import money_of, total_of
from airflow_provider_mkt.submission.record import moment
from airflow_provider_mkt.submission.summary import printable

SOURCE = "airflow mkt approvals"


def list_approvals(args: argparse.Namespace) -> None:
    """Print a line for each question, the oldest first."""
    with one_line():
        found = Approvals().find(STATES if args.all else [WAITING])
    questions = [list(rows) for _, rows in groupby(found, key=lambda each: each.ask)]
    table = ("ask", "asked", "state", "what", "amount", "goes_live", "task")
    lines = [_line(each) for each in questions]
    print_rows(lines, args.output, [{name: each[name] for name in table} for each in lines])


def show_approval(args: argparse.Namespace) -> None:
    """Print each request that a question is about, exactly as it would be sent."""
    with one_line():
        rows = _question(args.ask)
        before = former_question(rows[0])
    differs = differences(rows, before) if before else []
    requests = [
        {
            "what": each.what,
            "vendor": each.vendor,
            "account": each.account,
            "amount": money_of(each.amount, each.currency),
            "goes_live": each.goes_live,
            "audience": each.audience,
            "digest": each.digest,
            "launch": each.launch[:NAMED],
            "request": json.loads(each.request),
        }
        for each in rows
    ]
    table = [{**each, "digest": shown(str(each["digest"]))} for each in requests]
    for each in table:
        each["request"] = json.dumps(each["request"], indent=1, ensure_ascii=False)
    narrow = [{"field": name, "value": str(value)} for each in table for name, value in each.items() if value]
    narrow += [{"field": "differs", "value": each} for each in differs]
    print_rows(requests, args.output, narrow)


@action_cli(check_db=False)  # type: ignore[untyped-decorator]
def approve(args: argparse.Namespace) -> None:
    """Let what a question is about be sent."""
    _answer(args, APPROVED)


@action_cli(check_db=False)  # type: ignore[untyped-decorator]
def refuse(args: argparse.Namespace) -> None:
    """Let nothing of what a question is about be sent."""
    _answer(args, REFUSED)


def _answer(args: argparse.Namespace, state: str) -> None:
    with one_line():
        asked = _question(args.ask)
        given = Answer(state, getpass.getuser(), args.reason, SOURCE)
        try:
            answer(connect(args), asked, given)
        except AnsweringError as error:
            raise SystemExit(str(error)) from None
    first = asked[0]
    word = "Approved" if state == APPROVED else "Refused"
    print(printable(f"{word}: {first.what or first.task_id} ({shown(first.code)}). The task goes on with that."))


def _question(beginning: str) -> list[Approval]:
    """Return the rows of the only question whose name begins so.

    :raises SystemExit: when there is none, or more than one
    """
    found = Approvals().find(limit=MANY, beginning=beginning) if beginning else []
    if len({each.ask for each in found}) == 1:
        return found
    what = "several questions begin" if found else "no question begins"
    raise SystemExit(f"{what} with {beginning!r}; 'airflow mkt approvals list' shows them.".capitalize())


def _line(rows: Sequence[Approval]) -> dict[str, Any]:
    first = rows[0]
    task = f"{first.dag_id}.{first.task_id}" + (f" [{first.map_index}]" if first.map_index >= 0 else "")
    more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    return {
        "ask": first.ask[:NAMED],
        "asked": moment(first.asked_at),
        "state": first.state,
        "what": f"{first.what}{more}",
        "requests": len(rows),
        "amount": total_of(rows),
        "goes_live": first.goes_live,
        "vendor": ", ".join(sorted({each.vendor for each in rows})),
        "deployment": first.deployment,
        "task": task,
        "run": first.run_id,
        "digest": shown(first.code),
        "by": first.answered_by,
        "reason": first.reason,
        "source": first.source,
    }
