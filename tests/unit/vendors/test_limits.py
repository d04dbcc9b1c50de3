# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Every rate limit, and what counts in it, as the vendors' documents state them.

The tables are written from the documents and not from the code. They are whole: a route, a budget or a plan that they
do not name is an error, as is one that the code does not have.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_provider_mkt.client.endpoint import Endpoint, Limit
from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.hooks.flokit import FlokitHook
from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.vendors import VENDORS

HOOKS: dict[str, type[MarketingHook]] = {
    "flinque": FlinqueHook,
    "flow_social": FlowSocialHook,
    "flodesk": FlodeskHook,
    "flow_living": FlowLivingHook,
    "flokit": FlokitHook,
}
MINUTE = 60.0

# Vendor and plan: how many requests in how many seconds, by budget.
LIMITS: dict[tuple[str, str | None], dict[str, tuple[int, float]]] = {
    ("flinque", "free"): {"default": (30, MINUTE)},
    ("flinque", "starter"): {"default": (100, MINUTE)},
    ("flinque", "enterprise"): {"default": (500, MINUTE)},
    ("flinque", None): {"default": (100, MINUTE)},
    ("flow_social", None): {
        "default": (100, MINUTE),
        "post_creation": (30, MINUTE),
        "webhook_creation": (10, MINUTE),
        "key_creation": (5, MINUTE),
    },
    ("flodesk", None): {"default": (100, MINUTE), "batch": (20, MINUTE)},
    # Not published; assumed: 60 a minute for a client id in total, and at most one publication a second.
    ("flow_living", None): {"default": (60, MINUTE), "publish": (1, 1.0)},
    # Stated for the event routes; assumed to be shared by all.
    ("flokit", None): {"default": (100, MINUTE)},
}

# Vendor: the routes that count in these budgets and in no others.
COUNTED: dict[str, dict[tuple[str, ...], str]] = {
    "flinque": {
        # One limit for a workspace. Whether the token call counts is not stated; it is assumed to.
        ("default",): """
            POST /oauth/token
            GET /creators
            GET /creators/{}
            GET /creators/{}/audience
            GET /creators/{}/posts
            GET /campaigns
            POST /campaigns
            GET /campaigns/{}
            PATCH /campaigns/{}
            GET /attribution/orders
            GET /attribution/revenue
            GET /attribution/events
            GET /reports
            POST /reports/generate
            GET /reports/{}/export
            GET /workspaces
            GET /workspaces/{}
            GET /workspaces/{}/members
            GET /webhooks
            POST /webhooks
            DELETE /webhooks/{}
        """,
    },
    "flow_social": {
        # What creates counts in its own budget and in the main one (assumed). A batch is one request, and one creation.
        ("default", "post_creation"): """
            POST /posts
            POST /posts/batch
        """,
        ("default", "webhook_creation"): "POST /webhooks",
        ("default", "key_creation"): "POST /api-keys",
        ("default",): """
            GET /channels
            POST /channels
            GET /channels/{}
            PATCH /channels/{}
            DELETE /channels/{}
            GET /posts
            GET /posts/{}
            PATCH /posts/{}
            DELETE /posts/{}
            PATCH /posts/batch
            DELETE /posts/batch
            POST /posts/preflight
            GET /connections
            DELETE /connections/{}
            POST /connections/{}/add-to-channel
            POST /connections/{}/refresh
            POST /connections/{}/verify
            POST /connections/verify-channel/{}
            GET /connections/{}/auth
            GET /connections/{}/callback
            POST /media/upload
            GET /media/{}
            DELETE /media/{}
            GET /webhooks
            GET /webhooks/{}
            PATCH /webhooks/{}
            DELETE /webhooks/{}
            GET /webhooks/{}/deliveries
            POST /webhooks/{}/test
            GET /api-keys
            GET /api-keys/{}
            PATCH /api-keys/{}
            DELETE /api-keys/{}
            GET /usage
            GET /usage/history
            GET /usage/day
        """,
    },
    "flodesk": {
        # A bucket of its own: 20 batches do not take from the 100 others.
        ("batch",): "POST /subscribers/batch",
        # Opened in a person's browser: no request of ours.
        (): "GET /oauth2/authorize",
        ("default",): """
            POST /oauth2/token
            GET /oauth2/userinfo
            GET /subscribers
            POST /subscribers
            GET /subscribers/{}
            POST /subscribers/{}/segments
            DELETE /subscribers/{}/segments
            POST /subscribers/{}/unsubscribe
            GET /segments
            POST /segments
            GET /segments/colors
            GET /segments/{}
            GET /workflows
            POST /workflows/{}/subscribers
            DELETE /workflows/{}/subscribers/{}
            GET /custom-fields
            POST /custom-fields
            GET /custom-fields/all
            GET /webhooks
            POST /webhooks
            GET /webhooks/{}
            PUT /webhooks/{}
            DELETE /webhooks/{}
            GET /campaigns
            POST /campaigns/canva
            GET /campaigns/canva/design-state
            POST /campaigns/studio
        """,
    },
    "flow_living": {
        # A dry run is sent to the same route, so it counts alike.
        ("default", "publish"): "POST /campaigns/publish",
        ("default",): """
            GET /auth/access-key/publickey
            GET /campaigns/status/{}
            POST /campaigns/status/{}
            POST /v3/properties-api/process-listing
            POST /api/rest/v2/campaigns/branch
            POST /api/rest/v2/insights/daily/agent/email
            POST /api/rest/v2/insights/daily/agent/externalId
        """,
    },
    "flokit": {
        ("default",): """
            GET /integrations
            GET /integrations/{}
            POST /integrations/{}/sync
            POST /events
            POST /batch/events
            GET /reports/payback
            GET /reports/cohorts
            GET /actions
            GET /actions/{}
            GET /workspace
        """,
    },
}
# How many routes the documents count.
ROUTES = {"flinque": 21, "flow_social": 40, "flodesk": 29, "flow_living": 8, "flokit": 10}

