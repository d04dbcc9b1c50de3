# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Every rate limit, and what counts in it, as the vendors' documents state them.

The tables (``tests/vendors``) are written from the documents and not from the code. They are whole: a route, a budget
or a plan that they do not name is an error, as is one that the code does not have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_provider_mkt.client.endpoint import Endpoint, Limit
from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
from airflow_provider_mkt.vendors import VENDORS
from tests.vendors import FACTS, HOOKS, endpoints
from tests.vendors.facts import MINUTE

LIMITS = {(vendor, plan): dict(limits) for vendor, facts in FACTS.items() for plan, limits in facts.limits.items()}

every_vendor = pytest.mark.parametrize("conn_type", HOOKS)


def hook_of(conn_type: str, **extra: Any) -> MarketingHook:
    """Return a hook whose connection exists in memory only."""
    filled = json.dumps({**FACTS[conn_type].extra, **extra})
    connection = Connection(conn_id="mine", conn_type=conn_type, login="", password="s3cret-key", extra=filled)
    if HOOKS[conn_type].vendor.login_required:
        connection.login = "me"
    return HOOKS[conn_type]("mine", connection=connection)


def stated(limits: Mapping[str, Limit]) -> dict[str, tuple[int, float]]:
    return {name: (limit.requests, limit.window) for name, limit in limits.items()}


def routes(conn_type: str) -> Iterator[tuple[str, Endpoint]]:
    """Yield the code's endpoints with their method and path, as the tables write them."""
    for _, endpoint in endpoints(conn_type):
        yield f"{endpoint.method} {re.sub(r'{[^}]*}', '{}', endpoint.path)}", endpoint


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.conn_type)
def test_the_tables_are_whole(vendor: Any) -> None:
    """No plan or route is left out, and no route stands in two places."""
    facts = FACTS[vendor.conn_type]
    plans = vendor.extras["plan"].choices if "plan" in vendor.extras else ()
    assert set(facts.limits) == {None, *plans}
    names = [route for route, _ in facts.rows()]
    assert len(names) == len(set(names)) == facts.routes


@pytest.mark.parametrize(("conn_type", "plan"), LIMITS)
def test_limits(conn_type: str, plan: str | None) -> None:
    hook = hook_of(conn_type, **({"plan": plan} if plan else {}))
    assert stated(hook.limits(hook.account)) == LIMITS[conn_type, plan]


@every_vendor
def test_limits_of_the_vendor(conn_type: str) -> None:
    """The vendor's own table is what holds when the connection says nothing."""
    assert stated(HOOKS[conn_type].vendor.limits) == LIMITS[conn_type, None]


@pytest.mark.parametrize("requests", [1, 60, 600, "45"])
@pytest.mark.parametrize(("conn_type", "plan"), LIMITS)
def test_requests_per_minute_replace_the_main_limit_only(conn_type: str, plan: str | None, requests: int | str) -> None:
    hook = hook_of(conn_type, requests_per_minute=requests, **({"plan": plan} if plan else {}))
    expected = {**LIMITS[conn_type, plan], "default": (int(requests), MINUTE)}
    assert stated(hook.limits(hook.account)) == expected


@pytest.mark.parametrize("extra", [{}, {"requests_per_minute": 45}, {"budget_share": 0.5}], ids=str)
@pytest.mark.parametrize(("conn_type", "plan"), LIMITS)
def test_every_client_of_a_hook_is_paced_by_them(
    conn_type: str, plan: str | None, extra: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client, the one for calls without credentials, and the one for listings share one account's budget."""
    made: list[tuple[Any, ...]] = []
    monkeypatch.setattr("airflow_provider_mkt.state.budgets.shared.budget_for", lambda *asked: made.append(asked))
    hook = hook_of(conn_type, **extra, **({"plan": plan} if plan else {}))
    clients = [hook.client, hook.unsigned, *([hook._listing_client] if isinstance(hook, FlowLivingHook) else [])]
    expected = dict(LIMITS[conn_type, plan])
    if "requests_per_minute" in extra:
        expected["default"] = (extra["requests_per_minute"], MINUTE)
    assert len(made) == len(clients)
    for account, limits, share, headers in made:
        assert account == hook.account.identity
        assert stated(limits) == expected
        assert share == extra.get("budget_share", 1.0)
        assert headers == hook.vendor.rate_headers


@every_vendor
def test_every_route_is_in_the_table(conn_type: str) -> None:
    assert {route for route, _ in routes(conn_type)} == {route for route, _ in FACTS[conn_type].rows()}


@pytest.mark.parametrize(
    ("conn_type", "route", "budgets"),
    [pytest.param(name, *row, id=f"{name} {row[0]}") for name, facts in FACTS.items() for row in facts.rows()],
)
def test_what_counts_where(conn_type: str, route: str, budgets: tuple[str, ...]) -> None:
    """Each of the route's endpoints, a dry run too, takes a slot in just these budgets, once."""
    found = [endpoint for each, endpoint in routes(conn_type) if each == route]
    assert found
    for endpoint in found:
        assert sorted(endpoint.budgets) == sorted(budgets)
