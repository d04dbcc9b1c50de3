# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A stop ends what the register was not told of: the shared store was away when it began, or when its answer came."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from airflow_provider_mkt.control.ending import IN_FLIGHT, UNCONFIRMED, Ended, end_all
from airflow_provider_mkt.control.records import AirflowDatabase
from airflow_provider_mkt.exceptions import ApiError
from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostOperator
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state.database import shared
from airflow_provider_mkt.state.database.shared import separate_store
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from airflow_provider_mkt.state.launches.admission import admit
from airflow_provider_mkt.state.launches.launch import LEAVING, NOT_SENT, STOPPED, UNKNOWN, Launch
from airflow_provider_mkt.state.launches.register import KEPT, Register
from airflow_provider_mkt.state.launches.stops import Stop
from airflow_provider_mkt.submission import desk as desks
from tests.unit.context import Task, Waits
from tests.unit.publishing import publishing

pytestmark = pytest.mark.slow

DAG = "catching_up"
SOON = datetime.now(timezone.utc) + timedelta(days=30)
EVERYTHING = Stop(0)
ROW: dict[str, Any] = {
    "deployment": "tests",
    "vendor": "Flow Social",
    "account": "flow_social/a",
    "conn_id": "flow_social_default",
    "dag_id": DAG,
    "run_id": "r",
    "task_id": "publish",
    "map_index": -1,
    "number": "0",
    "generation": 1,
    "what": "post",
}


@pytest.fixture(scope="module", autouse=True)
def _database() -> None:
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    """Other tests of this process have left records in Airflow's database."""
    from airflow.models.dagrun import DagRun
    from airflow.models.task_state_store import TaskStateStoreModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.execute(delete(TaskStateStoreModel))
        session.execute(delete(DagRun).where(DagRun.dag_id == DAG))


@pytest.fixture(autouse=True)
def store(tmp_path: Path) -> Iterator[Store]:
    with separate_store(f"sqlite:///{tmp_path}/state.db") as made:
        yield made


@contextmanager
def away(*, also_at_the_fence: bool = False) -> Iterator[None]:
    """Have the store go away when an answer comes, or earlier."""
    with pytest.MonkeyPatch.context() as broken:
        if also_at_the_fence:
            broken.setattr(desks, "admit", fails)
        broken.setattr(Register, "note", fails)
        yield


def fails(*_: Any, **__: Any) -> None:
    raise StoreError(StoreFailure.UNREACHABLE)


@pytest.fixture
def task() -> Task:
    return Task(dag_id=DAG, run_id=f"manual__{uuid.uuid4()}")


def post(task: Task) -> str:
    operator = FlowSocialSchedulePostOperator(
        task_id="publish", channel_id="channel_1", content="Open house", scheduled_for=SOON, wait_for_completion=False
    )
    return str(operator.execute(task.context)["post_id"])


def kept(task: Task, **changed: Any) -> None:
    """Have Airflow's database hold the record that a task has written."""
    record = {**task.record, **changed}
    keep(task, "mkt.submission.0", json.dumps(record))


def keep(task: Task, key: str, value: str, updated_at: datetime | None = None) -> None:
    from airflow.models.dagrun import DagRun
    from airflow.models.task_state_store import TaskStateStoreModel
    from airflow.utils.session import create_session

    place = {"dag_id": task.dag_id, "run_id": task.run_id}
    with create_session() as session:
        run = session.scalar(select(DagRun).filter_by(**place)) or DagRun(**place, run_type="manual", state="success")
        session.add(run)
        session.flush()
        row = TaskStateStoreModel(**place, task_id=task.task_id, dag_run_id=run.id, key=key, value=value)
        row.updated_at = updated_at or datetime.now(timezone.utc)
        session.add(row)


def stopped(stop: Stop = EVERYTHING, patience: float = 0.0) -> list[Ended]:
    return list(end_all(stop, patience, lambda _: None).launches.values())


def aged(seconds: float = 60.0) -> None:
    """Have what the register has been written some time ago."""
    shared.store().run(
        lambda connection: connection.execute(text(f"UPDATE mkt_launch SET changed_at = changed_at - {seconds}"))
    )


