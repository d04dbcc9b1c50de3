# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Flinque: influencer campaigns, attribution and reports.

Vendor document: Flinque Help Centre, "Developer API". It publishes routes but no schemas: only ``id`` is relied on.
"""

from __future__ import annotations

from airflow_provider_mkt.client.durations import DAY
from airflow_provider_mkt.client.endpoint import Endpoint, Limit, Safety
from airflow_provider_mkt.vendors.base import SPENDING_EXTRAS, WEBHOOK_SECRET, Extra, Signature, Vendor, Webhooks

PLANS = {"free": Limit(30), "starter": Limit(100), "enterprise": Limit(500)}
"""Requests per minute and workspace. Bursts of about twice that are allowed; never planned on."""

EVENTS = ("campaign.created", "campaign.updated", "order.attributed", "creator.added", "report.ready")
"""Events that a webhook may subscribe to."""

VENDOR = Vendor(
    conn_type="flinque",
    name="Flinque",
    summary="influencer campaigns, attribution, reports",
    base_url="https://api.flinque.com/v1",
    docs_url="https://www.flinque.com/?p=10569",
    hook="FlinqueHook",
    login="Client ID",
    login_required=True,
    password="Client secret",
    extras={
        **SPENDING_EXTRAS,
        "plan": Extra(
            "Plan of the workspace, for its rate limit",
            default="starter",
            choices=tuple(PLANS),
            description="plan of the workspace: 30, 100 or 500 requests a minute",
        ),
        "webhook_secret": Extra("Webhook secret", secret=True, description=WEBHOOK_SECRET),
    },
    limits={"default": PLANS["starter"]},
    webhooks=Webhooks(EVENTS, Signature("X-Flinque-Signature"), subject=("data.id",), sent="created_at"),
    targets=("Common IO",),
    color="#fbe5d6",
    amount=("budget", "currency"),
)

OBJECT = {"id": str}
"""The one field that may be relied on."""

TOKEN = Endpoint("POST", "/oauth/token", Safety.READ, answer={"access_token": str}, authenticated=False)

LIST_CREATORS = Endpoint("GET", "/creators", Safety.READ, rows=("data", "items", "creators"))
GET_CREATOR = Endpoint("GET", "/creators/{creator_id}", Safety.READ, answer=OBJECT)
GET_CREATOR_AUDIENCE = Endpoint("GET", "/creators/{creator_id}/audience", Safety.READ, answer=dict)
LIST_CREATOR_POSTS = Endpoint("GET", "/creators/{creator_id}/posts", Safety.READ, rows=("data", "items", "posts"))

LIST_CAMPAIGNS = Endpoint("GET", "/campaigns", Safety.READ, rows=("data", "items", "campaigns"))
CREATE_CAMPAIGN = Endpoint("POST", "/campaigns", Safety.ONCE, answer=OBJECT)
GET_CAMPAIGN = Endpoint("GET", "/campaigns/{campaign_id}", Safety.READ, answer=OBJECT)
UPDATE_CAMPAIGN = Endpoint("PATCH", "/campaigns/{campaign_id}", Safety.IDEMPOTENT, answer=OBJECT)

LIST_ATTRIBUTION_ORDERS = Endpoint("GET", "/attribution/orders", Safety.READ, rows=("data", "items", "orders"))
GET_ATTRIBUTION_REVENUE = Endpoint("GET", "/attribution/revenue", Safety.READ, answer=dict)
LIST_ATTRIBUTION_EVENTS = Endpoint("GET", "/attribution/events", Safety.READ, rows=("data", "items", "events"))

LIST_REPORTS = Endpoint("GET", "/reports", Safety.READ, rows=("data", "items", "reports"))
GENERATE_REPORT = Endpoint("POST", "/reports/generate", Safety.ONCE, answer=OBJECT)
EXPORT_REPORT = Endpoint("GET", "/reports/{report_id}/export", Safety.READ, not_yet=(202,), download=True)

LIST_WORKSPACES = Endpoint("GET", "/workspaces", Safety.READ, rows=("data", "items", "workspaces"))
GET_WORKSPACE = Endpoint("GET", "/workspaces/{workspace_id}", Safety.READ, answer=OBJECT)
LIST_WORKSPACE_MEMBERS = Endpoint(
    "GET", "/workspaces/{workspace_id}/members", Safety.READ, rows=("data", "items", "members")
)

LIST_WEBHOOKS = Endpoint("GET", "/webhooks", Safety.READ, rows=("data", "items", "webhooks"))
CREATE_WEBHOOK = Endpoint("POST", "/webhooks", Safety.ONCE, answer=OBJECT)
DELETE_WEBHOOK = Endpoint("DELETE", "/webhooks/{webhook_id}", Safety.IDEMPOTENT, answer=None, gone_is_done=True)

LINK_FIELDS = ("download_url", "url", "link", "href")
"""Where an export may name the address of its file instead of being the file (names assumed)."""
NOT_READY = (202, 409)
"""Statuses of an export that is still being made (assumed; a 404 may mean it as well)."""

TOKEN_LIFETIME = DAY
CAMPAIGN_LIVE = ("active", "completed")
CAMPAIGN_PENDING = frozenset({"draft", "active", "paused"})
CAMPAIGN_ENDED = frozenset({"completed", "archived"})
REPORT_TYPES = ("campaign", "creator_scorecard", "dashboard")
"""Spelling assumed; the vendor names the kinds in words only, and may have others."""
CAMPAIGN_STATUSES = ("draft", "active", "paused", "completed", "archived")
"""Campaign statuses are not published; these are assumed."""
REPORT_PENDING = frozenset({"pending", "processing"})
REPORT_FAILED = frozenset({"failed"})
REPORT_READY = ("ready",)
"""Report statuses are not published; these are assumed."""
