# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Transfers from Flinque to files: attributed orders, reports."""

from airflow_provider_mkt.transfers.flinque.attribution import FlinqueAttributionToObjectStorageOperator
from airflow_provider_mkt.transfers.flinque.report import FlinqueReportToObjectStorageOperator

__all__ = ["FlinqueAttributionToObjectStorageOperator", "FlinqueReportToObjectStorageOperator"]
