# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Operators for Flodesk: subscribers, segments, workflows, webhooks."""

from airflow_provider_mkt.operators.flodesk.segment import FlodeskCreateSegmentOperator
from airflow_provider_mkt.operators.flodesk.subscriber import (
    FlodeskAddToSegmentsOperator,
    FlodeskAddToWorkflowOperator,
    FlodeskUnsubscribeOperator,
)
from airflow_provider_mkt.operators.flodesk.upsert import FlodeskUpsertSubscribersOperator
from airflow_provider_mkt.operators.flodesk.webhooks import FlodeskEnsureWebhookOperator

__all__ = [
    "FlodeskAddToSegmentsOperator",
    "FlodeskAddToWorkflowOperator",
    "FlodeskCreateSegmentOperator",
    "FlodeskEnsureWebhookOperator",
    "FlodeskUnsubscribeOperator",
    "FlodeskUpsertSubscribersOperator",
]
