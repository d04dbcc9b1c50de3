# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Attributed orders: each one in exactly one file, whatever dies in between and whatever the vendor does.

====================================  ========================================================================
what happens                          what must hold
====================================  ========================================================================
killed anywhere, then retried         each order once; the file is whole or absent
killed anywhere, never retried        the next run takes up: each order once
a page fails in the middle            it is asked for again; nothing is doubled
rows shift while the list is read     nothing is doubled, nothing is lost
late rows, inside the overlap         the next run has them
rows without a readable time          exported, once
a date in the future                  exported, once; hides nothing
an older run, a cleared run           the watermark does not go back
the list ends early or never ends     an error, no file
page size refused, ignored, echoed    all rows all the same
====================================  ========================================================================
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException

from airflow_provider_mkt.exceptions import ApiError, MalformedResponseError, ValidationError
from airflow_provider_mkt.files import atomic
from airflow_provider_mkt.transfers.flinque import order_walk
from tests.unit.context import WorkerDiedError
from tests.unit.transfers.exporting import ASSET, NOON, Airflow, Vendor, ids, order, serving


@pytest.fixture
def vendor(strangers: None, no_waits: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vendor]:
    vendor = Vendor()
    with serving(vendor) as address:
        connection = {"conn_type": "flinque", "host": address, "login": "client", "password": "planted-secret"}
        monkeypatch.setenv("AIRFLOW_CONN_LYING", json.dumps(connection))
        yield vendor


@pytest.fixture
def airflow(tmp_path: Path) -> Airflow:
    folder = tmp_path / "exports"
    folder.mkdir()
    return Airflow(folder)


def add(vendor: Vendor, *numbers: int) -> None:
    vendor.orders += [order(number) for number in numbers]


def test_each_order_is_in_one_file(vendor: Vendor, airflow: Airflow) -> None:
    add(vendor, *range(250))
    first = airflow.export("1")
    add(vendor, *range(250, 260))
    second = airflow.export("2")
    assert (first["rows"], second["rows"]) == (250, 10)
    assert airflow.ids("2") == ids(*range(250, 260))
    assert airflow.ids() == ids(*range(260))
    assert second["watermark"] == (NOON + timedelta(minutes=259)).isoformat() == airflow.watermark
    assert second["bytes"] == Path(second["path"]).stat().st_size
    assert airflow.rows("2")[0] == vendor.orders[-1]


def test_the_outlet_event_tells_what_was_written(vendor: Vendor, airflow: Airflow) -> None:
    add(vendor, 1, 2)
    result = airflow.export("1")
    assert airflow.events["1"].extra == result
    assert {"path", "rows", "bytes", "watermark"} <= set(result)


def test_a_run_without_news_writes_no_file(vendor: Vendor, airflow: Airflow) -> None:
    assert airflow.export("0") == {
        "path": None,
        "rows": 0,
        "bytes": 0,
        "watermark": None,
        "start": None,
        "end": None,
    }
    add(vendor, 1)
    airflow.export("1")
    before = airflow.asset_state.values.copy()
    result = airflow.export("2")
    assert (result["path"], result["rows"], result["watermark"]) == (None, 0, airflow.watermark)
    assert airflow.files() == {"orders-1.jsonl"}
    assert airflow.asset_state.values == before
    assert airflow.events["2"].extra["rows"] == 0


def test_since_is_for_the_first_run_only(vendor: Vendor, airflow: Airflow) -> None:
    add(vendor, *range(10))
    since = (NOON + timedelta(minutes=5)).isoformat()
    assert airflow.export("1", since=since)["rows"] == 5
    assert airflow.export("2", since=NOON - timedelta(days=9))["rows"] == 0
    assert airflow.ids() == ids(*range(5, 10))


def test_late_orders_inside_the_overlap(vendor: Vendor, airflow: Airflow) -> None:
    vendor.orders = [order(1, NOON), order(2, NOON + timedelta(hours=9))]
    airflow.export("1", overlap=timedelta(hours=6))
    vendor.orders += [
        order(3, NOON + timedelta(hours=4)),
        order(4, NOON + timedelta(hours=2)),
        order(5, NOON + timedelta(hours=3)),
    ]
    airflow.export("2", overlap=timedelta(hours=6))
    # Number 4 came later than the overlap allows for.
    assert airflow.ids("2") == ids(3, 5)
    assert airflow.watermark == (NOON + timedelta(hours=9)).isoformat()


