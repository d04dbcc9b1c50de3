# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Operators for Flinque: campaigns, reports, webhooks."""

from airflow_provider_mkt.operators.flinque.campaigns import (
    FlinqueCreateCampaignOperator,
    FlinqueUpdateCampaignOperator,
)
from airflow_provider_mkt.operators.flinque.reports import FlinqueGenerateReportOperator
from airflow_provider_mkt.operators.flinque.webhooks import FlinqueEnsureWebhookOperator

__all__ = [
    "FlinqueCreateCampaignOperator",
    "FlinqueEnsureWebhookOperator",
    "FlinqueGenerateReportOperator",
    "FlinqueUpdateCampaignOperator",
]
