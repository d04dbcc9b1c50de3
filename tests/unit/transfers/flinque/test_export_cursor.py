# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Workers that die, runs that are cleared, late or at the same time: each order in one file."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import ApiError, ValidationError
from airflow_provider_mkt.files import atomic
from airflow_provider_mkt.transfers.flinque import order_walk
from tests.unit.context import WorkerDiedError
from tests.unit.transfers.exporting import NOON, Airflow, Vendor, ids, order
from tests.unit.transfers.flinque.orders import add

STEPS = [
    f"{when} {what}"
    for what in ("record", "part", "announced", "file", "noted", "done")
    for when in ("before", "after")
]


def die_at(step: str, airflow: Airflow, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the worker die at one step of the next commit, as by ``kill -9``: nothing cleans up."""

    def at(when: str, what: str) -> None:
        if f"{when} {what}" == step:
            monkeypatch.setattr(atomic._Local, "discard", lambda self: None)
            raise WorkerDiedError

    def task_store(when: str, value: Any) -> None:
        at(when, "done" if value["done"] else "record")

    def asset_state(when: str, value: Any) -> None:
        at(when, "part" if "rows" in value else "announced" if "pending" in value else "noted")

    whole = atomic._Local.commit

    def commit(self: Any) -> None:
        at("before", "file")
        whole(self)
        at("after", "file")

    airflow.task(run).store.interrupt, airflow.asset_state.interrupt = task_store, asset_state
    monkeypatch.setattr(atomic._Local, "commit", commit)
    with pytest.raises(WorkerDiedError):
        airflow.export(run)
    monkeypatch.undo()
    airflow.task(run).store.interrupt = airflow.asset_state.interrupt = None


@pytest.mark.proof
@pytest.mark.parametrize("retried", ["retried", "never retried", "retried after the next run"])
@pytest.mark.parametrize("step", STEPS)
def test_worker_that_dies(step: str, retried: str, vendor: Vendor, airflow: Airflow) -> None:
    add(vendor, *range(30))
    airflow.export("1")
    add(vendor, *range(30, 150))
    with pytest.MonkeyPatch.context() as monkeypatch:
        die_at(step, airflow, "2", monkeypatch)
    complete = {path for path in airflow.files() if not path.startswith(".")}
    assert complete <= {"orders-1.jsonl", "orders-2.jsonl"}
    add(vendor, *range(150, 155))
    if retried == "retried":
        airflow.task("2").retry()
        airflow.export("2")
    airflow.export("3")
    if retried == "retried after the next run":
        airflow.task("2").retry()
        airflow.export("2")
    add(vendor, 155)
    airflow.export("4")
    assert airflow.ids() == ids(*range(156)), airflow.files()
    assert airflow.watermark == (NOON + timedelta(minutes=155)).isoformat()


def test_left_over_parts_are_removed_by_the_next_try(vendor: Vendor, airflow: Airflow) -> None:
    add(vendor, 1)
    stale = airflow.folder / ".orders-1.jsonl.0123abcd.part"
    stale.write_bytes(b"half")
    others = airflow.folder / ".orders-2.jsonl.0123abcd.part"
    others.write_bytes(b"of a run that goes on")
    airflow.export("1")
    assert airflow.files() == {"orders-1.jsonl", others.name}


def test_a_cleared_run_keeps_its_file(vendor: Vendor, airflow: Airflow) -> None:
    add(vendor, 1)
    first = airflow.export("1")
    add(vendor, 2)
    airflow.export("2")
    asset_state, asked = airflow.asset_state.values.copy(), len(vendor.asked)
    airflow.task("1").clear()
    airflow.events.clear()
    assert airflow.export("1") == first
    assert airflow.events["1"].extra == first
    assert (airflow.asset_state.values, len(vendor.asked)) == (asset_state, asked)
    assert airflow.ids() == ids(1, 2)


def test_a_cleared_run_whose_file_is_gone_writes_its_window_again(vendor: Vendor, airflow: Airflow) -> None:
    vendor.orders = [order(number, NOON + timedelta(hours=number)) for number in range(5)]
    airflow.export("1", overlap=timedelta(hours=1))
    vendor.orders += [order(number, NOON + timedelta(hours=number)) for number in range(5, 8)]
    airflow.export("2", overlap=timedelta(hours=1))
    vendor.orders.append(order(8, NOON + timedelta(hours=8)))
    airflow.export("3", overlap=timedelta(hours=1))
    asset_state = airflow.asset_state.values.copy()
    (airflow.folder / "orders-2.jsonl").unlink()
    airflow.task("2").clear()
    result = airflow.export("2", overlap=timedelta(hours=1))
    # The overlap with run 1 comes again; nothing of run 3 does.
    assert airflow.ids("2") == ids(3, 4, 5, 6, 7)
    assert result["watermark"] == (NOON + timedelta(hours=7)).isoformat()
    assert airflow.asset_state.values == asset_state
    airflow.export("4")
    assert airflow.watermark == (NOON + timedelta(hours=8)).isoformat()


def test_an_older_run_that_comes_later_takes_what_is_there(vendor: Vendor, airflow: Airflow) -> None:
    add(vendor, *range(10))
    airflow.export("2026-06-09")
    vendor.orders.append(order(10, NOON + timedelta(minutes=3)))
    airflow.export("2026-06-01")
    assert airflow.ids("2026-06-01") == ids(10)
    assert airflow.watermark == (NOON + timedelta(minutes=9)).isoformat()


def test_a_window_leaves_the_cursor_alone_and_can_be_repeated(vendor: Vendor, airflow: Airflow) -> None:
    vendor.orders = [order(number, NOON + timedelta(hours=number)) for number in range(6)]
    airflow.export("now")
    asset_state = airflow.asset_state.values.copy()
    window = {"start": NOON + timedelta(hours=1), "end": NOON + timedelta(hours=3)}
    for _ in range(2):
        result = airflow.export("window", **window)
        assert airflow.ids("window") == ids(1, 2)
        assert (result["rows"], result["start"]) == (2, window["start"].isoformat())
    assert airflow.asset_state.values == asset_state
    empty = airflow.export("window", start="2030-01-01", end="2030-01-02")
    assert (empty["rows"], empty["bytes"]) == (0, 0)
    assert airflow.rows("window") == []


def test_two_runs_at_the_same_time(vendor: Vendor, airflow: Airflow) -> None:
    add(vendor, *range(150))
    vendor.between = lambda number: number == 2 and (setattr(vendor, "between", None), airflow.export("b"))
    with pytest.raises(ApiError, match="max_active_runs=1"):
        airflow.export("a")
    assert airflow.ids() == ids(*range(150))
    airflow.task("a").retry()
    airflow.export("a")
    assert airflow.ids() == ids(*range(150))


@pytest.mark.parametrize("when", ["before", "after"])
def test_another_run_while_a_file_appears(when: str, vendor: Vendor, airflow: Airflow) -> None:
    add(vendor, *range(5))
    whole = atomic._Local.commit
    with pytest.MonkeyPatch.context() as patch:

        def commit(self: Any) -> None:
            patch.setattr(atomic._Local, "commit", whole)
            if when == "after":
                whole(self)
            airflow.export("b")
            if when == "before":
                whole(self)

        patch.setattr(atomic._Local, "commit", commit)
        if when == "before":
            with pytest.raises(ApiError, match="max_active_runs=1"):
                airflow.export("a")
        else:
            airflow.export("a")
    assert airflow.ids() == ids(*range(5))
    airflow.task("a").retry()
    airflow.export("a")
    assert airflow.ids() == ids(*range(5))


def test_a_run_that_announces_while_another_reads(vendor: Vendor, airflow: Airflow) -> None:
    add(vendor, *range(150))

    def announced_by_b(number: int) -> None:
        if number == 2:
            vendor.between = None
            with pytest.MonkeyPatch.context() as patch:
                die_at("before file", airflow, "b", patch)

    vendor.between = announced_by_b
    with pytest.raises(ApiError, match="max_active_runs=1"):
        airflow.export("a")
    assert airflow.ids() == []


def test_a_crash_before_the_last_note_and_a_lost_file(vendor: Vendor, airflow: Airflow) -> None:
    add(vendor, 1, 2)
    with pytest.MonkeyPatch.context() as patch:
        die_at("before done", airflow, "1", patch)
    airflow.task("1").retry()
    airflow.export("1")
    (airflow.folder / "orders-1.jsonl").unlink()
    airflow.task("1").clear()
    assert airflow.export("1")["rows"] == 2


def test_a_lost_file_comes_back_whole_and_once(vendor: Vendor, airflow: Airflow) -> None:
    vendor.orders = [order(1), order(2, "2099-01-01T00:00:00Z")]
    airflow.export("1")
    add(vendor, 3)
    path = airflow.folder / "orders-1.jsonl"
    path.unlink()
    airflow.task("1").clear()
    again = airflow.export("1")
    assert airflow.ids("1") == ids(1, 2, 3)
    asked = len(vendor.asked)
    airflow.task("1").clear()
    assert airflow.export("1") == again
    assert (len(vendor.asked), again["bytes"]) == (asked, path.stat().st_size)


def test_a_file_of_another_run_is_not_overwritten(vendor: Vendor, airflow: Airflow) -> None:
    add(vendor, 1)
    same = str(airflow.folder / "orders-1.jsonl")
    airflow.export("1", path=same)
    add(vendor, 2)
    with pytest.raises(ValidationError, match="give each run a file of its own"):
        airflow.export("2", path=same)
    assert airflow.ids() == ids(1)


def test_an_overlap_with_more_orders_than_are_remembered(
    vendor: Vendor, airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_walk, "MAX_REMEMBERED", 20)
    add(vendor, *range(90))
    airflow.export("1")
    vendor.orders += [order(90, NOON + timedelta(minutes=80)), order(91)]
    for run in "234":
        airflow.export(run)
    assert airflow.ids() == ids(*range(92))


def test_a_crowd_in_one_second_is_never_lost(vendor: Vendor, airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_walk, "MAX_REMEMBERED", 20)
    vendor.orders = [order(number, NOON) for number in range(90)]
    airflow.export("1")
    vendor.orders.append(order(90, NOON))
    airflow.export("2")
    assert set(airflow.ids()) == set(ids(*range(91)))


@pytest.mark.slow
def test_no_value_in_the_store_is_larger_than_airflow_likes(vendor: Vendor, airflow: Airflow) -> None:
    vendor.orders = [order(number, NOON) for number in range(3_100)]
    airflow.export("1")
    sizes = [len(value) for value in airflow.asset_state.values.values()]
    assert max(sizes) < 64 * 1024
    assert len(sizes) == 3
    assert airflow.export("2")["rows"] == 0


def test_memory_of_the_overlap_that_is_damaged(
    vendor: Vendor, airflow: Airflow, caplog: pytest.LogCaptureFixture
) -> None:
    add(vendor, 1, 2)
    airflow.export("1")
    key = next(key for key in airflow.asset_state.values if key.endswith(".b.0"))
    airflow.asset_state.set(key, {"token": "of another run", "rows": ""})
    add(vendor, 3)
    airflow.export("2")
    assert "max_active_runs=1" in caplog.text
    assert airflow.ids("2") == ids(1, 2, 3), "rather twice than lost"
