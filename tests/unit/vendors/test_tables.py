# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The vendors' tables agree with themselves and with what users rely on."""

from __future__ import annotations

import importlib
import re
from types import ModuleType

import pytest

from airflow_provider_mkt.client.endpoint import Endpoint, Safety
from airflow_provider_mkt.vendors import VENDORS
from airflow_provider_mkt.vendors.base import Vendor

MODULES: dict[str, ModuleType] = {
    vendor.conn_type: importlib.import_module(f"airflow_provider_mkt.vendors.{vendor.conn_type}") for vendor in VENDORS
}
ENDPOINTS = [
    pytest.param(vendor, endpoint, id=f"{vendor.conn_type} {name}")
    for vendor in VENDORS
    for name, endpoint in vars(MODULES[vendor.conn_type]).items()
    if isinstance(endpoint, Endpoint)
]
BASES = {
    "flinque": "https://api.flinque.com/v1",
    "flow_social": "https://api.flowsocial.app/v1",
    "flodesk": "https://api.flodesk.com/v1",
    "flow_living": "https://api.flowliving.com",
    "flokit": "https://api.flokit.ai/v1",
}
SPENDING = {
    ("flow_living", "PUBLISH"): Safety.ONCE,
    ("flow_social", "CREATE_POST"): Safety.KEYED,
    ("flokit", "TRIGGER_SYNC"): Safety.ONCE,
    ("flinque", "GENERATE_REPORT"): Safety.ONCE,
    ("flodesk", "UPSERT_SUBSCRIBERS"): Safety.IDEMPOTENT,
    ("flodesk", "TOKEN"): Safety.ONCE,
}


def test_addresses() -> None:
    assert {vendor.conn_type: vendor.base_url for vendor in VENDORS} == BASES


@pytest.mark.parametrize(("vendor", "endpoint"), ENDPOINTS)
def test_routes(vendor: Vendor, endpoint: Endpoint) -> None:
    assert endpoint.method in ("GET", "POST", "PUT", "PATCH", "DELETE")
    assert re.fullmatch(r"(/([\w.-]+|\{\w+\}))+", endpoint.path)
    assert not endpoint.path.startswith("/v1/"), "the base holds the version already"
    assert endpoint.rows is None or endpoint.safety is Safety.READ
    assert set(endpoint.budgets) <= set(vendor.limits), "a budget without a limit"


@pytest.mark.parametrize(("vendor", "endpoint"), ENDPOINTS)
def test_nothing_is_repeated_that_creates(vendor: Vendor, endpoint: Endpoint) -> None:
    """A GET may always be repeated, unless its answer is spent by reading it; a POST only where the table says why."""
    if endpoint.method == "GET" and not endpoint.redirect:
        assert endpoint.safety is Safety.READ
    if endpoint.method == "DELETE":
        assert endpoint.safety in (Safety.IDEMPOTENT, Safety.ONCE)


@pytest.mark.parametrize(("place", "safety"), SPENDING.items(), ids=str)
def test_what_costs_money_or_a_token(place: tuple[str, str], safety: Safety) -> None:
    module = importlib.import_module(f"airflow_provider_mkt.vendors.{place[0]}")
    assert getattr(module, place[1]).safety is safety


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.conn_type)
def test_limits(vendor: Vendor) -> None:
    assert "default" in vendor.limits
    assert all(limit.requests > 0 and limit.window > 0 for limit in vendor.limits.values())


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.conn_type)
def test_statuses_mean_one_thing(vendor: Vendor) -> None:
    """Nothing is pending and failed, or done and failed, at once."""
    module = importlib.import_module(f"airflow_provider_mkt.vendors.{vendor.conn_type}")
    for pending, failed, done in (
        ("PENDING", "FAILED", "LIVE"),
        ("PENDING", "FAILED", "DELIVERED"),
        ("REPORT_PENDING", "REPORT_FAILED", "REPORT_READY"),
    ):
        sets = [set(getattr(module, name, ())) for name in (pending, failed, done)]
        assert sum(map(len, sets)) == len(set().union(*sets))
