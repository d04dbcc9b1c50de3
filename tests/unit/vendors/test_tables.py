# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The vendors' tables agree with themselves and with what users rely on."""

from __future__ import annotations

import re

import pytest

from airflow_provider_mkt.client.endpoint import Endpoint, Safety
from airflow_provider_mkt.vendors import VENDORS
from airflow_provider_mkt.vendors.base import Vendor
from tests.vendors import FACTS, TABLES, endpoints

ENDPOINTS = [
    pytest.param(vendor, endpoint, id=f"{vendor.conn_type} {name}")
    for vendor in VENDORS
    for name, endpoint in endpoints(vendor.conn_type)
]
SPENDING = [(vendor, name, safety) for vendor, facts in FACTS.items() for name, safety in facts.spends.items()]
every_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.conn_type)


def test_addresses() -> None:
    assert {vendor.conn_type: vendor.base_url for vendor in VENDORS} == {
        name: facts.base_url for name, facts in FACTS.items()
    }


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


@pytest.mark.parametrize(("vendor", "name", "safety"), SPENDING)
def test_what_costs_money_or_a_token(vendor: str, name: str, safety: str) -> None:
    assert getattr(TABLES[vendor], name).safety is Safety[safety]


@every_vendor
def test_limits(vendor: Vendor) -> None:
    assert "default" in vendor.limits
    assert all(limit.requests > 0 and limit.window > 0 for limit in vendor.limits.values())


@every_vendor
def test_statuses_mean_one_thing(vendor: Vendor) -> None:
    """Nothing is pending and failed, or done and failed, at once."""
    module = TABLES[vendor.conn_type]
    for pending, failed, done in (
        ("PENDING", "FAILED", "LIVE"),
        ("PENDING", "FAILED", "DELIVERED"),
        ("REPORT_PENDING", "REPORT_FAILED", "REPORT_READY"),
    ):
        sets = [set(getattr(module, name, ())) for name in (pending, failed, done)]
        assert sum(map(len, sets)) == len(set().union(*sets))


def test_colors_tell_vendors_apart() -> None:
    colors = [vendor.color for vendor in VENDORS]
    assert len(set(colors)) == len(colors)
    assert all(re.fullmatch(r"#[0-9a-f]{6}", color) for color in colors)


@every_vendor
def test_whoever_signs_has_a_secret(vendor: Vendor) -> None:
    """Signed deliveries need a secret in the connection, others a token in their address."""
    webhooks = vendor.webhooks
    assert ("webhook_secret" in vendor.extras) is (webhooks is not None and webhooks.signed)
    assert ("webhook_token" in vendor.extras) is (webhooks is not None and not webhooks.signed)


@every_vendor
def test_everything_is_said(vendor: Vendor) -> None:
    assert vendor.summary
    assert [name for name, extra in vendor.all_extras.items() if not extra.description] == []
