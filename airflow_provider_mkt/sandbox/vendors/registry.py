# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The simulated vendors. A further vendor is one more entry here."""

from __future__ import annotations

from airflow_provider_mkt.sandbox.engine.vendor import Vendor
from airflow_provider_mkt.sandbox.vendors.flinque import Flinque
from airflow_provider_mkt.sandbox.vendors.flodesk import Flodesk
from airflow_provider_mkt.sandbox.vendors.flokit import Flokit
from airflow_provider_mkt.sandbox.vendors.flow_living import FlowLiving
from airflow_provider_mkt.sandbox.vendors.flow_social import FlowSocial

VENDORS: tuple[type[Vendor], ...] = (Flinque, FlowSocial, Flodesk, FlowLiving, Flokit)
