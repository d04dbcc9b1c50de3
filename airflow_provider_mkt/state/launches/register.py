# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The register: one row for each launch of all DAGs, also of runs that were deleted.

Airflow's task state store stays the truth about one task. The register is how launches are found, counted and stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from sqlalchemy import Connection, bindparam, text

from airflow_provider_mkt.client.durations import DAY
from airflow_provider_mkt.state.database.shared import store
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.launches.launch import NOT_SENT, SETTLED, STATES, WITHOUT_EFFECT, Launch

KEPT = 400 * DAY
"""Seconds for which a settled launch is kept: a year, and the month that it is compared with."""
PRUNED_AT_ONCE = 1_000
ABOUT_TO_LEAVE = 5.0
"""Seconds within which what was let begin is written down as leaving, or asks to begin again."""

NAMES = tuple(field.name for field in fields(Launch))
COLUMNS = ", ".join(NAMES)
_DESCRIBED = (
    "what",
    "amount",
    "currency",
    "goes_live",
    "audience",
    "reference",
    "content",
    "account",
    "conn_id",
    "channel",
)
_AFRESH = (*_DESCRIBED, "triggered_by", "approved_by", "state", "writer", "changed_at", "counted_at")
_VALUES = ", ".join("{clock}" if name in ("begun_at", "changed_at") else f":{name}" for name in NAMES)
_WRITE = (
    f"INSERT INTO mkt_launch ({COLUMNS}) VALUES ({_VALUES}) "  # noqa: S608 - constants
    f"ON CONFLICT (launch) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _AFRESH)}"
)
_NOTE = (
    "UPDATE mkt_launch SET state = :state, vendor_ids = :vendor_ids, writer = :writer, changed_at = {clock} "
    "WHERE launch = :launch AND NOT (state IN ('done', 'stopped') AND :state = 'accepted')"
)
_RELEASE = (
    "UPDATE mkt_launch SET state = :state, writer = :writer, changed_at = {clock}, counted_at = NULL "
    "WHERE launch = :launch AND writer IN (:writer, :former)"
)
_REPLACE = (
    "UPDATE mkt_launch SET state = :state, vendor_ids = :vendor_ids, writer = :writer, changed_at = {clock}, "
    "counted_at = :counted_at WHERE launch = :launch AND state = :seen AND writer = :former"
)
_INSERT = f"INSERT INTO mkt_launch ({COLUMNS}) VALUES ({_VALUES}) ON CONFLICT (launch) DO NOTHING"  # noqa: S608 - constants
_ENTER = _INSERT.replace("{clock}", ":begun_at", 1)
_PRUNE = (
    "DELETE FROM mkt_launch WHERE launch IN (SELECT launch FROM mkt_launch WHERE state IN :states "
    "AND changed_at < {clock} - :kept LIMIT :most)"
)
FILTERS: Mapping[str, str] = {
    "vendor": "vendor = :vendor",
    "conn_id": "conn_id = :conn_id",
    "dag_id": "dag_id = :dag_id",
    "run_id": "run_id = :run_id",
    "task_id": "task_id = :task_id",
    "content": "content = :content",
    "since": "begun_at >= :since",
    "until": "begun_at < :until",
}
"""What launches are found by."""


