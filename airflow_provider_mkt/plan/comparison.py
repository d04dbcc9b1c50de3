# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A plan beside the register: what is scheduled already, and what is different from the last run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass

from airflow_provider_mkt import validation
from airflow_provider_mkt.plan.plan import Plan
from airflow_provider_mkt.plan.requests import PlannedRequest
from airflow_provider_mkt.planning.times import local
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.state.launches.caps import amount_of
from airflow_provider_mkt.state.launches.launch import STATES, STOPPED, WITHOUT_EFFECT, Launch
from airflow_provider_mkt.state.launches.register import Register
from airflow_provider_mkt.submission.record import moment

EFFECTIVE = tuple(state for state in STATES if state not in WITHOUT_EFFECT and state != STOPPED)
"""States of what has happened, or may have."""
LOOKED_AT = 2_000
"""Launches of the DAG, the latest first, among which its last run is looked for."""
MANY = 200_000
"""Launches of one run."""
TOLD = 3
"""Launches of the same content that a message names."""


@dataclass(frozen=True)
class LastRun:
    """What is different from an earlier run of the same file.

    :param run_id: that run
    :param began: when its first request left, in Unix time
    :param differences: one line for each request that is new, changed or gone
    :param same: how many requests are the same
    """

    run_id: str
    began: float
    differences: Sequence[str]
    same: int


def scheduled_already(plan: Plan, register: Register | None = None) -> list[str]:
    """Return what other runs have launched with exactly the content of a planned request, for people.

    Syncs and reports are the same every time, and are no reason to look. What certainly had no effect, or was stopped,
    is none either.

    :param register: the register of launches
    :raises StoreError: when the store fails
    """
    found: list[str] = []
    for number, each in enumerate(plan.requests, 1):
        if not (each.content and (each.spends or each.goes_live)):
            continue
        rows = (register or Register()).find(states=EFFECTIVE, content=each.content, vendor=each.vendor)
        others = [
            row
            for row in rows
            if row.account == each.account and (row.dag_id, row.run_id) != (plan.place.dag_id, plan.place.run_id)
        ]
        if others:
            named = ", ".join(
                f"{row.run_id} of {row.dag_id} ({row.state}, {moment(row.begun_at)})" for row in others[:TOLD]
            )
            more = f" and {len(others) - TOLD} more" if len(others) > TOLD else ""
            found.append(f"request {number}, {each.what}: the same is launched already, by run {named}{more}")
    return found


def doubts_of(plan: Plan, register: Register | None = None) -> list[str]:
    """Return what :func:`scheduled_already` does; that the register cannot be asked is a doubt as well."""
    try:
        return scheduled_already(plan, register)
    except StoreError as error:
        return [f"the register of launches could not be asked: {error}"]


def last_run(plan: Plan, against: str = "", register: Register | None = None) -> LastRun | None:
    """Return what is different from the last run of the same DAG that launched at least half of the same things.

    The register knows no files: two things are the same when the line that describes them is.

    :param plan: the plan
    :param against: the run to compare with; "" for the last one
    :param register: the register of launches
    :raises StoreError: when the store fails
    """
    asked = register or Register()
    runs: dict[str, list[Launch]] = defaultdict(list)
    for row in asked.find(dag_id=plan.place.dag_id, run_id=against or None, limit=LOOKED_AT):
        if row.run_id != plan.place.run_id or against:
            runs[row.run_id].append(row)
    mine = [(number, each) for number, each in enumerate(plan.requests, 1) if each.content]
    for run_id, some in runs.items():
        if against or _alike([each for _, each in mine], some):
            rows = asked.find(dag_id=plan.place.dag_id, run_id=run_id, limit=MANY)
            differences, same = _compared(mine, _latest(rows))
            return LastRun(run_id, min(row.begun_at for row in rows), differences, same)
    return None


def _latest(rows: Sequence[Launch]) -> list[Launch]:
    """Return one launch for each task: what had an effect before what had none, then the latest."""
    found: dict[tuple[str, int, str], Launch] = {}
    for row in sorted(rows, key=lambda row: (row.state in WITHOUT_EFFECT, -row.begun_at)):
        found.setdefault((row.task_id, row.map_index, row.number), row)
    return sorted(found.values(), key=lambda row: (row.begun_at, row.map_index))


def _alike(mine: Sequence[PlannedRequest], rows: Sequence[Launch]) -> bool:
    """Tell whether a run launched at least half of the same things. Syncs and reports count where there is no more."""
    telling = [each for each in mine if each.spends or each.goes_live] or mine
    lines = {(row.task_id, row.what) for row in rows}
    same = sum((each.task_id, each.what) in lines for each in telling)
    return same > 0 and 2 * same >= len(telling)


Numbered = tuple[int, PlannedRequest]
SAMENESS: tuple[Callable[[PlannedRequest | Launch], Hashable], ...] = (
    lambda each: (each.task_id, each.account, each.content),
    lambda each: (each.task_id, each.what),
    lambda each: (each.task_id, each.map_index),
)
"""By what two are taken for the same, the surest first: a line that was put in moves the indexes of all that follow."""


def _compared(mine: Sequence[Numbered], rows: Sequence[Launch]) -> tuple[list[str], int]:
    """Return the differences, and how many requests are the same."""
    left, there = list(mine), list(rows)
    pairs: list[tuple[Numbered, Launch]] = []
    for sameness in SAMENESS:
        known: dict[Hashable, list[Launch]] = defaultdict(list)
        for row in reversed(there):
            known[sameness(row)].append(row)
        found = [(one, known[sameness(one[1])].pop()) for one in left if known.get(sameness(one[1]))]
        pairs += found
        numbers, taken = {number for (number, _), _ in found}, {row.launch for _, row in found}
        left = [one for one in left if one[0] not in numbers]
        there = [row for row in there if row.launch not in taken]
    changes = {number: list(_changes(each, row)) for (number, each), row in pairs}
    told = [(number, f"request {number}: {'; '.join(lines)}") for number, lines in changes.items() if lines]
    told += [(number, f"request {number} is new: {each.what}") for number, each in left]
    gone = [f"no longer there: {row.what}" for row in there]
    return [text for _, text in sorted(told)] + gone, sum(not lines for lines in changes.values())


def _changes(each: PlannedRequest, row: Launch) -> Iterator[str]:
    """Yield what is different between a planned request and an earlier one."""
    if each.content == row.content and each.account == row.account:
        return
    told = False
    for name, now, before in (
        ("it is", each.what, row.what),
        ("it costs", _money(each.amount, each.currency), _money(row.amount, row.currency)),
        ("it goes live", each.when, _when(row, each)),
        ("the account is", each.account, row.account),
    ):
        if now != before:
            told = True
            yield f"{name} {now}, it was {before}"
    if not told:
        yield f"its content differs ({each.what})"


def _money(mills: int | None, currency: str) -> str:
    return "nothing known" if mills is None else f"{amount_of(mills)} {currency}".rstrip()


def _when(row: Launch, each: PlannedRequest) -> str:
    try:
        return local(validation.parsed("goes_live", row.goes_live), each.zone)
    except ValueError:
        return "as soon as it is sent"
