# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Flodesk, simulated: OAuth, subscribers, segments, workflows, custom fields, webhooks, campaigns."""

from __future__ import annotations

from airflow_provider_mkt.sandbox.vendors.flodesk import (
    campaigns,
    custom_fields,
    memberships,
    oauth,
    segments,
    subscribers,
    webhooks,
    workflows,
)
from airflow_provider_mkt.sandbox.vendors.flodesk.account import Flodesk

Flodesk.routers = (
    oauth.router,
    subscribers.router,
    memberships.router,
    segments.router,
    workflows.router,
    custom_fields.router,
    webhooks.router,
    campaigns.router,
)

VENDOR = Flodesk
