# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Two campaigns that need no approval: one goes live, of the other the answer is lost and nobody can look it up."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_provider_mkt.operators.flow_living import FlowLivingPublishCampaignOperator

for name, conn_id in {"spring_live": "flow_living_default", "spring_lost": "flow_living_blind"}.items():
    with DAG(name, schedule=None, default_args={"retries": 0}):
        FlowLivingPublishCampaignOperator(
            task_id="publish",
            plan_ref="facebookv2",
            listing_external_ids=["listing_1004"],
            branch_id="branch_hill",
            budget_override=900,
            order_ref="{{ run_id }}",
            wait_for_completion=False,
            flow_living_conn_id=conn_id,
        )