def test_a_launch_that_began_without_the_store(task: Task, vendors: Sandbox) -> None:
    with away(also_at_the_fence=True):
        post_id = post(task)
    kept(task)
    assert Register().find() == []
    [ended] = stopped()
    assert (ended.state, ended.told) == (STOPPED, f"deleted {post_id}")
    [row] = Register().find()
    assert (row.state, row.what, row.begun_at) == (STOPPED, task.record["reference"], task.record["intent_at"])
    assert (row.vendor, row.conn_id, row.dag_id, row.counted_at) == ("Flow Social", "flow_social_default", DAG, None)


def test_an_answer_that_came_without_the_store(task: Task, vendors: Sandbox) -> None:
    with away():
        publishing().execute(task.context)
    kept(task)
    vendors.advance(600)
    assert [each.state for each in Register().find()] == [LEAVING]
    assert [each.state for each in stopped()] == [STOPPED]
    assert [each.state for each in Register().find()] == [STOPPED]
    assert [each.what for each in Register().find()] == [
        "campaign for 1 home of branch branch_harbour, plan facebookv2"
    ]


def test_a_refusal_that_came_without_the_store(task: Task, vendors: Sandbox) -> None:
    vendors.fault("POST /flow-social/v1/posts", "status", status=400)
    with away(), pytest.raises(ApiError):
        post(task)
    kept(task)
    [row] = Register().find()
    assert row.state == LEAVING
    assert row.counted_at
    assert [(each.state, each.told) for each in stopped()] == [("refused", "it did not happen")]
    [row] = Register().find()
    assert (row.state, row.counted_at) == ("refused", None)


def test_a_lost_answer_that_was_found_without_the_store(task: Task, vendors: Sandbox) -> None:
    post(task)
    [row] = Register().find()
    Register().note(replace(row, state=UNKNOWN, vendor_ids=""))
    kept(task)
    assert [each.state for each in stopped()] == [STOPPED]


def test_a_lost_answer_is_named(task: Task, vendors: Sandbox) -> None:
    with away(also_at_the_fence=True):
        post(task)
    kept(task, state="intent", doubtful=True, receipt={})
    [ended] = stopped()
    assert ended.state == UNCONFIRMED
    assert task.record["reference"] in ended.told


def test_what_was_let_begin_may_still_leave_for_five_seconds(task: Task, vendors: Sandbox) -> None:
    post(task)
    [row] = Register().find()
    admit(replace(row, state=LEAVING, vendor_ids=""))
    kept(task, state="intent", sent=False, receipt={})
    assert [each.state for each in stopped()] == [IN_FLIGHT]
    [row] = Register().find()
    assert row.state == LEAVING
    assert row.counted_at
    aged()
    assert [each.state for each in stopped()] == [NOT_SENT]
    [row] = Register().find()
    assert (row.state, row.counted_at) == (NOT_SENT, None)


def test_what_was_taken_back_and_left_without_the_store(task: Task, vendors: Sandbox) -> None:
    with away(also_at_the_fence=True):
        post(task)
    kept(task)
    row = Launch(**{**ROW, "run_id": task.run_id, "launch": task.record["key"], "writer": "earlier try"})
    admit(row)
    Register().note(replace(row, state=NOT_SENT))
    assert [each.state for each in stopped()] == [STOPPED]