class Register:
    """The launches of all deployments that share a store.

    :param get_store: returns the store
    """

    def __init__(self, get_store: Callable[[], Store] = store) -> None:
        self._store = get_store

    def note(self, launch: Launch, former: str = "", *, described: bool = True) -> None:
        """Write down how a launch stands.

        What certainly had no effect is given back only by the try that is known to have written the row last: a try
        that stood still must not give back what its successor has sent.

        :param launch: the launch, with its new state and the writer
        :param former: who wrote the record before
        :param described: whether all of it is known, so that a row that is missing can be made
        :raises StoreError: when the store fails
        """
        used = self._store()

        def work(connection: Connection) -> None:
            values = {**asdict(launch), "former": former}
            released = launch.state in WITHOUT_EFFECT
            statement = (_RELEASE if released else _NOTE).format(clock=used.clock)
            changed = connection.execute(text(statement), values).rowcount
            if not changed and described and not released:
                counted = replace(launch, counted_at=now(connection, used.clock))
                connection.execute(text(_INSERT.format(clock=used.clock)), asdict(counted))

        used.run(work, durable=True)

    def enter(self, launch: Launch) -> None:
        """Write down a launch that is not there: it began, at ``begun_at``, while the store was away.

        Its money counts for no cap: where there are caps, nothing begins without the store.

        :raises StoreError: when the store fails
        """
        used = self._store()
        statement = text(_ENTER.format(clock=used.clock))
        used.run(lambda connection: connection.execute(statement, asdict(launch)), durable=True)

    def replace(self, seen: Launch, launch: Launch) -> bool:
        """Write how a launch stands, unless somebody has written since it was read.

        A try that was let begin may not have written yet that its request leaves. It does so, or asks again, within
        :data:`ABOUT_TO_LEAVE`: "not sent" is written only after that.

        :param seen: as it was read
        :param launch: with its new state, ids and writer
        :return: whether it was written
        :raises StoreError: when the store fails
        """
        used = self._store()
        values = {**asdict(launch), "seen": seen.state, "former": seen.writer, "age": ABOUT_TO_LEAVE}
        if launch.state in WITHOUT_EFFECT:
            values["counted_at"] = None
        settled = " AND changed_at < {clock} - :age" if launch.state == NOT_SENT else ""
        statement = text((_REPLACE + settled).format(clock=used.clock))
        return used.run(lambda connection: connection.execute(statement, values).rowcount > 0, durable=True)

    def named(self, names: Collection[str]) -> dict[str, Launch]:
        """Return the launches that have these names, by their names.

        :raises StoreError: when the store fails
        """
        select = text(f"SELECT {COLUMNS} FROM mkt_launch WHERE launch IN :names").bindparams(  # noqa: S608 - constants
            bindparam("names", expanding=True)
        )
        found = self._store().run(
            lambda connection: [Launch(*row) for row in connection.execute(select, {"names": list(names)})]
        )
        return {each.launch: each for each in found}

    def find(self, states: Collection[str] = STATES, limit: int = 100, **wanted: Any) -> list[Launch]:
        """Return launches, those that began last first.

        :param states: only in these states
        :param limit: how many at most
        :param wanted: values of :data:`FILTERS`; None for any
        :raises StoreError: when the store fails
        """
        given = {name: value for name, value in wanted.items() if value is not None}
        conditions = ["state IN :states", *(FILTERS[name] for name in given)]
        select = text(
            f"SELECT {COLUMNS} FROM mkt_launch WHERE {' AND '.join(conditions)} "  # noqa: S608 - constants
            "ORDER BY begun_at DESC, launch DESC LIMIT :limit"
        ).bindparams(bindparam("states", expanding=True))
        values = {**given, "states": list(states), "limit": limit}
        return self._store().run(lambda connection: [Launch(*row) for row in connection.execute(select, values)])

    def starting_with(self, beginning: str, limit: int = 2) -> list[Launch]:
        """Return the launches whose name begins so.

        :param beginning: of the idempotency key
        :param limit: how many at most
        :raises StoreError: when the store fails
        """
        select = text(
            f"SELECT {COLUMNS} FROM mkt_launch WHERE launch >= :from AND launch < :to "  # noqa: S608 - constants
            "ORDER BY launch LIMIT :limit"
        )
        values = {"from": beginning, "to": f"{beginning}g", "limit": limit}
        return self._store().run(lambda connection: [Launch(*row) for row in connection.execute(select, values)])


def prune(connection: Connection, clock: str, kept: float = KEPT) -> int:
    """Delete some of what was settled long ago. What is not settled is never deleted.

    :param kept: seconds for which a settled launch is kept
    :return: how many were deleted
    """
    statement = text(_PRUNE.format(clock=clock)).bindparams(bindparam("states", expanding=True))
    values = {"states": sorted(SETTLED), "kept": kept, "most": PRUNED_AT_ONCE}
    return connection.execute(statement, values).rowcount


def now(connection: Connection, clock: str) -> float:
    """Return the store's time, in Unix seconds."""
    return float(connection.execute(text(f"SELECT {clock}")).scalar_one())


def write(connection: Connection, launch: Launch, clock: str) -> None:
    """Write a launch that is about to leave, over what an earlier try wrote of it."""
    connection.execute(text(_WRITE.format(clock=clock)), asdict(launch))
