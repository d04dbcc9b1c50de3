# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Facts about each vendor, without any I/O. A sixth vendor is registered here and nowhere else."""

from airflow_provider_mkt.vendors import flinque, flodesk, flokit, flow_living, flow_social
from airflow_provider_mkt.vendors.base import Vendor

VENDORS: tuple[Vendor, ...] = (
    flinque.VENDOR,
    flow_social.VENDOR,
    flodesk.VENDOR,
    flow_living.VENDOR,
    flokit.VENDOR,
)
