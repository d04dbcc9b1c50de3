# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The simulated vendors. A further vendor is one more entry here."""

from __future__ import annotations

from airflow_provider_mkt.sandbox.flinque import Flinque
from airflow_provider_mkt.sandbox.flodesk import Flodesk
from airflow_provider_mkt.sandbox.flokit import Flokit
from airflow_provider_mkt.sandbox.flow_living import FlowLiving
from airflow_provider_mkt.sandbox.flow_social import FlowSocial
from airflow_provider_mkt.sandbox.vendor import Vendor

VENDORS: tuple[type[Vendor], ...] = (Flinque, FlowSocial, Flodesk, FlowLiving, Flokit)
