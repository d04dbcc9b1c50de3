# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the vendor does with its pages, and what the export makes of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import ApiError, MalformedResponseError, ValidationError
from airflow_provider_mkt.transfers.flinque import order_walk
from tests.unit.transfers.exporting import NOON, Airflow, Vendor, ids, order
from tests.unit.transfers.flinque.orders import add

pytestmark = pytest.mark.slow


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
