# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Transfers between Flodesk and files or databases."""

from airflow_provider_mkt.transfers.flodesk.export import FlodeskSubscribersToObjectStorageOperator
from airflow_provider_mkt.transfers.flodesk.from_sql import SqlToFlodeskSubscribersOperator

__all__ = ["FlodeskSubscribersToObjectStorageOperator", "SqlToFlodeskSubscribersOperator"]
