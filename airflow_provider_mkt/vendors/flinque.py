# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Flinque: influencer campaigns, attribution and reports.

Vendor document: Flinque Help Centre, "Developer API". It publishes routes but no schemas: only ``id`` is relied on.
"""

from __future__ import annotations

from airflow_provider_mkt.client.endpoint import Endpoint, Limit, Safety
from airflow_provider_mkt.vendors.base import Extra, Vendor

PLANS = {"free": Limit(30), "starter": Limit(100), "enterprise": Limit(500)}
"""Requests per minute and workspace. Bursts of about twice that are allowed; never planned on."""

VENDOR = Vendor(
    conn_type="flinque",
    name="Flinque",
    base_url="https://api.flinque.com/v1",
    docs_url="https://www.flinque.com/?p=10569",
    hook="FlinqueHook",
    login="Client ID",
    login_required=True,
    password="Client secret",
    extras={
        "plan": Extra("Plan of the workspace, for its rate limit", default="starter", choices=tuple(PLANS)),
        "webhook_secret": Extra("Webhook secret", secret=True),
    },
    limits={"default": PLANS["starter"]},
)

TOKEN = Endpoint("POST", "/oauth/token", Safety.READ, answer={"access_token": str}, authenticated=False)
LIST_CAMPAIGNS = Endpoint("GET", "/campaigns", Safety.READ, rows=("data", "items", "campaigns"))
LIST_ATTRIBUTION_ORDERS = Endpoint("GET", "/attribution/orders", Safety.READ, rows=("data", "items", "orders"))
GET_ATTRIBUTION_REVENUE = Endpoint("GET", "/attribution/revenue", Safety.READ)
LIST_REPORTS = Endpoint("GET", "/reports", Safety.READ, rows=("data", "items", "reports"))
GENERATE_REPORT = Endpoint("POST", "/reports/generate", Safety.ONCE, answer={"id": str})
EXPORT_REPORT = Endpoint("GET", "/reports/{report_id}/export", Safety.READ)
LIST_WORKSPACES = Endpoint("GET", "/workspaces", Safety.READ, rows=("data", "items", "workspaces"))

TOKEN_LIFETIME = 86_400.0
REPORT_PENDING = frozenset({"pending", "processing"})
REPORT_FAILED = frozenset({"failed"})
REPORT_READY = ("ready",)
"""Report statuses are not published; these are assumed."""
