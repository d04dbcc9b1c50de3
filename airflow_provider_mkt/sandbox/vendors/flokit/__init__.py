# Licensed under the Apache License, Version 2.0; see LICENSE.
"""FloKit, simulated: integrations and syncs, events, reports, actions, the workspace."""

from __future__ import annotations

from airflow_provider_mkt.sandbox.vendors.flokit import events, integrations, reports, routes
from airflow_provider_mkt.sandbox.vendors.flokit.routes import Flokit

Flokit.routers = (integrations.router, events.router, reports.router, routes.router)

VENDOR = Flokit
