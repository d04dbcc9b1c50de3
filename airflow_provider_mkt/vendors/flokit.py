# Licensed under the Apache License, Version 2.0; see LICENSE.
"""FloKit: data integrations of subscription apps.

Vendor document: FloKit API reference, "Integrations".
"""

from __future__ import annotations

from airflow_provider_mkt.client.endpoint import Endpoint, Limit, Safety
from airflow_provider_mkt.vendors.base import Extra, Vendor

VENDOR = Vendor(
    conn_type="flokit",
    name="FloKit",
    base_url="https://api.flokit.ai/v1",
    docs_url="https://docs.flokitai.com",
    hook="FlokitHook",
    password="API key (read-write, to trigger syncs)",
    extras={"webhook_token": Extra("Token in the webhook address", secret=True)},
    limits={"default": Limit(100)},
)

LIST_INTEGRATIONS = Endpoint("GET", "/integrations", Safety.READ, rows=("integrations",))
GET_INTEGRATION = Endpoint(
    "GET", "/integrations/{integration_id}", Safety.READ, answer={"id": str, "status": str}, envelope="integration"
)
TRIGGER_SYNC = Endpoint("POST", "/integrations/{integration_id}/sync", Safety.ONCE, answer={"sync_id": str})

SYNCING = "syncing"
ERROR = "error"
DISCONNECTED = "disconnected"
CONNECTED = "connected"
