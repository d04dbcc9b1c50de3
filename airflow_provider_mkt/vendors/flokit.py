# Licensed under the Apache License, Version 2.0; see LICENSE.
"""FloKit: data integrations, events, reports and actions of subscription apps.

Vendor document: FloKit API reference, "Integrations"; for the rest its pages "Server-side events", "Batch events",
"Reports" and "Actions".
"""

from __future__ import annotations

from airflow_provider_mkt.client.endpoint import Endpoint, Limit, Safety
from airflow_provider_mkt.vendors.base import WEBHOOK_TOKEN, Extra, Vendor, Webhooks

VENDOR = Vendor(
    conn_type="flokit",
    name="FloKit",
    summary="data syncs of subscription apps",
    base_url="https://api.flokit.ai/v1",
    docs_url="https://docs.flokitai.com",
    hook="FlokitHook",
    password="API key (read-write, to trigger syncs)",
    extras={"webhook_token": Extra("Token in the webhook address", secret=True, description=WEBHOOK_TOKEN)},
    limits={"default": Limit(100)},
    webhooks=Webhooks(subject=("data.integration.id",)),
    color="#efe3f7",
)

LIST_INTEGRATIONS = Endpoint("GET", "/integrations", Safety.READ, rows=("integrations",))
GET_INTEGRATION = Endpoint(
    "GET", "/integrations/{integration_id}", Safety.READ, answer={"id": str, "status": str}, envelope="integration"
)
TRIGGER_SYNC = Endpoint("POST", "/integrations/{integration_id}/sync", Safety.ONCE, answer={"sync_id": str})

SEND_EVENT = Endpoint("POST", "/events", Safety.KEYED, answer={"event_id": str})
SEND_EVENTS = Endpoint("POST", "/batch/events", Safety.ONCE, answer={"accepted": int, "rejected": int}, decides=False)
"""No idempotency key is documented for batches, so a batch whose answer was lost is not sent again."""
GET_PAYBACK_REPORT = Endpoint("GET", "/reports/payback", Safety.READ, answer={"data": list})
GET_COHORT_REPORT = Endpoint("GET", "/reports/cohorts", Safety.READ, answer=dict)
LIST_ACTIONS = Endpoint("GET", "/actions", Safety.READ, rows=("actions",))
GET_ACTION = Endpoint("GET", "/actions/{action_id}", Safety.READ, answer={"id": str}, envelope="action")
GET_WORKSPACE = Endpoint("GET", "/workspace", Safety.READ, answer=dict)

EVENT_FIELDS = frozenset({"event", "user_id", "anonymous_id", "timestamp", "properties"})
MAX_EVENTS = 1_000
MAX_PROPERTIES = 100
MAX_TEXT = 1_024
AHEAD = 300.0
"""Seconds that an event may lie in the future. The last three are assumed."""
MAX_SPAN = 366
"""Days of a report (assumed)."""
GROUPS = ("campaign", "creative", "country", "offer", "paywall")
ACTION_STATUSES = ("draft", "ready", "approved", "running", "rolled_back")

SYNCING = "syncing"
ERROR = "error"
DISCONNECTED = "disconnected"
CONNECTED = "connected"
