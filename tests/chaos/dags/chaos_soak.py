# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Many launches under bad luck, by mapped tasks. The run's conf holds their number and a seed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, get_current_context, task

from airflow_provider_mkt.operators.flinque import FlinqueGenerateReportOperator
from airflow_provider_mkt.operators.flokit import FlokitTriggerSyncOperator
from airflow_provider_mkt.operators.flow_living import FlowLivingPublishCampaignOperator
from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostOperator
from tests.chaos import mix
from tests.chaos.luck import Impatient, strike

UNLUCKY: dict[str, Any] = {"pre_execute": strike, "retry_policy": Impatient()}


@dag(
    schedule=None,
    max_active_tasks=mix.AT_ONCE,
    default_args={"retries": 3, "retry_delay": timedelta(seconds=1), "poll_interval": 1, "deferrable": True},
)
def chaos_soak() -> None:
    @task
    def plan(vendor: str) -> list[dict[str, Any]]:
        return list(_arguments(vendor, get_current_context()["dag_run"].conf["launches"]))

    FlowLivingPublishCampaignOperator.partial(
        task_id="flow_living", plan_ref="facebookv2", branch_id="branch_harbour", **UNLUCKY
    ).expand_kwargs(plan.override(task_id="plan_flow_living")("flow_living"))
    # The vendor's rate for posts is low: a few tasks that wait for it are enough.
    FlowSocialSchedulePostOperator.partial(
        task_id="flow_social", channel_id="channel_1", max_active_tis_per_dagrun=2, **UNLUCKY
    ).expand_kwargs(plan.override(task_id="plan_flow_social")("flow_social"))
    FlinqueGenerateReportOperator.partial(task_id="flinque", **UNLUCKY).expand_kwargs(
        plan.override(task_id="plan_flinque")("flinque")
    )
    FlokitTriggerSyncOperator.partial(
        task_id="flokit", deferrable=False, max_active_tis_per_dagrun=1, **UNLUCKY
    ).expand_kwargs(plan.override(task_id="plan_flokit")("flokit"))


def _arguments(vendor: str, launches: int) -> list[dict[str, Any]]:
    bodies = mix.bodies(vendor, launches)
    if vendor == "flow_living":
        found = [{"listing_external_ids": body["listingExternalIds"]} for body in bodies]
    elif vendor == "flow_social":
        found = [{"content": body["content"]} for body in bodies]
    elif vendor == "flinque":
        # Without a name of its own: it is named by its reference, as orders are.
        found = [{"report": {name: value for name, value in body.items() if name != "name"}} for body in bodies]
    else:
        return [{"integration_id": "int_adjust"} for _ in bodies]
    return [{**one, "wait_for_completion": number % mix.WAITS == 0} for number, one in enumerate(found)]


chaos_soak()
