# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One publish each: waited for in the triggerer, on a worker, without an end in sight, or not at all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG

from airflow_provider_mkt.operators.flow_living import FlowLivingPublishCampaignOperator

WAYS: dict[str, dict[str, Any]] = {
    "publish_deferred": {"deferrable": True},
    "publish_only": {"wait_for_completion": False},
    "publish_when_approved": {"wait_for_completion": False, "approval": "required"},
    "publish_and_stay_deferred": {"deferrable": True, "target_statuses": ["completed"]},
    "publish_and_stay_poking": {"deferrable": False, "target_statuses": ["completed"]},
    "publish_deferred_until_timeout": {
        "deferrable": True,
        "target_statuses": ["completed"],
        "wait_timeout": 10,
        "retries": 0,
    },
    "publish_poking_until_timeout": {
        "deferrable": False,
        "target_statuses": ["completed"],
        "execution_timeout": timedelta(seconds=10),
        "retries": 0,
    },
}

for name, options in WAYS.items():
    with DAG(name, schedule=None, default_args={"retries": 1, "retry_delay": timedelta(seconds=1)}):
        FlowLivingPublishCampaignOperator(
            task_id="publish",
            plan_ref="facebookv2",
            listing_external_ids=["listing_1004"],
            branch_id="branch_hill",
            order_ref="{{ run_id }}",
            poll_interval=2,
            **options,
        )