every_vendor = pytest.mark.parametrize("conn_type", HOOKS)


def hook_of(conn_type: str, **extra: Any) -> MarketingHook:
    """Return a hook whose connection exists in memory only."""
    filled = {"request_type": "campaignAPI"} if conn_type == "flow_living" else {}
    connection = Connection(
        conn_id="mine", conn_type=conn_type, login="", password="s3cret-key", extra=json.dumps({**filled, **extra})
    )
    if HOOKS[conn_type].vendor.login_required:
        connection.login = "me"
    return HOOKS[conn_type]("mine", connection=connection)


def stated(limits: Mapping[str, Limit]) -> dict[str, tuple[int, float]]:
    return {name: (limit.requests, limit.window) for name, limit in limits.items()}


def routes(conn_type: str) -> Iterator[tuple[str, Endpoint]]:
    """Yield the code's endpoints with their method and path, as the tables write them."""
    for endpoint in vars(importlib.import_module(f"airflow_provider_mkt.vendors.{conn_type}")).values():
        if isinstance(endpoint, Endpoint):
            yield f"{endpoint.method} {re.sub(r'{[^}]*}', '{}', endpoint.path)}", endpoint


def counted(conn_type: str) -> list[tuple[str, tuple[str, ...]]]:
    """Return the routes of the table with their budgets."""
    table = COUNTED[conn_type]
    return [(line.strip(), budgets) for budgets, lines in table.items() for line in lines.strip().splitlines()]


def test_the_tables_are_whole() -> None:
    """No vendor, plan or route is left out, and no route stands in two places."""
    assert {vendor.conn_type for vendor in VENDORS} == set(COUNTED) == set(HOOKS)
    plans = {(vendor.conn_type, None) for vendor in VENDORS}
    for vendor in VENDORS:
        if "plan" in vendor.extras:
            plans |= {(vendor.conn_type, plan) for plan in vendor.extras["plan"].choices or ()}
    assert plans == set(LIMITS)
    for conn_type, number in ROUTES.items():
        names = [route for route, _ in counted(conn_type)]
        assert len(names) == len(set(names)) == number


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
    assert {route for route, _ in routes(conn_type)} == {route for route, _ in counted(conn_type)}


@pytest.mark.parametrize(
    ("conn_type", "route", "budgets"),
    [pytest.param(name, *row, id=f"{name} {row[0]}") for name in COUNTED for row in counted(name)],
)
def test_what_counts_where(conn_type: str, route: str, budgets: tuple[str, ...]) -> None:
    """Each of the route's endpoints, a dry run too, takes a slot in just these budgets, once."""
    found = [endpoint for each, endpoint in routes(conn_type) if each == route]
    assert found
    for endpoint in found:
        assert sorted(endpoint.budgets) == sorted(budgets)
