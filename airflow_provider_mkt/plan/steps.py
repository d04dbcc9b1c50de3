# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The steps of a launch that send something, as operators. The task group runs them; a plan asks what they would send.

Both build them here, so that a plan cannot differ from the launch. ``read`` holds what :func:`fields_of` returns: the
values themselves for a plan, and references to the task that read the brief for a launch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.operators import PreflightOperator
from airflow_provider_mkt.operators.flinque import FlinqueGenerateReportOperator
from airflow_provider_mkt.operators.flodesk import FlodeskUpsertSubscribersOperator
from airflow_provider_mkt.operators.flokit import FlokitTriggerSyncOperator
from airflow_provider_mkt.operators.flow_living import CAMPAIGN, FlowLivingPublishCampaignOperator
from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostOperator

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow_provider_mkt.planning.brief import Brief

STEPS = {"sync": "integration", "audience": "audience", "campaign": "campaign", "posts": "posts", "report": "report"}
"""The steps in their order, with what the brief has when it has them."""
CONNECTIONS = ("flow_living_conn_id", "flow_social_conn_id", "flodesk_conn_id", "flokit_conn_id", "flinque_conn_id")
"""Parameters of the operators, and of the preflight, that name connections."""
POSTS_TASK = "schedule_posts"
"""Task that is mapped over the posts of a brief."""


def fields_of(brief: Brief) -> dict[str, Any]:
    """Return what the steps are built from. It is JSON: one task hands it to the others.

    :param brief: the checked brief
    """
    from dataclasses import asdict

    campaign = {
        "plan_ref": brief.plan,
        "listing_external_ids": brief.listings,
        "branch_id": brief.branch,
        "agent_external_id": brief.agent,
        "campaign_start_date": brief.starts,
        "campaign_end_date": brief.ends,
        "budget_override": brief.budget,
    }
    own = {"campaign": campaign if brief.listings else None, "posts": brief.posts or None}
    return {**asdict(brief), **campaign, **own}


def preflight(read: Any, wanted: Collection[str], **options: Any) -> PreflightOperator:
    """Return what asks the vendors before the first step.

    :param read: as :func:`fields_of` returns it
    :param wanted: the steps that there are tasks for
    :param options: for the operator
    """
    asked: dict[str, dict[str, str]] = {
        "sync": {"integration_id": "integration"},
        "audience": {"audience": "audience", "segment_ids": "segments"},
        "campaign": {"campaign": "campaign"},
        "posts": {"posts": "posts"},
        "report": {"report": "report"},
    }
    parameters: dict[str, Any] = {name: read[field] for step in wanted for name, field in asked[step].items()}
    return PreflightOperator(**{"task_id": "preflight", **parameters, **options})


def sync(read: Any, **options: Any) -> FlokitTriggerSyncOperator:
    """Return what brings the attribution data up to date."""
    return FlokitTriggerSyncOperator(task_id="sync_attribution", integration_id=read["integration"], **options)


def audience(read: Any, **options: Any) -> FlodeskUpsertSubscribersOperator:
    """Return what takes people in and puts them into segments."""
    return FlodeskUpsertSubscribersOperator(
        task_id="update_audience", path=read["audience"], segment_ids=read["segments"], **options
    )


def campaign(read: Any, **options: Any) -> FlowLivingPublishCampaignOperator:
    """Return what publishes the campaign; with ``task_id`` and ``dry_run``, what has it validated only."""
    named: dict[str, Any] = {name: read[name] for name in CAMPAIGN}
    return FlowLivingPublishCampaignOperator(**{"task_id": "publish_campaign", **named, **options})


def report(read: Any, **options: Any) -> FlinqueGenerateReportOperator:
    """Return what has the report generated."""
    return FlinqueGenerateReportOperator(task_id="generate_report", report=read["report"], **options)


def post(read: Any, **options: Any) -> FlowSocialSchedulePostOperator:
    """Return what schedules one post.

    :param read: keyword arguments of the operator, as the brief or the calendar has them
    """
    return FlowSocialSchedulePostOperator(**{"task_id": POSTS_TASK, **read, **options})


AFTERWARDS = {
    "campaign": "after publish_campaign: poll its tracking ids until the campaign is live",
    "posts": "after schedule_posts: poll the posts until they are delivered",
    "report": "after generate_report: poll the report until it is ready, then export it",
}
"""What follows a step and has no effect at the vendor; it needs the ids of the step's answer."""
