# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Flinque, simulated: tokens, creators, campaigns, attribution, reports, workspaces, webhooks."""

from __future__ import annotations

from airflow_provider_mkt.sandbox.vendors.flinque import attribution, campaigns, creators, reports, workspaces
from airflow_provider_mkt.sandbox.vendors.flinque.account import Flinque

Flinque.routers = (
    workspaces.router,
    creators.router,
    campaigns.router,
    attribution.router,
    reports.router,
)

VENDOR = Flinque
