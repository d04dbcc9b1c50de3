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

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.files import atomic
from airflow_provider_mkt.transfers.flinque import order_walk
from tests.unit.transfers.exporting import ASSET, NOON, Airflow, Vendor, ids, order
from tests.unit.transfers.flinque.orders import add


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
