# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A plan in words: for a terminal, and for the log of a launch."""

from __future__ import annotations

from typing import Any

from airflow_provider_mkt.plan.plan import Plan
from airflow_provider_mkt.plan.requests import PlannedRequest
from airflow_provider_mkt.plan.timing import duration, leaves_at
from airflow_provider_mkt.state.launches.caps import amount_of


def summary(plan: Plan) -> list[tuple[str, str]]:
    """Return what there is to say of all requests together: a name and a text for each line."""
    costs = [f"{amount_of(mills)} {currency}".rstrip() for currency, mills in plan.costs.items()]
    unpriced = [f"{len(plan.unpriced)} not known"] if plan.unpriced else []
    posts = sum(each.posts for each in plan.requests)
    return [
        ("cost", " and ".join([*costs, *unpriced]) or "nothing"),
        ("reaches", f"{plan.people:,} people, {posts:,} posts"),
        ("takes", f"{duration((leaves_at(plan.requests) or [0.0])[-1])} by the rate limits alone"),
        *(("then", each) for each in plan.afterwards),
        ("digest", plan.digest),
    ]


def lines_of(plan: Plan) -> list[str]:
    """Return a line for each request, and those of the summary."""
    rows = [
        f"{row['#']}. {row['when']}: {row['what']} ({', '.join(filter(None, (row['to'], row['cost'])))})"
        for row in rows_of(plan)
    ]
    return [*rows, *(f"{name}: {text}" for name, text in summary(plan))]


def outcome(plan: Plan) -> dict[str, Any]:
    """Return the plan in a few numbers, for an XCom. It holds no text of a request."""
    return {
        "digest": plan.digest,
        "requests": len(plan.requests),
        "costs": {currency: amount_of(mills) for currency, mills in plan.costs.items()},
        "unpriced": len(plan.unpriced),
        "people": plan.people,
        "posts": sum(each.posts for each in plan.requests),
        "problems": len(plan.problems),
    }


def rows_of(plan: Plan) -> list[dict[str, str]]:
    """Return a line for each request, for people. The batches of one audience are one line."""
    rows: list[dict[str, str]] = []
    batches: dict[str, tuple[dict[str, str], int, int]] = {}
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
