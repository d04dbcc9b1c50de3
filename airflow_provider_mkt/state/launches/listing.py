# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What pages show of the register: a page of a list, how many there are in each state, which DAGs have launched."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, TextClause, bindparam, text

from airflow_provider_mkt.state.launches.launch import SETTLED, STATES, Launch
from airflow_provider_mkt.state.launches.register import COLUMNS, FILTERS

_A_DAY = timedelta(days=1)
UNSETTLED = tuple(state for state in STATES if state not in SETTLED)
ESCAPE = "!"
SEARCHED = ("what", "reference", "task_id", "run_id", "vendor_ids", "launch")
"""Columns in which a text is looked for."""
_TEXT = " OR ".join(f"LOWER({name}) LIKE :contains ESCAPE '{ESCAPE}'" for name in SEARCHED)
_AFTER = "(begun_at < :begun_at OR (begun_at = :begun_at AND launch < :launch))"
_LATEST = "ORDER BY begun_at DESC, launch DESC LIMIT :limit"


class Key(NamedTuple):
    """The last launch of a page: the next page begins after it.

    :param unsettled: whether it was among those that are not settled, which come first
    :param begun_at: when it began
    :param launch: its name
    """

    unsettled: bool
    begun_at: float
    launch: str


@dataclass(frozen=True)
class Wanted:
    """Which launches are asked for.

    :param dag_ids: only of these DAGs
    :param states: only in these states
    :param contains: a text in what it is, its reference, names or ids
    :param named: values of :data:`.register.FILTERS`; None or "" for any
    """

    dag_ids: Collection[str]
    deployment: str
    states: Collection[str] = STATES
    contains: str = ""
    named: Mapping[str, Any] = field(default_factory=dict)

    def _given(self) -> dict[str, Any]:
        return {name: value for name, value in self.named.items() if value not in (None, "")}

    def select(self, what: str, states: Collection[str], *more: str) -> TextClause:
        """Return the statement for ``what``, of launches in some states and with further conditions or an order."""
        conditions = ["deployment = :deployment", "dag_id IN :dag_ids", "state IN :states"]
        conditions += [FILTERS[name] for name in self._given()]
        if self.contains:
            conditions.append(f"({_TEXT})")
        order = [each for each in more if each.startswith(("ORDER", "GROUP"))]
        conditions += [each for each in more if each not in order]
        statement = f"SELECT {what} FROM mkt_launch WHERE {' AND '.join(conditions)} {' '.join(order)}"  # noqa: S608
        return text(statement).bindparams(
            bindparam("dag_ids", list(self.dag_ids), expanding=True), bindparam("states", list(states), expanding=True)
        )

    def values(self, **more: Any) -> dict[str, Any]:
        """Return the values of the statement."""
        searched = self.contains.lower()
        for sign in (ESCAPE, "%", "_"):
            searched = searched.replace(sign, ESCAPE + sign)
        contains = {"contains": f"%{searched}%"} if self.contains else {}
        return {**self._given(), "deployment": self.deployment, **contains, **more}


def page(connection: Connection, wanted: Wanted, limit: int, after: Key | None = None) -> list[Launch]:
    """Return launches: those that are not settled first, then the others; of both the latest first.

    :param limit: how many at most
    :param after: the last launch of the page before
    """
    found: list[Launch] = []
    for unsettled in (True, False):
        if after and after.unsettled < unsettled:
            continue
        group = [state for state in wanted.states if (state in UNSETTLED) == unsettled]
        if not group or len(found) >= limit:
            continue
        goes_on = after is not None and after.unsettled == unsettled
        conditions = (_AFTER, _LATEST) if goes_on else (_LATEST,)
        key = {"begun_at": after.begun_at, "launch": after.launch} if after and goes_on else {}
        rows = connection.execute(
            wanted.select(COLUMNS, group, *conditions), wanted.values(limit=limit - len(found), **key)
        )
        found += [Launch(*row) for row in rows]
    return found


def key_of(launch: Launch) -> Key:
    """Return what the next page begins after."""
    return Key(launch.state in UNSETTLED, launch.begun_at, launch.launch)


def live_between(connection: Connection, wanted: Wanted, begin: datetime, end: datetime, limit: int) -> list[Launch]:
    """Return launches that go live in a period, and some around it: texts are compared, whatever their time zones.

    :param begin: of the period; what goes live at once counts when it began
    :param end: of the period
    :param limit: how many at most
    """
    conditions = (
        "((goes_live >= :first AND goes_live < :last) OR (goes_live = '' AND begun_at >= :begin AND begun_at < :end))"
    )
    days = {"first": (begin - _A_DAY).date().isoformat(), "last": (end + 2 * _A_DAY).date().isoformat()}
    values = wanted.values(**days, begin=begin.timestamp(), end=end.timestamp(), limit=limit)
    rows = connection.execute(wanted.select(COLUMNS, wanted.states, conditions, _LATEST), values)
    return [Launch(*row) for row in rows]


def counts(connection: Connection, wanted: Wanted) -> dict[str, int]:
    """Return how many launches there are in each state."""
    rows = connection.execute(wanted.select("state, COUNT(*)", wanted.states, "GROUP BY state"), wanted.values())
    return {str(state): int(count) for state, count in rows}


def dags(connection: Connection, deployment: str) -> list[str]:
    """Return the DAGs that have launched something, also those that are gone.

    Each step of the recursion reads one entry of the index on DAGs, however many launches there are.
    """
    statement = text(
        "WITH RECURSIVE each_dag (dag_id) AS (SELECT MIN(dag_id) FROM mkt_launch UNION ALL "
        "SELECT (SELECT MIN(m.dag_id) FROM mkt_launch m WHERE m.dag_id > each_dag.dag_id) FROM each_dag "
        "WHERE each_dag.dag_id IS NOT NULL) "
        "SELECT dag_id FROM each_dag WHERE dag_id IS NOT NULL AND EXISTS "
        "(SELECT 1 FROM mkt_launch l WHERE l.dag_id = each_dag.dag_id AND l.deployment = :deployment)"
    )
    return [str(dag_id) for (dag_id,) in connection.execute(statement, {"deployment": deployment})]