def test_a_store_that_fails_while_it_is_told_is_asked_again(
    task: Task, vendors: Sandbox, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    with away(also_at_the_fence=True):
        post(task)
    kept(task)
    enter, asked = Register.enter, list[int]()

    def fails_once(self: Register, launch: Launch) -> None:
        asked.append(1)
        return fails() if len(asked) == 1 else enter(self, launch)

    monkeypatch.setattr(Register, "enter", fails_once)
    with pytest.raises(StoreError):
        end_all(EVERYTHING, 0.0, lambda _: None)
    assert [each.state for each in stopped(patience=60.0)] == [STOPPED]


@pytest.mark.parametrize(
    "changed",
    [
        {"deployment": "production"},
        {"id_field": "webhook_id", "receipt": {"webhook_id": "w1"}},
        {"state": "refused"},
        {"state": "intent", "sent": False, "receipt": {}},
    ],
    ids=lambda changed: str(next(iter(changed.items()))),
)
def test_what_is_not_live_and_ours_is_left_alone(changed: dict[str, Any], task: Task, vendors: Sandbox) -> None:
    with away(also_at_the_fence=True):
        post(task)
    kept(task, **changed)
    assert stopped() == []
    assert Register().find() == []


def test_a_damaged_entry_of_the_same_task_hides_nothing(task: Task, vendors: Sandbox) -> None:
    with away():
        post(task)
    kept(task)
    keep(task, "mkt.submission.1", "{")
    assert [each.state for each in stopped()] == [STOPPED]


@pytest.mark.parametrize("value", ["{", "[]", "null", '{"key": "\\ud800"}', "7", pytest.param("[" * 99_999, id="deep")])
def test_a_damaged_record_keeps_no_other_one_live(value: str, task: Task, vendors: Sandbox) -> None:
    keep(Task(dag_id=DAG, run_id="damaged"), "mkt.submission.0", value)
    with away(also_at_the_fence=True):
        post(task)
    kept(task)
    ending = end_all(EVERYTHING, 0.0, lambda _: None)
    assert [each.state for each in ending.launches.values()] == [STOPPED]
    assert ending.unread.startswith("1 record in Airflow's database cannot be read;")


@pytest.mark.parametrize(
    "changed",
    [
        {"version": 999},
        {"key": 7},
        {"key": "7"},
        {"key": "\0" * 36},
        {"intent_at": float("nan")},
        {"state": "odd"},
        {"receipt": {}},
        {"receipt": "[" * 9},
    ],
    ids=str,
)
def test_what_may_be_live_and_cannot_be_read_is_told(changed: dict[str, Any], task: Task, vendors: Sandbox) -> None:
    with away(also_at_the_fence=True):
        post(task)
    kept(task, **changed)
    ending = end_all(EVERYTHING, 0.0, lambda _: None)
    assert ending.launches == {}
    assert ending.unread.startswith("1 record in Airflow's database cannot be read;")
    assert Register().find() == []


@pytest.mark.parametrize(
    "scope",
    [{"vendor": "Flow Living"}, {"conn_id": "other"}, {"dag_id": "other"}, {"dag_id": DAG, "run_id": "other"}],
)
def test_only_what_the_stop_is_for(scope: dict[str, str], task: Task, vendors: Sandbox) -> None:
    with away(also_at_the_fence=True):
        post(task)
    kept(task)
    assert stopped(replace(EVERYTHING, **scope)) == []
    assert len(stopped(replace(EVERYTHING, dag_id=DAG, run_id=task.run_id, vendor="Flow Social"))) == 1


def test_what_the_register_has_forgotten_for_its_age_stays_so(task: Task, vendors: Sandbox) -> None:
    with away(also_at_the_fence=True):
        post(task)
    old = datetime.now(timezone.utc) - timedelta(seconds=KEPT + 60)
    keep(task, "mkt.submission.0", json.dumps(task.record), updated_at=old)
    assert stopped() == []


def test_more_than_are_held_at_once(task: Task, vendors: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_mkt.control.catching_up.AT_ONCE", 2)
    for number in range(5):
        each = Task(dag_id=DAG, run_id=f"run_{number}")
        with away(also_at_the_fence=True):
            post(each)
        kept(each)
    assert [each.state for each in stopped()] == [STOPPED] * 5


def test_a_database_that_is_away_is_told_of_and_holds_up_nothing(
    task: Task, vendors: Sandbox, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: Any) -> Iterator[Any]:
        raise OperationalError("SELECT", {}, Exception("no connection"))

    post(task)
    monkeypatch.setattr(AirflowDatabase, "submissions", down)
    said: list[str] = []
    ending = end_all(EVERYTHING, 60.0, said.append)
    assert [each.state for each in ending.launches.values()] == [STOPPED]
    assert said[0] == "The records in Airflow's database cannot be read (OperationalError); trying again in 5 s."
    assert ending.unread.endswith("(OperationalError): what began while the shared store was away is not known.")


def test_what_was_written_meanwhile_is_not_written_over(task: Task, vendors: Sandbox) -> None:
    post(task)
    [seen] = Register().find()
    for earlier in (replace(seen, state=LEAVING), replace(seen, writer="another")):
        assert not Register().replace(earlier, replace(earlier, state="refused"))
    assert Register().find() == [seen]


def test_what_another_stop_has_ended_is_shown_as_such(task: Task, vendors: Sandbox, waits: Waits) -> None:
    post(task)
    [row] = Register().find()
    Register().note(replace(row, state=UNKNOWN))
    waits.happenings = [lambda: Register().note(replace(row, state=STOPPED))]
    assert [(each.state, each.told) for each in stopped(patience=60.0)] == [(STOPPED, "it was ended meanwhile")]
