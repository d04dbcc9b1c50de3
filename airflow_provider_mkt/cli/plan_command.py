# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt plan``: every request that a brief, a calendar or an audience would send. Nothing is sent."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from airflow_provider_mkt import clock, validation
from airflow_provider_mkt.cli.check_command import reader_notes
from airflow_provider_mkt.cli.console import print_rows, printable
from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.plan.plan import DAGS, SETTINGS, TASKS, Plan, plan_of
from airflow_provider_mkt.plan.requests import Place, PlannedRequest
from airflow_provider_mkt.plan.timing import duration, leaves_at
from airflow_provider_mkt.planning.kinds import kind_of
from airflow_provider_mkt.state.launches.caps import amount_of
from airflow_provider_mkt.submission.deployment import deployment

RUN = "planned"
"""In place of the run's id, as long as nobody names one."""
PROBLEM, DOUBT = 1, 3
"""Exit status: it cannot be launched so; it can, and a person should look first."""


@dataclass
class Planned:
    """What became of a file.

    :param file: as it was named
    :param launch: the moment of the launch
    :param kind: brief, calendar or audience; None when nobody can tell
    :param plan: what it would launch; None when it cannot be read
    :param problems: what has to be corrected
    :param doubts: what a person should look at before it is launched
    :param notes: what else there is to know
    """

    file: str
    launch: datetime
    kind: str | None = None
    plan: Plan | None = None
    problems: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def plan(args: argparse.Namespace) -> None:
    """Print the plans; exit with 1 when one cannot be launched, with 3 when a person should look first."""
    try:
        launch = validation.parsed("--launch", args.launch) if args.launch else clock.utcnow()
        conf = _conf(args.conf)
    except ValidationError as error:
        raise SystemExit(printable(str(error))) from None
    found = [_planned(file, launch, conf, args) for file in args.files]
    if args.output in ("json", "yaml"):
        print_rows([as_data(each) for each in found], args.output)
    elif args.output == "plain":
        print_rows(
            [{"file": each.file, **row} for each in found if each.plan for row in rows_of(each.plan)], args.output
        )
        print("\n".join(_told(each) for each in found))
    else:
        for each in found:
            _print(each)
    if any(each.problems for each in found):
        raise SystemExit(PROBLEM)
    if any(each.doubts for each in found):
        raise SystemExit(DOUBT)


def _conf(given: str | None) -> Mapping[str, Any]:
    """Return the settings of ``--conf``.

    :raises ValidationError: when it is no JSON object, or names something else
    """
    if not given:
        return {}
    try:
        found = json.loads(given)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ValidationError('--conf is not a JSON object; write it like {"flow_social_conn_id": "social_uk"}.')
    validation.known_fields("--conf", found, SETTINGS)
    return found


def _planned(file: str, launch: datetime, conf: Mapping[str, Any], args: argparse.Namespace) -> Planned:
    answer = Planned(file, launch)
    with reader_notes(answer.notes):
        try:
            answer.kind = kind_of(file)
            dag_id = args.dag_id or DAGS[answer.kind]
            place = Place(dag_id, args.run_id or RUN, deployment(), f"{args.group_id}." if args.group_id else "")
            answer.plan = plan_of(TASKS[answer.kind](file, launch, conf), place)
            answer.problems += answer.plan.problems
        except ValidationError as error:
            answer.problems += str(error).splitlines()
    answer.notes[:] = dict.fromkeys(answer.notes)
    if answer.plan is not None:
        answer.notes += _notes(answer.plan, named=bool(args.run_id))
    return answer


def _notes(plan: Plan, *, named: bool) -> list[str]:
    """Return what there is to know of a plan beside its requests."""
    notes = [
        f"what {each.what} costs is not known here: name a budget, or enter the plan into the extra 'plan_amounts' of "
        f"{each.conn_id}"
        for each in plan.unpriced
    ]
    if not named and any(plan.place.run_id in each.reference for each in plan.requests):
        notes.append(
            f"names that hold the run's id have {plan.place.run_id!r} in its place, and so has the digest; --run-id "
            "names the run"
        )
    return notes


