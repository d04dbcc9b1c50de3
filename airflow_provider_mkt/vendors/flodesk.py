# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Flodesk: e-mail subscribers, segments and workflows.

Vendor document: Flodesk API reference and OpenAPI description, version 1.0.0.
"""

from __future__ import annotations

from airflow_provider_mkt.client.endpoint import Endpoint, Limit, Safety
from airflow_provider_mkt.vendors.base import Extra, Vendor

VENDOR = Vendor(
    conn_type="flodesk",
    name="Flodesk",
    base_url="https://api.flodesk.com/v1",
    docs_url="https://developers.flodesk.com",
    hook="FlodeskHook",
    login="OAuth client ID (leave empty for an API key)",
    password="API key, or OAuth client secret",
    extras={
        "refresh_token": Extra("OAuth refresh token (fd_rt_…)", secret=True),
        "user_agent": Extra("How your app introduces itself: App Name (app site)"),
        "webhook_token": Extra("Token in the webhook address", secret=True),
    },
    limits={"default": Limit(100), "batch": Limit(20)},
)

USER_AGENT = "airflow-provider-mkt (Apache Airflow)"

TOKEN = Endpoint(
    "POST",
    "/oauth2/token",
    Safety.ONCE,
    answer={"access_token": str, "refresh_token": str},
    base="oauth",
    authenticated=False,
    form=True,
)
"""A refresh token is single-use, so an exchange is never repeated blindly."""
LIST_SEGMENTS = Endpoint("GET", "/segments", Safety.READ, rows=("data",))
GET_SEGMENT = Endpoint("GET", "/segments/{segment_id}", Safety.READ, answer={"id": str})
UPSERT_SUBSCRIBER = Endpoint("POST", "/subscribers", Safety.IDEMPOTENT, answer={"id": str})
UPSERT_SUBSCRIBERS = Endpoint(
    "POST", "/subscribers/batch", Safety.IDEMPOTENT, budgets=("batch",), answer={"successes": list, "failures": list}
)
GET_SUBSCRIBER = Endpoint("GET", "/subscribers/{id_or_email}", Safety.READ, answer={"id": str})

TOKEN_LIFETIME = 86_400.0
MOST_IN_BATCH = 50
MOST_SEGMENTS = 50
SUBSCRIBER_FIELDS = frozenset(
    {
        "id",
        "email",
        "first_name",
        "last_name",
        "custom_fields",
        "segment_ids",
        "double_optin",
        "optin_ip",
        "optin_timestamp",
    }
)
