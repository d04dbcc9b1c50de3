# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One launch for each step of the fault matrix; its first try is interrupted there."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import dag

from airflow_provider_mkt.operators.flinque import FlinqueCreateCampaignOperator, FlinqueGenerateReportOperator
from airflow_provider_mkt.operators.flokit import FlokitTriggerSyncOperator
from airflow_provider_mkt.operators.flow_living import FlowLivingPublishCampaignOperator
from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostOperator
from tests.chaos import steps
from tests.chaos.steps import Step
from tests.chaos.subjects import SUBJECTS

FOLDER = Path(os.environ["AIRFLOW_HOME"])
"""Where the files are that are uploaded; every process that parses this DAG writes the same ones."""


def doom(step: Step) -> Callable[[Any], None]:
    """Return a hook that has this process killed at ``step`` of the task's first try."""

    def before_execute(context: Any) -> None:
        ti = context["ti"]
        resumed = bool(ti._ti_context_from_server.next_method)
        if ti.try_number == 1 and resumed == (step is Step.RESUMED):
            steps.arm(step, steps.die, type(context["task_state_store"]))

    return before_execute


@dag(
    schedule=None,
    max_active_tasks=6,
    default_args={
        "retries": 2,
        "retry_delay": timedelta(seconds=1),
        "wait_for_completion": True,
        "deferrable": True,
        "poll_interval": 2,
    },
)
def chaos_matrix() -> None:
    for file, content in SUBJECTS["flow_social_media"].files.items():
        (FOLDER / file).write_bytes(content)

    def publish(name: str, **options: Any) -> Any:
        return FlowLivingPublishCampaignOperator(
            task_id=name,
            plan_ref="facebookv2",
            listing_external_ids=["listing_1001"],
            branch_id="branch_harbour",
            order_ref=name,
            **options,
        )

    def post(name: str, **options: Any) -> Any:
        return FlowSocialSchedulePostOperator(task_id=name, channel_id="channel_1", content=name, **options)

    def report(name: str, **options: Any) -> Any:
        order = {"type": "campaign", "campaign_id": "ca_1", "name": name}
        return FlinqueGenerateReportOperator(task_id=name, report=order, **options)

    def sync(name: str, **options: Any) -> Any:
        return FlokitTriggerSyncOperator(task_id=name, integration_id="int_adjust", **options)

    def campaign(name: str, **options: Any) -> Any:
        # A draft already is what is waited for: nobody is there to start it.
        return FlinqueCreateCampaignOperator(
            task_id=name, campaign={"name": name}, target_statuses=["draft"], **options
        )

    def other(name: str, subject: str, step: Step, **options: Any) -> Any:
        return SUBJECTS[subject].build(FOLDER, task_id=name, pre_execute=doom(step), **options)

    # The vendors were told to mistreat the first request on each of these routes, so these three go first.
    first = [
        publish("sent", pre_execute=doom(Step.SENT)),
        post("processed"),
        report("first_byte", pre_execute=doom(Step.FIRST_BYTE)),
    ]
    rest = [
        sync("before_intent", pre_execute=doom(Step.BEFORE_INTENT)),
        publish("after_intent", pre_execute=doom(Step.AFTER_INTENT), trigger_rule="all_done"),
        publish("leaving", pre_execute=doom(Step.LEAVING), trigger_rule="all_done"),
        post("connected", pre_execute=doom(Step.CONNECTED), trigger_rule="all_done"),
        publish("answered", pre_execute=doom(Step.ANSWERED), trigger_rule="all_done"),
        publish("receipt", pre_execute=doom(Step.RECEIPT), trigger_rule="all_done"),
        report("deferring", pre_execute=doom(Step.DEFERRING), trigger_rule="all_done"),
        publish("trigger", trigger_rule="all_done"),
        publish("resumed", pre_execute=doom(Step.RESUMED), trigger_rule="all_done"),
        other("batch", "flow_social_batch", Step.ANSWERED, trigger_rule="all_done"),
        other("media", "flow_social_media", Step.CONNECTED, trigger_rule="all_done"),
        campaign("campaign", pre_execute=doom(Step.RECEIPT), trigger_rule="all_done"),
        other("workflow", "flodesk_workflow", Step.SENT, trigger_rule="all_done"),
        other("upsert", "flodesk_upsert", Step.FIRST_BYTE, trigger_rule="all_done"),
        other("webhook", "flinque_webhook", Step.ANSWERED, trigger_rule="all_done"),
        other("segment", "flodesk_segment", Step.BEFORE_RECEIPT, trigger_rule="all_done"),
    ]
    for task in rest[1:]:
        first >> task


chaos_matrix()
