# Licensed under the Apache License, Version 2.0; see LICENSE.
"""### Launch a property campaign from a brief

Asks first whether every step can be done, and begins nothing if one cannot. Then syncs the attribution data, brings
the audience up to date, has the campaign validated and published, schedules its posts, waits until all of it is live,
and files the report. A marketing manager writes the brief (`dags/briefs/`); everything else is done here, once, however
often a task is retried.

Point the five connections `flow_living_default`, `flow_social_default`, `flodesk_default`, `flokit_default` and
`flinque_default` at the vendors or at the sandbox; nothing else differs.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task

from airflow_provider_mkt.operators import PreflightOperator
from airflow_provider_mkt.operators.flinque import FlinqueGenerateReportOperator
from airflow_provider_mkt.operators.flodesk import FlodeskUpsertSubscribersOperator
from airflow_provider_mkt.operators.flokit import FlokitTriggerSyncOperator
from airflow_provider_mkt.operators.flow_living import FlowLivingPublishCampaignOperator
from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostOperator
from airflow_provider_mkt.sensors.flinque import FlinqueReportReadySensor
from airflow_provider_mkt.sensors.flow_living import FlowLivingCampaignStatusSensor
from airflow_provider_mkt.sensors.flow_social import FlowSocialPostStatusSensor
from airflow_provider_mkt.transfers.flinque import FlinqueReportToObjectStorageOperator

HERE = Path(__file__).parent
EXPORTS = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "exports"


@dag(
    schedule=None,
    catchup=False,
    max_active_runs=1,
    tags=["marketing", "example"],
    doc_md=__doc__,
    params={
        "brief": Param("harbour_homes.yaml", type="string", description="Brief, in dags/briefs/ or a full path"),
        "export_to": Param(str(EXPORTS), type="string", description="Where to: a folder, s3://my_conn@bucket/…"),
    },
    default_args={
        "retries": 2,
        "retry_delay": timedelta(seconds=30),
        "poll_interval": 15,
        "poke_interval": 15,
        "exponential_backoff": True,
        "max_wait": timedelta(minutes=5),
    },
)
def mkt_campaign_launch() -> None:
    @task(multiple_outputs=True)
    def read_brief() -> dict[str, Any]:
        """Check the brief, before anything is asked of anyone."""
        from airflow_provider_mkt.planning.brief import read_brief as read

        context = get_current_context()
        # Counted from the run's own date: a retry a day later means the same times.
        return asdict(read(HERE / "briefs" / context["params"]["brief"], context["dag_run"].run_after))

    @task
    def plan_posts(posts: list[dict[str, str]]) -> list[dict[str, str]]:
        """Hand the posts on one by one: tasks are mapped over a task's whole result, not over a part of it."""
        return posts

    brief = read_brief()
    campaign: dict[str, Any] = {
        "plan_ref": brief["plan"],
        "listing_external_ids": brief["listings"],
        "branch_id": brief["branch"],
        "agent_external_id": brief["agent"],
        "campaign_start_date": brief["starts"],
        "campaign_end_date": brief["ends"],
        "budget_override": brief["budget"],
    }

    preflight = PreflightOperator(
        task_id="preflight",
        campaign=campaign,
        posts=brief["posts"],
        audience=brief["audience"],
        segment_ids=brief["segments"],
        integration_id=brief["integration"],
        report=brief["report"],
    )
    sync = FlokitTriggerSyncOperator(task_id="sync_attribution", integration_id=brief["integration"])
    audience = FlodeskUpsertSubscribersOperator(
        task_id="update_audience", path=brief["audience"], segment_ids=brief["segments"]
    )
    validate = FlowLivingPublishCampaignOperator(task_id="validate_campaign", dry_run=True, **campaign)
    publish = FlowLivingPublishCampaignOperator(task_id="publish_campaign", wait_for_completion=False, **campaign)
    live = FlowLivingCampaignStatusSensor(
        task_id="wait_until_live",
        campaign_tracking_id=publish.output["campaign_tracking_ids"],
        timeout=timedelta(hours=24),
    )
    posts = FlowSocialSchedulePostOperator.partial(task_id="schedule_posts").expand_kwargs(plan_posts(brief["posts"]))
    delivered = FlowSocialPostStatusSensor(
        task_id="wait_for_delivery", post_id=posts.output["post_id"], timeout=timedelta(days=30)
    )
    report = FlinqueGenerateReportOperator(task_id="generate_report", report=brief["report"], wait_for_completion=False)
    ready = FlinqueReportReadySensor(
        task_id="wait_for_report", report_id=report.output["report_id"], timeout=timedelta(hours=2)
    )

    export = FlinqueReportToObjectStorageOperator(
        task_id="export_report",
        report_id=report.output["report_id"],
        path="{{ params.export_to }}/{{ ti.xcom_pull(task_ids='generate_report', key='report_id') }}.csv",
    )

    preflight >> sync >> audience >> validate >> publish >> live >> posts >> delivered >> report
    ready >> export


mkt_campaign_launch()
