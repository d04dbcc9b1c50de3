# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt plan``: every request that a brief, a calendar or an audience would send. Nothing is sent."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from airflow_provider_mkt import clock, validation
from airflow_provider_mkt.cli.console import logged, print_rows
from airflow_provider_mkt.cli.plan_view import Planned, as_data, print_plan, told
from airflow_provider_mkt.exceptions import RateLimitError, ValidationError
from airflow_provider_mkt.plan.caps import cap_findings
from airflow_provider_mkt.plan.comparison import doubts_of, last_run
from airflow_provider_mkt.plan.plan import DAGS, SETTINGS, TASKS, Plan, plan_of
from airflow_provider_mkt.plan.requests import Place
from airflow_provider_mkt.plan.words import rows_of
from airflow_provider_mkt.planning.kinds import kind_of
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.submission.deployment import deployment
from airflow_provider_mkt.submission.summary import printable

READERS = "airflow_provider_mkt.planning"
PREFLIGHT = "airflow_provider_mkt.operators.preflight"
"""Rooms whose log is part of the answer."""
RUN = "planned"
"""In place of the run's id, as long as nobody names one."""
PROBLEM, DOUBT = 1, 3
"""Exit status: it cannot be launched so; it can, and a person should look first."""


def plan(args: argparse.Namespace) -> None:
    """Print the plans; exit with 1 when one cannot be launched, with 3 when a person should look first."""
    try:
        launch = validation.parsed("--launch", args.launch) if args.launch else clock.utcnow()
        conf = _conf(args.conf)
    except ValidationError as error:
        raise SystemExit(str(error)) from None
    found = [_planned(file, launch, conf, args) for file in args.files]
    _same_in_two(found)
    if args.output in ("json", "yaml"):
        print_rows([as_data(each) for each in found], args.output)
    elif args.output == "plain":
        print_rows(
            [{"file": each.file, **row} for each in found if each.plan for row in rows_of(each.plan)], args.output
        )
        print(printable("\n".join(told(each) for each in found)))
    else:
        for each in found:
            print_plan(each)
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
    with logged(READERS, answer.notes):
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
        _compare(answer, answer.plan, args.against or "")
        if args.online:
            _ask(answer, answer.plan)
    return answer


def _ask(answer: Planned, plan: Plan) -> None:
    """Ask the vendors what the launch would ask them before its first step. Nothing is started."""
    if plan.preflight is None or not plan.requests:
        return
    with logged(PREFLIGHT, answer.notes, logging.WARNING):
        try:
            findings = plan.preflight.ask()
        except RateLimitError as error:
            answer.doubts.append(f"not everything could be asked: {error}")
            return
    answer.problems += findings.problems
    answer.doubts += [f"{place}: could not be asked: {error}" for place, error in findings.unanswered]


def _compare(answer: Planned, plan: Plan, against: str) -> None:
    """Ask the shared store what the caps leave, what is scheduled already, and what differs from the last run."""
    refused, doubtful = cap_findings(plan)
    answer.problems += refused
    answer.doubts += [*doubtful, *doubts_of(plan)]
    try:
        answer.last = last_run(plan, against)
    except StoreError as error:
        answer.notes.append(f"the last run is not known: {error}")
    if against and answer.last is None:
        answer.notes.append(f"the register has no run {against!r} of {plan.place.dag_id}")


def _same_in_two(answers: Sequence[Planned]) -> None:
    """Note what two of the files would launch both."""
    first: dict[tuple[str, str], str] = {}
    for answer in answers:
        for number, each in enumerate(answer.plan.requests if answer.plan else (), 1):
            if not (each.content and (each.spends or each.goes_live)):
                continue
            other = first.setdefault((each.account, each.content), answer.file)
            if other != answer.file:
                answer.doubts.append(f"request {number}, {each.what}: the same is in {other}")


def _notes(plan: Plan, *, named: bool) -> list[str]:
    """Return what there is to know of a plan beside its requests."""
    notes = [
        f"what {each.what} costs is not known here: name a budget, or enter the plan into the extra 'plan_amounts' of "
        f"{each.conn_id}"
        for each in plan.unpriced
    ]
    if not named and any(each.names_run for each in plan.requests):
        notes.append(
            f"names that hold the run's id have {plan.place.run_id!r} in its place, and so has the digest; --run-id "
            "names the run"
        )
    return notes
