# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The launch desk beside a submission: what the register shows after everything that can become of a launch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from airflow_provider_mkt.exceptions import ApiError, LaunchRefusedError, NotSentError, StoppedError, ValidationError
from airflow_provider_mkt.hooks.account import Account
from airflow_provider_mkt.state.database import shared as stores
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from airflow_provider_mkt.state.launches.launch import Effect, Launch
from airflow_provider_mkt.state.launches.register import Register
from airflow_provider_mkt.submission import desk as desks
from airflow_provider_mkt.submission.desk import Desk, settled_by_person
from airflow_provider_mkt.submission.record import Record
from airflow_provider_mkt.submission.submit import Submission
from airflow_provider_mkt.tasks.guard import Guard
from airflow_provider_mkt.vendors import VENDORS
from tests.unit.context import Task, WorkerDiedError
from tests.unit.submission.vendor import Clock, Vendor, task_key, unknown

EXTRAS: dict[str, Any] = {}
EFFECT = Effect("campaign for 3 homes", spends=True, amount=1450.5, goes_live="2026-06-08T09:00:00Z", audience=3)


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    made = Store(URL.create("sqlite", database=str(tmp_path / "state.db")))
    monkeypatch.setattr(desks, "AWAY", desks.Away())
    monkeypatch.setattr(stores, "store", lambda: made)
    monkeypatch.setattr(desks, "admit", lambda launch, **caps: desks_admit(launch, made, **caps))
    yield made
    made.close()


def desks_admit(launch: Launch, made: Store, **caps: Any) -> None:
    from airflow_provider_mkt.state.launches.admission import admit

    admit(launch, lambda: made, **caps)


def submission(task: Task, made: Store, stopped: Any = None, clock: Any = None) -> Submission:
    context: Any = task.context
    key = task_key(task)
    account = Account(VENDORS[0], key.conn_id, "https://vendor.example", "login", "secret", EXTRAS)
    desk = Desk(account, key, 0, "ana", register=Register(lambda: made))
    guard = Guard(context["ti"], stopped or (lambda: False))
    return Submission(context["task_state_store"], key, guard=guard, desk=desk, clock=clock or Clock())


def submit(task: Task, vendor: Vendor, made: Store, **parts: Any) -> Record:
    return submission(task, made, **parts).submit(vendor.request(effect=EFFECT), vendor.send, vendor.run)


def entered(made: Store) -> list[Launch]:
    return Register(lambda: made).find()


def test_a_launch_that_was_accepted(store: Store) -> None:
    task = Task()
    record = submit(task, Vendor(), store)
    [found] = entered(store)
    assert (found.launch, found.state, found.vendor_ids) == (record.key, "accepted", '{"id": "id_1"}')
    assert (found.what, found.amount, found.audience) == ("campaign for 3 homes", 1_450_500, 3)
    assert (found.dag_id, found.run_id, found.task_id, found.map_index) == ("launch", task.run_id, "publish", -1)
    assert (found.account, found.triggered_by) == (f"{VENDORS[0].conn_type}/https://vendor.example/login", "ana")
    assert "secret" not in repr(found)
    submission(task, store).done(record)
    assert [each.state for each in entered(store)] == ["done"]


def test_the_same_content_in_another_run_is_found_although_its_reference_differs(store: Store) -> None:
    vendor = Vendor()
    for run_id in ("monday", "tuesday"):
        request = replace(vendor.request({"name": "a", "orderRef": run_id}, effect=EFFECT), reference=run_id)
        submission(Task(run_id=run_id), store).submit(request, vendor.send, vendor.run)
    one, other = entered(store)
    assert one.reference != other.reference
    assert [each.run_id for each in Register(lambda: store).find(content=one.content)] == ["tuesday", "monday"]


def test_one_that_is_refused_does_not_count(store: Store) -> None:
    with pytest.raises(ValidationError):
        submit(Task(), Vendor(script=[(False, ValidationError("no"))]), store)
    assert [(each.state, each.counted_at) for each in entered(store)] == [("refused", None)]


def test_a_lost_answer_counts_and_is_settled_by_the_next_try(store: Store) -> None:
    task, vendor = Task(), Vendor(keyed=False, traceable=True, script=[(True, unknown())])
    with pytest.raises(ApiError):
        submit(task, vendor, store)
    [found] = entered(store)
    assert found.state == "unknown"
    assert found.counted_at is not None
    task.retry()
    submit(task, vendor, store)
    assert [each.state for each in entered(store)] == ["accepted"]


def test_what_the_vendor_never_executed_is_given_back(store: Store) -> None:
    task, vendor, clock = Task(), Vendor(keyed=False, traceable=True, conclusive=True), Clock()
    vendor.script = [(False, unknown())]
    with pytest.raises(ApiError):
        submit(task, vendor, store, clock=clock)
    clock.now += 1_000
    task.retry()
    submit(task, vendor, store, clock=clock)
    assert sorted((each.generation, each.state, each.counted_at is None) for each in entered(store)) == [
        (1, "refused", True),
        (2, "accepted", False),
    ]


def test_nothing_is_entered_of_what_never_came_to_the_fence(store: Store) -> None:
    with pytest.raises(NotSentError):
        submit(Task(), Vendor(script=[(False, NotSentError("no connection"))]), store)
    assert entered(store) == []


