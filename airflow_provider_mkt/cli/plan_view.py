# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What people and programs read of a plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from airflow_provider_mkt import validation
from airflow_provider_mkt.cli.console import print_rows
from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.plan.comparison import LastRun
from airflow_provider_mkt.plan.plan import Plan
from airflow_provider_mkt.plan.requests import PlannedRequest
from airflow_provider_mkt.plan.timing import leaves_at
from airflow_provider_mkt.plan.words import rows_of, summary
from airflow_provider_mkt.planning.problems import MAX_TOLD
from airflow_provider_mkt.state.launches.caps import amount_of
from airflow_provider_mkt.submission.record import moment
from airflow_provider_mkt.submission.summary import printable


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
    :param last: what is different from the last run; None when there is none
    """

    file: str
    launch: datetime
    kind: str | None = None
    plan: Plan | None = None
    problems: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    last: LastRun | None = None


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
    redactor = Redactor(secret for account in plan.accounts.values() for secret in account.secrets)
    return {
        **base,
        "digest": plan.digest,
        "dag_id": plan.place.dag_id,
        "run_id": plan.place.run_id,
        "costs": {currency: amount_of(mills) for currency, mills in plan.costs.items()},
        "people": plan.people,
        "posts": sum(each.posts for each in plan.requests),
        "last_run": None if answer.last is None else {**asdict(answer.last), "began": moment(answer.last.began)},
        "seconds": round(seconds[-1], 1) if seconds else 0,
        "requests": [_request(each, at, redactor) for each, at in zip(plan.requests, seconds, strict=True)],
        "afterwards": plan.afterwards,
    }


def _request(each: PlannedRequest, at: float, redactor: Redactor) -> dict[str, Any]:
    return {
        "task_id": each.task_id,
        "map_index": each.map_index,
        "vendor": each.vendor,
        "conn_id": each.conn_id,
        "account": each.account,
        "what": each.what,
        "when": each.when,
        "goes_live": each.goes_live,
        "amount": None if each.amount is None else amount_of(each.amount),
        "currency": each.currency,
        "people": each.people,
        "leaves_after": round(at, 1),
        "method": each.method,
        "url": each.url,
        "query": redactor.data(dict(each.query)),
        "body": redactor.data(each.body),
        "digest": each.digest,
    }


def print_plan(answer: Planned) -> None:
    """Print a plan for people."""
    if answer.plan is not None and answer.plan.requests:
        print(printable(f"{answer.file}: {answer.kind}, {_number(answer.plan)}"))
        print_rows([], "table", rows_of(answer.plan))
    else:
        print(printable(f"{answer.file}: no plan"))
    print(printable(told(answer)))


def _number(plan: Plan) -> str:
    count = len(plan.requests)
    return f"{count:,} request{'' if count == 1 else 's'}, nothing was sent"


def told(answer: Planned) -> str:
    """Return the lines about a plan below its requests."""
    lines: list[tuple[str, str]] = []
    if answer.plan is not None and answer.plan.requests:
        lines = [*summary(answer.plan), *_since(answer.plan, answer.last)]
    lines += [("problem", each) for each in answer.problems]
    lines += [("look at", each) for each in answer.doubts]
    lines += [("note", each) for each in answer.notes]
    return "\n".join(f"  {name:<8} {text}" for name, text in lines)


def _since(plan: Plan, last: LastRun | None) -> Iterator[tuple[str, str]]:
    """Yield what a person reads about the last run."""
    if last is None:
        yield "last run", f"the register has none of {plan.place.dag_id} that launched the same"
        return
    same = f"{last.same} request{' is' if last.same == 1 else 's are'} the same"
    yield "last run", f"{last.run_id}, {moment(last.began)}: {same}, {len(last.differences)} not"
    for each in last.differences[:MAX_TOLD]:
        yield "differs", each
    if len(last.differences) > MAX_TOLD:
        yield "differs", f"… and {len(last.differences) - MAX_TOLD:,} more"