@pytest.mark.parametrize(("before", "after"), [(1, 48), (48, 1)])
def test_overlap_may_be_changed(before: int, after: int, vendor: Vendor, airflow: Airflow) -> None:
    vendor.orders = [order(number, NOON + timedelta(hours=number)) for number in range(40)]
    airflow.export("1", overlap=timedelta(hours=before))
    vendor.orders.append(order(40, NOON + timedelta(hours=40)))
    for run in "234":
        airflow.export(run, overlap=timedelta(hours=after))
    assert airflow.ids() == ids(*range(41))


def test_orders_in_any_order(vendor: Vendor, airflow: Airflow) -> None:
    add(vendor, *(number * 37 % 251 for number in range(251)))
    airflow.export("1")
    assert airflow.watermark == (NOON + timedelta(minutes=250)).isoformat()
    add(vendor, 400, 300, 350)
    airflow.export("2")
    assert airflow.ids() == ids(*range(251), 300, 350, 400)


def test_orders_of_the_same_moment(vendor: Vendor, airflow: Airflow) -> None:
    vendor.orders = [order(number, NOON) for number in range(150)]
    airflow.export("1")
    vendor.orders += [order(number, NOON) for number in range(150, 160)]
    airflow.export("2")
    assert airflow.ids() == ids(*range(160))


@pytest.mark.parametrize("at", ["", "yesterday", [], {}, True, 12, "2026-13-01T00:00:00Z"])
def test_orders_without_a_time(at: Any, vendor: Vendor, airflow: Airflow) -> None:
    vendor.orders = [order(1), order(2, at), order(3, at, attributed_at=None)]
    for run in "123":
        airflow.export(run)
    assert airflow.ids() == ids(1, 2, 3)
    assert airflow.watermark == (NOON + timedelta(minutes=1)).isoformat()


def test_no_order_has_a_time(vendor: Vendor, airflow: Airflow) -> None:
    vendor.orders = [{"id": "or_1", "creditedAt": "2026-06-08T12:00:00Z"}]
    with pytest.raises(ValidationError, match="time_field: no order has a 'attributed_at'"):
        airflow.export("1")
    assert airflow.files() == set()
    airflow.export("1", time_field="creditedAt")
    assert airflow.watermark == NOON.isoformat()


@pytest.mark.parametrize(
    "at",
    [
        1_780_920_000,
        1_780_920_000_000,
        "2026-06-08T14:00:00+02:00",
        "2026-06-08T12:00:00.0",
        "2026-06-08T12:00:00.0000000Z",
        "2026-06-08 12:00:00,00+00:00",
        "2026-06-08T14:00:00.00000+0200",
        "2026-06-08T14:00+02",
    ],
)
def test_times_as_vendors_write_them(at: Any) -> None:
    assert order_walk.moment_of(at) == NOON


def test_a_date_in_the_future_hides_nothing(vendor: Vendor, airflow: Airflow) -> None:
    vendor.orders = [order(1), order(2, "2099-01-01T00:00:00Z")]
    airflow.export("1")
    assert str(airflow.watermark) < "2027"
    vendor.orders.append(order(3, str(airflow.watermark)))
    for run in "234":
        airflow.export(run)
    assert airflow.ids() == ids(1, 2, 3)


def test_orders_without_an_id(vendor: Vendor, airflow: Airflow) -> None:
    vendor.orders = [order(1), {**order(2), "id": None}, {**order(3), "id": None}]
    airflow.export("1")
    airflow.export("2")
    assert len(airflow.rows()) == 3


# What vendors do with pages


@pytest.mark.parametrize("takes_size", [True, False, "refuses"])
def test_all_rows_whatever_becomes_of_the_page_size(takes_size: Any, vendor: Vendor, airflow: Airflow) -> None:
    add(vendor, *range(130))
    vendor.takes_size = takes_size
    airflow.export("1")
    assert airflow.ids() == ids(*range(130))
    pages = {True: 2, False: 7, "refuses": 8}
    assert len(vendor.asked) == pages[takes_size]


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 200])
@pytest.mark.parametrize("takes_size", [True, False])
def test_a_vendor_that_tells_nothing_about_pages(
    takes_size: bool, count: int, vendor: Vendor, airflow: Airflow
) -> None:
    add(vendor, *range(count))
    vendor.meta, vendor.takes_size = False, takes_size
    airflow.export("1")
    assert airflow.ids() == ids(*range(count))


