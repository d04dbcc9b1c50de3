# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Approvals: what people were asked, what they said, and which launch it was good for.

An approval is for one digest of one run, and for one launch. It counts again only where that launch certainly had no
effect. Whatever a task asks next makes void what it was told before.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, bindparam, text

from airflow_provider_mkt.exceptions import ApprovalWantedError
from airflow_provider_mkt.state.database.shared import store
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.launches.launch import WITHOUT_EFFECT, Launch

WAITING, APPROVED, REFUSED, VOID = "waiting", "approved", "refused", "void"
STATES = (WAITING, APPROVED, REFUSED, VOID)
"""``void``: something else was asked since, or nobody answered in time."""
TASK, RUN = "task", "run"
"""Whose launches an approval is good for: the asking task's, or all of its run's."""


@dataclass(frozen=True)
class Asked:
    """One request that a person is asked about.

    :param launch: what is to be launched, as the register would have it
    :param digest: of the exact request
    :param request: the request as JSON for people, without secrets and personal data
    """

    launch: Launch
    digest: str
    request: str


@dataclass(frozen=True)
class Approval:
    """A row: one request, what was said of it, and what came of that.

    :param ask: names the question; one question may be about several requests
    :param code: digest of all that the question is about
    :param scope: :data:`TASK` or :data:`RUN`
    :param deployment: name of the Airflow
    :param dag_id: the DAG
    :param run_id: the run
    :param task_id: the task that asked
    :param map_index: of a mapped task, -1 for others
    :param digest: of the exact request
    :param vendor: the vendor's name
    :param account: the account, by address and login
    :param what: one line that a marketer understands
    :param request: the request as JSON for people
    :param amount: thousandths of the currency; None where none is spent, or it is not known
    :param currency: of the amount
    :param goes_live: when, in ISO 8601; "" at once
    :param audience: how many people or posts it reaches; None when that is not known
    :param asked_at: when, in Unix time by the store's clock like all moments here
    :param state: one of :data:`STATES`
    :param answered_by: who answered
    :param reason: what they gave as the reason
    :param source: where they answered
    :param answered_at: when
    :param launch: the launch that it was used for; "" when for none
    """

    ask: str
    code: str
    scope: str
    deployment: str
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    digest: str
    vendor: str
    account: str
    what: str
    request: str
    amount: int | None = None
    currency: str = ""
    goes_live: str = ""
    audience: int | None = None
    asked_at: float = 0.0
    state: str = WAITING
    answered_by: str = ""
    reason: str = ""
    source: str = ""
    answered_at: float | None = None
    launch: str = ""


NAMES = tuple(field.name for field in fields(Approval))
COLUMNS = ", ".join(NAMES)
_INSERT = (
    f"INSERT INTO mkt_approval ({COLUMNS}) VALUES "  # noqa: S608 - constants
    f"({', '.join('{clock}' if name == 'asked_at' else f':{name}' for name in NAMES)})"
)
_OF_TASK = (
    "deployment = :deployment AND dag_id = :dag_id AND run_id = :run_id AND task_id = :task_id "
    "AND map_index = :map_index"
)
_STILL = f"SELECT ask FROM mkt_approval WHERE {_OF_TASK} AND code = :code AND state = 'waiting' LIMIT 1"  # noqa: S608
_VOID = (
    f"UPDATE mkt_approval SET state = 'void' WHERE {_OF_TASK} AND state IN ('waiting', 'approved') "  # noqa: S608
    "AND (launch = '' OR launch IN (SELECT launch FROM mkt_launch WHERE state IN :over))"
)
_ANSWER = (
    "UPDATE mkt_approval SET state = :state, answered_by = :by, reason = :reason, source = :source, "
    "answered_at = {clock} WHERE ask = :ask AND state = 'waiting'"
)
_GOOD = (
    "SELECT id, launch, amount, currency, answered_by FROM mkt_approval WHERE deployment = :deployment "
    "AND dag_id = :dag_id AND run_id = :run_id AND digest = :digest AND state = 'approved' "
    "AND (scope = 'run' OR (task_id = :task_id AND map_index = :map_index)) "
    "ORDER BY CASE WHEN launch = :launch THEN 0 WHEN launch = '' THEN 1 ELSE 2 END, id"
)
_USE = "UPDATE mkt_approval SET launch = :launch WHERE id = :id AND launch = :seen AND state = 'approved'"
_PRUNE = (
    "DELETE FROM mkt_approval WHERE id IN (SELECT id FROM mkt_approval WHERE state <> 'waiting' "
    "AND asked_at < {clock} - :kept LIMIT :most)"
)
NAMED = ("deployment", "dag_id", "run_id", "task_id", "map_index")


