# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Flow Social: scheduled posts on social networks.

Vendor document: Flow developer documentation, "API Reference". Success answers are wrapped in ``data``.
"""

from __future__ import annotations

from airflow_provider_mkt.client.endpoint import Endpoint, Limit, Safety
from airflow_provider_mkt.vendors.base import Extra, Vendor

VENDOR = Vendor(
    conn_type="flow_social",
    name="Flow Social",
    base_url="https://api.flowsocial.app/v1",
    docs_url="https://flow-docs-bjx.pages.dev/docs/api-reference/overview",
    hook="FlowSocialHook",
    password="API key (flow_sk_…)",
    extras={"webhook_secret": Extra("Webhook secret (whsec_…)", secret=True)},
    limits={"default": Limit(100), "post_creation": Limit(30), "webhook_creation": Limit(10), "key_creation": Limit(5)},
)

POST = {"id": str, "status": str}

LIST_CHANNELS = Endpoint("GET", "/channels", Safety.READ, rows=("data",))
LIST_POSTS = Endpoint("GET", "/posts", Safety.READ, rows=("data",))
CREATE_POST = Endpoint(
    "POST", "/posts", Safety.KEYED, budgets=("default", "post_creation"), answer=POST, envelope="data"
)
GET_POST = Endpoint("GET", "/posts/{post_id}", Safety.READ, answer=POST, envelope="data")
DELETE_POST = Endpoint("DELETE", "/posts/{post_id}", Safety.IDEMPOTENT, answer=None)
GET_USAGE = Endpoint("GET", "/usage", Safety.READ, envelope="data")

LONGEST_CONTENT = 10_000
"""Characters; single networks allow less (Twitter 280)."""
MOST_MEDIA = 10
KEY_LIFETIME = 24 * 3600.0
"""Seconds for which a repeated ``Idempotency-Key`` answers with the first result."""

PENDING = frozenset({"queued", "flowing"})
FAILED = frozenset({"blocked"})
DELIVERED = ("done",)
