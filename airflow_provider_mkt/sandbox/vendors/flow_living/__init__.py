# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Flow Living, simulated: access tokens, property campaigns, listings, analytics."""

from __future__ import annotations

from airflow_provider_mkt.sandbox.vendors.flow_living import analytics, routes
from airflow_provider_mkt.sandbox.vendors.flow_living.account import FlowLiving

FlowLiving.routers = (routes.router, analytics.router)

VENDOR = FlowLiving