def test_a_vendor_that_says_one_size_and_gives_another(vendor: Vendor, airflow: Airflow) -> None:
    add(vendor, *range(90))
    vendor.takes_size = "echoes"
    with pytest.raises(MalformedResponseError, match=r"counts 90 orders; its list ended after 40.*per_page"):
        airflow.export("1")
    assert airflow.files() == set()
    airflow.export("1", per_page=None)
    assert airflow.ids() == ids(*range(90))


def test_the_page_size_can_be_left_to_the_vendor(vendor: Vendor, airflow: Airflow) -> None:
    add(vendor, *range(50))
    airflow.export("1", per_page=None)
    assert all("per_page" not in asked for asked in vendor.asked)
    assert len(vendor.asked) == 3


def test_empty_pages_in_the_middle_are_not_believed(vendor: Vendor, airflow: Airflow) -> None:
    add(vendor, *range(1_000))
    whole = vendor.page

    def gappy(query: dict[str, str]) -> tuple[int, Any]:
        status, answer = whole(query)
        return status, {**answer, "data": []} if query.get("page") in {"4", "5"} else answer

    vendor.page = gappy  # type: ignore[method-assign]
    with pytest.raises(MalformedResponseError, match="counts 1,000 orders; its list ended after 300"):
        airflow.export("1")
    assert (airflow.files(), airflow.watermark) == (set(), None)
    vendor.page = whole  # type: ignore[method-assign]
    airflow.export("1")
    assert airflow.ids() == ids(*range(1_000))


@pytest.mark.parametrize("left", [1, 3, 150])
def test_rows_that_leave_hide_nothing(left: int, vendor: Vendor, airflow: Airflow) -> None:
    add(vendor, *range(450))

    def leave(number: int) -> None:
        if number == 3 and len(vendor.orders) == 450:
            del vendor.orders[-left:]

    vendor.between = leave
    airflow.export("1")
    assert set(airflow.ids()) >= set(ids(*range(450 - left)))
    assert len(airflow.ids()) == len(set(airflow.ids()))


def test_a_list_that_melts_away(vendor: Vendor, airflow: Airflow) -> None:
    add(vendor, *range(3_000))
    vendor.between = lambda number: number == 15 and vendor.orders.__delitem__(slice(1_500, None))
    with pytest.raises(ApiError, match="left the list"):
        airflow.export("1")
    assert airflow.files() == set()


def test_a_vendor_that_refuses_the_size_and_tells_nothing(vendor: Vendor, airflow: Airflow) -> None:
    add(vendor, *range(45))
    vendor.meta, vendor.takes_size = False, "refuses"
    airflow.export("1")
    assert airflow.ids() == ids(*range(45))
    assert [asked.get("page") for asked in vendor.asked][:4] == [None, None, "2", "3"]


def test_a_time_field_that_is_renamed(vendor: Vendor, airflow: Airflow) -> None:
    add(vendor, 1, 2)
    airflow.export("1")
    before = airflow.watermark
    vendor.orders = [
        {"creditedAt" if name == "attributed_at" else name: row[name] for name in row}
        for row in [order(number) for number in range(1, 9)]
    ]
    for _ in range(2):
        with pytest.raises(ValidationError, match="time_field: no order has"):
            airflow.export("2")
    assert (airflow.ids(), airflow.watermark) == (ids(1, 2), before)


def test_more_undated_orders_than_can_be_remembered(
    vendor: Vendor, airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_walk, "MAX_UNDATED", 30)
    vendor.orders = [order(1), *(order(number, "soon") for number in range(2, 32))]
    for run in "123":
        airflow.export(run)
    assert airflow.ids() == ids(*range(1, 32))
    vendor.orders.append(order(32, "soon"))
    with pytest.raises(ValidationError, match="time_field: more than 30 orders do not have"):
        airflow.export("4")


def test_a_list_that_repeats_a_page_for_ever(vendor: Vendor, airflow: Airflow) -> None:
    add(vendor, *range(100))
    vendor.circle = 1
    airflow.export("1")
    assert airflow.ids() == ids(*range(100))


def test_a_repeated_page_that_hides_others(vendor: Vendor, airflow: Airflow) -> None:
    add(vendor, *range(300))
    vendor.total = 300
    whole = vendor.page
    vendor.page = lambda query: whole({**query, "page": "1"})  # type: ignore[method-assign]
    with pytest.raises(MalformedResponseError, match="counts 300 orders; its list ended after 100"):
        airflow.export("1")
    assert airflow.files() == set()


def test_a_list_in_circles(vendor: Vendor, airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_walk, "MAX_AGAIN", 500)
    add(vendor, *range(300))
    vendor.circle = 3
    with pytest.raises(MalformedResponseError, match="circles"):
        airflow.export("1")
    assert airflow.files() == set()


