# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Transfers to and from Flodesk."""

from airflow_provider_mkt.transfers.flodesk.export import FlodeskSubscribersToObjectStorageOperator
from airflow_provider_mkt.transfers.flodesk.from_sql import SqlToFlodeskSubscribersOperator

__all__ = ["FlodeskSubscribersToObjectStorageOperator", "SqlToFlodeskSubscribersOperator"]