class Approvals:
    """The approvals of all deployments that share a store.

    :param get_store: returns the store
    """

    def __init__(self, get_store: Callable[[], Store] = store) -> None:
        self._store = get_store

    def ask(self, asked: Sequence[Asked], code: str, scope: str = TASK, task: Launch | None = None) -> str:
        """Write down a question, and return its name. The same question that waits still is not asked twice.

        Whatever else the task was told is void from then on, unless it was used.

        :param asked: what it is about
        :param code: digest of all of it
        :param scope: :data:`TASK` or :data:`RUN`
        :param task: names the task that asks; by default the one that is to launch the first request
        :raises StoreError: when the store fails
        """
        used, name = self._store(), uuid.uuid4().hex
        asking = task or asked[0].launch
        place = {each: getattr(asking, each) for each in NAMED}
        void = text(_VOID).bindparams(bindparam("over", expanding=True))

        def work(connection: Connection) -> str:
            still = connection.execute(text(_STILL), {**place, "code": code}).scalar()
            if still is not None:
                return str(still)
            connection.execute(void, {**place, "over": sorted(WITHOUT_EFFECT)})
            insert = text(_INSERT.format(clock=used.clock))
            for each in asked:
                connection.execute(insert, vars(_row(each, name, code, scope, place)))
            return name

        return used.run(work, durable=True)

    def answer(self, ask: str, state: str, by: str, reason: str, source: str) -> bool:
        """Write down an answer, and tell whether the question still waited for one.

        :param state: :data:`APPROVED`, :data:`REFUSED` or :data:`VOID`
        :param by: who
        :param reason: why
        :param source: where they answered
        :raises StoreError: when the store fails
        """
        used = self._store()
        values = {"ask": ask, "state": state, "by": by, "reason": reason, "source": source}
        statement = text(_ANSWER.format(clock=used.clock))
        return used.run(lambda connection: connection.execute(statement, values).rowcount, durable=True) > 0

    def take_back(self, ask: str) -> None:
        """Have a question wait again whose answer did not reach the task, unless the answer was used.

        :raises StoreError: when the store fails
        """
        statement = text(
            "UPDATE mkt_approval SET state = 'waiting', answered_by = '', reason = '', source = '', answered_at = NULL "
            "WHERE ask = :ask AND state IN ('approved', 'refused') AND launch = ''"
        )
        self._store().run(lambda connection: connection.execute(statement, {"ask": ask}), durable=True)

    def find(self, states: Collection[str] = STATES, limit: int = 1_000, beginning: str = "") -> list[Approval]:
        """Return rows, those that were asked first first.

        :param states: only in these states
        :param limit: how many at most
        :param beginning: of the question's name; "" for any
        :raises StoreError: when the store fails
        """
        select = text(
            f"SELECT {COLUMNS} FROM mkt_approval WHERE state IN :states "  # noqa: S608 - constants
            "AND (:beginning = '' OR (ask >= :beginning AND ask < :end)) ORDER BY id LIMIT :limit"
        ).bindparams(bindparam("states", expanding=True))
        values = {"states": list(states), "limit": limit, "beginning": beginning, "end": f"{beginning}g"}
        return self._store().run(lambda connection: [Approval(*row) for row in connection.execute(select, values)])

    def approver(self, launch: Launch, digest: str) -> str | None:
        """Return who has approved that a launch sends this; None when nobody has.

        :raises StoreError: when the store fails
        """
        found = self._store().run(lambda connection: _good(connection, launch, digest))
        return str(found[0][2]) if found else None

    def use(self, requests: Sequence[Asked]) -> bool:
        """Use the approvals of requests that are about to leave, and tell whether each has one; if not, none is used.

        :raises StoreError: when the store fails
        """

        def work(connection: Connection) -> bool:
            if not all(_good(connection, each.launch, each.digest) for each in requests):
                return False
            for each in requests:
                claim(connection, each.launch, each.digest)
            return True

        return self._store().run(work, durable=True)

    def approver_of(self, task: Launch, code: str) -> str | None:
        """Return who has approved what a task asked, all of it; None when nobody has.

        :param task: names the task
        :param code: digest of all that it asked about
        :raises StoreError: when the store fails
        """
        select = text(
            f"SELECT answered_by FROM mkt_approval WHERE {_OF_TASK} "  # noqa: S608 - constants
            "AND code = :code AND state = 'approved' LIMIT 1"
        )
        values = {**{each: getattr(task, each) for each in NAMED}, "code": code}
        found = self._store().run(lambda connection: connection.execute(select, values).scalar())
        return None if found is None else str(found)


def claim(connection: Connection, launch: Launch, digest: str) -> str:
    """Use an approval for a launch that is about to leave, and return who gave it.

    It may be done again for the same launch.

    :raises ApprovalWantedError: when there is none
    """
    for number, seen, by in _good(connection, launch, digest):
        values = {"id": number, "seen": seen, "launch": launch.launch}
        if connection.execute(text(_USE), values).rowcount:
            return by
    raise ApprovalWantedError("Nobody has approved exactly this request. Nothing was sent.")


def prune(connection: Connection, clock: str, kept: float, most: int) -> None:
    """Delete some of what was answered long ago.

    :param kept: seconds for which it is kept
    """
    connection.execute(text(_PRUNE.format(clock=clock)), {"kept": kept, "most": most})


def _good(connection: Connection, launch: Launch, digest: str) -> list[tuple[int, str, str]]:
    """Return number, former launch and approver of each approval that a launch may use, its own one first."""
    values = {**{name: getattr(launch, name) for name in (*NAMED, "launch")}, "digest": digest}
    rows = connection.execute(text(_GOOD), values).all()
    return [
        (int(number), str(seen), str(by))
        for number, seen, amount, currency, by in rows
        if (amount, currency) == (launch.amount, launch.currency)
        if seen in ("", launch.launch) or _had_no_effect(connection, seen)
    ]


def _had_no_effect(connection: Connection, launch: str) -> bool:
    state: Any = connection.execute(
        text("SELECT state FROM mkt_launch WHERE launch = :launch"), {"launch": launch}
    ).scalar()
    return state in WITHOUT_EFFECT


def _row(asked: Asked, ask: str, code: str, scope: str, place: dict[str, Any]) -> Approval:
    shown = {name: getattr(asked.launch, name) for name in ("vendor", "account", "what", "amount", "currency")}
    shown |= {name: getattr(asked.launch, name) for name in ("goes_live", "audience")}
    return Approval(ask=ask, code=code, scope=scope, digest=asked.digest, request=asked.request, **place, **shown)
