# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Operators for Flow Social: a post, many posts in batches, changes, media, webhooks."""

from airflow_provider_mkt.operators.flow_social.changes import (
    FlowSocialDeletePostOperator,
    FlowSocialUpdatePostOperator,
)
from airflow_provider_mkt.operators.flow_social.media import FlowSocialUploadMediaOperator
from airflow_provider_mkt.operators.flow_social.post import FlowSocialSchedulePostOperator
from airflow_provider_mkt.operators.flow_social.posts import FlowSocialSchedulePostsOperator
from airflow_provider_mkt.operators.flow_social.webhooks import FlowSocialEnsureWebhookOperator

__all__ = [
    "FlowSocialDeletePostOperator",
    "FlowSocialEnsureWebhookOperator",
    "FlowSocialSchedulePostOperator",
    "FlowSocialSchedulePostsOperator",
    "FlowSocialUpdatePostOperator",
    "FlowSocialUploadMediaOperator",
]