def rows_of(plan: Plan) -> list[dict[str, Any]]:
    """Return a line for each request, for people. The batches of one audience are one line."""
    rows: list[dict[str, Any]] = []
    batches: dict[str, tuple[dict[str, Any], int, int]] = {}
    for number, each in enumerate(plan.requests, 1):
        row = {
            "#": str(number),
            "when": each.when,
            "what": each.what,
            "cost": _cost(each),
            "to": f"{each.vendor}, {each.conn_id}",
        }
        if each.people is None:
            rows.append(row)
            continue
        first, count, people = batches.setdefault(each.task_id, (row, 0, 0))
        count, people = count + 1, people + each.people
        batches[each.task_id] = first, count, people
        if count == 1:
            rows.append(first)
            continue
        first["#"] = f"{number - count + 1}-{number}"
        first["what"] = f"{people:,} people {each.what.split(' ', 2)[2]} ({count:,} requests)"
    return rows


def _cost(request: PlannedRequest) -> str:
    if not request.spends:
        return ""
    return "not known" if request.amount is None else f"{amount_of(request.amount)} {request.currency}".rstrip()


def as_data(answer: Planned) -> dict[str, Any]:
    """Return a plan as JSON, without secrets and personal data."""
    base: dict[str, Any] = {
        "file": answer.file,
        "kind": answer.kind,
        "ok": not answer.problems and not answer.doubts,
        "launch": validation.moment("launch", answer.launch),
        "problems": answer.problems,
        "doubts": answer.doubts,
        "notes": answer.notes,
    }
    if answer.plan is None:
        return base
    plan = answer.plan
    seconds = leaves_at(plan.requests)
    return {
        **base,
        "digest": plan.digest,
        "dag_id": plan.place.dag_id,
        "run_id": plan.place.run_id,
        "costs": {currency: amount_of(mills) for currency, mills in plan.costs.items()},
        "people": plan.people,
        "posts": sum(each.posts for each in plan.requests),
        "seconds": round(seconds[-1], 1) if seconds else 0,
        "requests": [_request(each, at) for each, at in zip(plan.requests, seconds, strict=True)],
        "afterwards": plan.afterwards,
    }


def _request(each: PlannedRequest, at: float) -> dict[str, Any]:
    return {
        "task_id": each.task_id,
        "map_index": each.map_index,
        "vendor": each.vendor,
        "conn_id": each.conn_id,
        "account": each.login,
        "what": each.what,
        "when": each.when,
        "goes_live": each.goes_live,
        "amount": None if each.amount is None else amount_of(each.amount),
        "currency": each.currency,
        "people": each.people,
        "leaves_after": round(at, 1),
        "method": each.method,
        "url": each.url,
        "query": dict(each.query),
        "body": Redactor().data(each.body),
        "digest": each.digest,
    }


def _print(answer: Planned) -> None:
    if answer.plan is not None and answer.plan.requests:
        print(printable(f"{answer.file}: {answer.kind}, {_number(answer.plan)}"))
        print_rows([], "table", rows_of(answer.plan))
    else:
        print(printable(f"{answer.file}: no plan"))
    print(printable(_told(answer)))


def _number(plan: Plan) -> str:
    count = len(plan.requests)
    return f"{count:,} request{'' if count == 1 else 's'} by {plan.place.dag_id}, nothing was sent"


def _told(answer: Planned) -> str:
    lines: list[tuple[str, str]] = []
    if answer.plan is not None:
        plan = answer.plan
        costs = [f"{amount_of(mills)} {currency}".rstrip() for currency, mills in plan.costs.items()]
        unpriced = [f"{len(plan.unpriced)} not known"] if plan.unpriced else []
        posts = sum(each.posts for each in plan.requests)
        lines = [
            ("cost", " and ".join([*costs, *unpriced]) or "nothing"),
            ("reaches", f"{plan.people:,} people, {posts:,} posts"),
            ("takes", f"{duration((leaves_at(plan.requests) or [0.0])[-1])} by the rate limits alone"),
            *(("then", each) for each in plan.afterwards),
            ("digest", plan.digest),
        ]
    lines += [("problem", each) for each in answer.problems]
    lines += [("look at", each) for each in answer.doubts]
    lines += [("note", each) for each in answer.notes]
    return "\n".join(f"  {name:<8} {text}" for name, text in lines)
