# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Flow Social, simulated: channels, posts, connections, media, webhooks, API keys, usage."""

from __future__ import annotations

from airflow_provider_mkt.sandbox.vendors.flow_social import (
    api_keys,
    batches,
    channels,
    connections,
    media,
    posts,
    usage,
    webhooks,
)
from airflow_provider_mkt.sandbox.vendors.flow_social.account import FlowSocial

FlowSocial.routers = (
    channels.router,
    batches.router,
    posts.router,
    connections.router,
    media.router,
    webhooks.router,
    api_keys.router,
    usage.router,
)

VENDOR = FlowSocial
