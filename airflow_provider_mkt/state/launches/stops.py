# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Stops: from now on no launch of a kind begins, until a person lifts the stop. They are kept as an audit trail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from airflow_provider_mkt.exceptions import LaunchRefusedError
from airflow_provider_mkt.state.database.shared import store
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.launches.launch import Launch

SCOPE = ("vendor", "conn_id", "dag_id", "run_id")
"""What a stop may name. Of several names all have to fit; a stop without names is for everything."""
WORDS = ("vendor", "connection", "DAG", "run")
"""What people call them."""
VARIABLE = "mkt_stop"
"""Airflow variable that holds the stops as well: it is asked while the shared store is away."""

_COLUMNS = "id, vendor, conn_id, dag_id, run_id, reason, stopped_by, stopped_at, lift_reason, lifted_by, lifted_at"
_ADD = (
    "INSERT INTO mkt_stop (vendor, conn_id, dag_id, run_id, reason, stopped_by, stopped_at) "
    "VALUES (:vendor, :conn_id, :dag_id, :run_id, :reason, :by, {clock}) RETURNING id"
)
_LIFT = "UPDATE mkt_stop SET lift_reason = :reason, lifted_by = :by, lifted_at = {clock} WHERE lifted_at IS NULL"
_ALL = f"SELECT {_COLUMNS} FROM mkt_stop ORDER BY id"  # noqa: S608 - constants
_IN_FORCE = (
    f"SELECT {_COLUMNS} FROM mkt_stop WHERE lifted_at IS NULL "  # noqa: S608 - constants
    f"AND {' AND '.join(f'{name} IN (:empty, :{name})' for name in SCOPE)} ORDER BY id LIMIT 1"
)


@dataclass(frozen=True)
class Stop:
    """A stop, as a person gave it.

    :param id: its number
    :param vendor: name of the vendor, "" for all
    :param conn_id: the connection, "" for all
    :param dag_id: the DAG, "" for all
    :param run_id: the run, "" for all
    :param reason: why
    :param stopped_by: who
    :param stopped_at: when, in Unix time by the store's clock
    :param lift_reason: why it was lifted
    :param lifted_by: who lifted it
    :param lifted_at: when; None while it is in force
    """

    id: int
    vendor: str = ""
    conn_id: str = ""
    dag_id: str = ""
    run_id: str = ""
    reason: str = ""
    stopped_by: str = ""
    stopped_at: float = 0.0
    lift_reason: str | None = None
    lifted_by: str | None = None
    lifted_at: float | None = None

    @property
    def scope(self) -> str:
        """What it is for, in words."""
        named = [
            f"{word} {getattr(self, name)}" for name, word in zip(SCOPE, WORDS, strict=True) if getattr(self, name)
        ]
        return ", ".join(named) or "everything"

    def covers(self, launch: Launch) -> bool:
        """Tell whether it is for a launch."""
        return all(getattr(self, name) in ("", getattr(launch, name)) for name in SCOPE)


class Stops:
    """The stops of all deployments that share a store.

    :param get_store: returns the store
    """

    def __init__(self, get_store: Callable[[], Store] = store) -> None:
        self._store = get_store

    def add(self, scope: Mapping[str, str], reason: str, by: str) -> int:
        """Begin a stop, and return its number. From the commit on no launch is admitted.

        :param scope: values of :data:`SCOPE`; what is not named is for all
        :raises StoreError: when the store fails
        """
        used = self._store()
        values = {**{name: scope.get(name, "") for name in SCOPE}, "reason": reason, "by": by}
        statement = text(_ADD.format(clock=used.clock))
        return used.run(lambda connection: int(connection.execute(statement, values).scalar_one()), durable=True)

    def lift(self, numbers: Iterable[int], reason: str, by: str) -> int:
        """End stops; those that are over stay so. Return how many ended.

        :raises StoreError: when the store fails
        """
        used = self._store()
        statement = text(f"{_LIFT.format(clock=used.clock)} AND id = :id")
        rows = [{"id": number, "reason": reason, "by": by} for number in numbers]
        return used.run(
            lambda connection: sum(connection.execute(statement, row).rowcount for row in rows), durable=True
        )

    def all(self) -> list[Stop]:
        """Return every stop there ever was, in order.

        :raises StoreError: when the store fails
        """
        return self._store().run(lambda connection: [Stop(*row) for row in connection.execute(text(_ALL))])

    def in_force(self) -> list[Stop]:
        """Return the stops that are in force.

        :raises StoreError: when the store fails
        """
        return [each for each in self.all() if each.lifted_at is None]


def check_stops(connection: Connection, launch: Launch) -> None:
    """Return when no stop is for a launch.

    :raises LaunchRefusedError: naming the stop
    """
    values = {"empty": "", **{name: getattr(launch, name) for name in SCOPE}}
    row = connection.execute(text(_IN_FORCE), values).first()
    if row is not None:
        raise refusal(Stop(*row))


def check_variable(launch: Launch) -> None:
    """Look for a stop where Airflow keeps it, while the shared store is away.

    :raises LaunchRefusedError: naming the stop
    """
    from airflow.sdk import Variable  # asks Airflow's API server

    for each in Variable.get(VARIABLE, default=None, deserialize_json=True) or ():
        stop = stop_of(each)
        if stop.covers(launch):
            raise refusal(stop)


def stop_of(value: Mapping[str, Any]) -> Stop:
    """Return the stop that the variable describes."""
    given: dict[str, Any] = {name: str(value.get(name, "")) for name in (*SCOPE, "reason", "stopped_by")}
    return Stop(int(value.get("id", 0)), **given)


def refusal(stop: Stop) -> LaunchRefusedError:
    """Return the error for a launch that a stop keeps from beginning."""
    return LaunchRefusedError(
        f"Launches are stopped for {stop.scope}: {stop.reason} (said by {stop.stopped_by}). Nothing was sent. After "
        "'airflow mkt resume', clear the task."
    )
