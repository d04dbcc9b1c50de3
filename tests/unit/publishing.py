# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A campaign at Flow Living that is published and not waited for."""

from __future__ import annotations

from typing import Any

from airflow_provider_mkt.operators.flow_living import FlowLivingPublishCampaignOperator

CAMPAIGN: dict[str, Any] = {
    "plan_ref": "facebookv2",
    "listing_external_ids": ["listing_1001"],
    "branch_id": "branch_harbour",
}
PUBLISH = "POST /flow-living/campaigns/publish"
FUTURE, LATER = "2099-06-08T09:00:00Z", "2099-06-22T09:00:00Z"


def publishing(**arguments: Any) -> FlowLivingPublishCampaignOperator:
    options = {"wait_for_completion": False, **CAMPAIGN, **arguments}
    return FlowLivingPublishCampaignOperator(task_id="publish", **options)