def test_a_vendor_that_does_not_filter(vendor: Vendor, airflow: Airflow) -> None:
    vendor.filters = False
    vendor.orders = [order(number, NOON + timedelta(days=number)) for number in range(9)]
    airflow.export("1")
    vendor.orders.append(order(9, NOON + timedelta(days=9)))
    airflow.export("2")
    assert airflow.ids() == ids(*range(10))


def test_rows_that_shift_while_the_list_is_read(vendor: Vendor, airflow: Airflow) -> None:
    add(vendor, *range(300))

    def arrive(number: int) -> None:
        if number == 2:
            add(vendor, *range(300, 317))

    vendor.between = arrive
    airflow.export("1")
    assert airflow.ids("1") == ids(*range(300))
    vendor.between = None
    airflow.export("2")
    assert airflow.ids() == ids(*range(317))


def test_a_page_that_fails_in_the_middle_is_asked_for_again(vendor: Vendor, airflow: Airflow) -> None:
    add(vendor, *range(300))
    vendor.between = lambda number: number == 2 and len(vendor.asked) == 2 and vendor.failures.extend([500, 502])
    airflow.export("1")
    assert [asked.get("page") for asked in vendor.asked] == [None, "2", "2", "2", "3"]
    assert airflow.ids() == ids(*range(300))


def test_a_page_that_keeps_failing_leaves_nothing(vendor: Vendor, airflow: Airflow) -> None:
    add(vendor, *range(300))
    vendor.between = lambda number: number == 3 and vendor.failures.append(500)
    with pytest.raises(ApiError):
        airflow.export("1")
    assert airflow.files() == set()
    assert airflow.asset_state.values == {}
    vendor.between, vendor.failures = None, []
    airflow.task("1").retry()
    airflow.export("1")
    assert airflow.ids() == ids(*range(300))


# Dead workers

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


# Cleared runs, older runs, other runs


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


# Limits of what is remembered


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


# Bad input


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"path": ""}, "path must be non-empty text"),
        ({"path": "/tmp/orders.csv"}, "path must end with one of .jsonl, .ndjson"),
        ({"path": "/tmp/orders/"}, "path must name a file"),
        ({"path": "s3://key:planted-secret@bucket/a.jsonl"}, "path holds a password"),
        ({"path": "ftpx://host/a.jsonl"}, "Install the Airflow provider of that storage"),
        ({"since": "soon"}, "since must be a date and time"),
        ({"start": "2026-06-09", "end": "2026-06-08"}, "end must not be before start"),
        ({"start": "2026-06-09", "since": "2026-06-08"}, "since is for exports"),
        ({"per_page": 101}, "per_page must be between 1 and 100"),
        ({"columns": "id"}, "columns must be a list"),
        ({"columns": None}, "columns must be a list"),
        ({"columns": ["id", "id"]}, "columns names id more than once"),
        ({"columns": ["extra_json"]}, "columns names 'extra_json'"),
        ({"time_field": None}, "time_field must be non-empty text"),
    ],
)
def test_bad_input(options: dict[str, Any], problem: str, vendor: Vendor, airflow: Airflow) -> None:
    with pytest.raises(ValidationError) as caught:
        airflow.export("1", **options)
    assert problem in str(caught.value)
    assert "planted-secret" not in str(caught.value)
    assert vendor.asked == []
    assert airflow.files() == set()


def test_a_mapped_task_needs_an_asset_of_its_own(vendor: Vendor, airflow: Airflow) -> None:
    airflow.task("1").map_index = 0
    with pytest.raises(ValidationError, match="outlets="):
        airflow.export("1", outlets=[])


def test_the_default_asset_is_the_tasks_own() -> None:
    from airflow.sdk import DAG, TaskGroup

    from airflow_provider_mkt.transfers.flinque import FlinqueAttributionToObjectStorageOperator as Export

    with DAG("shop"), TaskGroup("nightly"):
        task = Export(task_id="export", path="a.jsonl")
        named = Export(task_id="named", path="a.jsonl", outlets=[ASSET])
    assert task.asset.name == "flinque_orders/shop/nightly.export"
    assert named.outlets == [ASSET]


def test_full_disk(vendor: Vendor, airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    add(vendor, 1)

    def full(self: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic._Local, "seal", full)
    with pytest.raises(AirflowException, match=r"No space left on device.*Make room"):
        airflow.export("1")
    assert airflow.files() == set()
    assert airflow.asset_state.values == {}