def test_a_worker_that_dies_between_desk_and_record_leaves_the_row_to_the_next_try(store: Store) -> None:
    task, vendor = Task(), Vendor()

    def die(when: str, value: Any) -> None:
        if when == "before" and value.get("sent"):
            raise WorkerDiedError

    task.store.interrupt = die
    with pytest.raises(WorkerDiedError):
        submit(task, vendor, store)
    assert [each.state for each in entered(store)] == ["leaving"]
    task.store.interrupt = None
    task.retry()
    submit(task, vendor, store)
    assert [(each.state, each.generation) for each in entered(store)] == [("accepted", 1)]
    assert len(vendor.executed) == 1


def test_a_signal_at_the_last_moment_gives_it_back(store: Store) -> None:
    task, vendor = Task(), Vendor()
    looks = iter([False, True])
    with pytest.raises(ApiError, match="othing was sent"):
        submit(task, vendor, store, stopped=lambda: next(looks, True))
    assert [(each.state, each.counted_at) for each in entered(store)] == [("not sent", None)]
    task.retry()
    submit(task, vendor, store)
    assert [each.state for each in entered(store)] == ["accepted"]


def test_a_store_that_is_away_keeps_no_launch_from_beginning(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    task, vendor, away = Task(), Vendor(), StoreError(StoreFailure.UNREACHABLE)

    def fail(*_: Any, **__: Any) -> None:
        raise away

    with monkeypatch.context() as broken:
        broken.setattr(desks, "admit", fail)
        submit(task, vendor, store)
    assert len(vendor.executed) == 1
    assert "the register of launches is not complete" in caplog.text
    assert entered(store) == []
    # It is not asked again for a while; then the next try makes the row.
    monkeypatch.setattr(desks, "AWAY", desks.Away())
    task.retry()
    submit(task, vendor, store)
    assert [each.state for each in entered(store)] == ["accepted"]
    assert len(vendor.executed) == 1


def test_a_store_that_is_away_makes_no_launch_fail_that_has_left(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    task, vendor = Task(), Vendor()

    def fail(*_: Any, **__: Any) -> None:
        raise StoreError(StoreFailure.UNREACHABLE)

    with monkeypatch.context() as broken:
        broken.setattr(Register, "note", fail)
        assert submit(task, vendor, store).receipt == {"id": "id_1"}
    assert "the register of launches is not complete" in caplog.text
    assert [each.state for each in entered(store)] == ["leaving"]


class TestSettledByAPerson:
    @pytest.fixture
    def in_doubt(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> Record:
        monkeypatch.setattr(desks, "Register", lambda: Register(lambda: store))
        task = Task()
        with pytest.raises(ApiError):
            submit(task, Vendor(keyed=False, script=[(True, unknown())]), store)
        return Record.of(task.record)

    def test_what_did_not_happen_is_given_back(self, in_doubt: Record, store: Store) -> None:
        settled_by_person(replace(in_doubt.forget(), writer="a person"), in_doubt.writer)
        assert [(each.state, each.counted_at) for each in entered(store)] == [("refused", None)]

    def test_what_happened_counts_and_has_its_ids(self, in_doubt: Record, store: Store) -> None:
        settled_by_person(replace(in_doubt.adopt(["id_1"]), writer="a person"), in_doubt.writer)
        [found] = entered(store)
        assert (found.state, json.loads(found.vendor_ids)["id"], found.what) == (
            "accepted",
            "id_1",
            "campaign for 3 homes",
        )
        assert found.counted_at is not None

    def test_one_that_is_not_in_the_register_is_not_made(self, in_doubt: Record, store: Store) -> None:
        settled_by_person(replace(in_doubt.adopt(["id_1"]), key="another"), in_doubt.writer)
        assert [each.state for each in entered(store)] == ["unknown"]


class TestCaps:
    @pytest.fixture(autouse=True)
    def _capped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW__MKT__CAPS", "GBP: day 2000")
        monkeypatch.setitem(EXTRAS, "currency", "GBP")

    def test_the_second_launch_of_the_day_does_not_begin(self, store: Store) -> None:
        vendor = Vendor()
        submit(Task(), vendor, store)
        with pytest.raises(LaunchRefusedError, match=r"costs 1,450\.50 GBP.*549\.50 is left"):
            submit(Task(run_id="second"), vendor, store)
        assert len(vendor.executed) == 1
        assert [each.amount for each in entered(store)] == [1_450_500]

    def test_one_that_is_refused_makes_room(self, store: Store) -> None:
        with pytest.raises(ValidationError):
            submit(Task(), Vendor(script=[(False, ValidationError("no"))]), store)
        submit(Task(run_id="second"), Vendor(), store)

    def test_nothing_begins_uncounted(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: Any, **__: Any) -> None:
            raise StoreError(StoreFailure.UNREACHABLE)

        task, vendor = Task(), Vendor()
        monkeypatch.setattr(desks, "admit", fail)
        for _ in range(2):
            with pytest.raises(StoppedError, match="cannot be counted"):
                submit(task, vendor, store)
            task.retry()
        assert vendor.executed == []

    def test_a_currency_that_nobody_knows(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(EXTRAS, "currency", "")
        vendor = Vendor()
        with pytest.raises(ValidationError, match="extra 'currency'"):
            submit(Task(), vendor, store)
        assert vendor.executed == []
