# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A launch from a brief, as a group of tasks. Steps that the brief does not have are skipped."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import TaskGroup, chain, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from airflow_provider_mkt import validation
from airflow_provider_mkt.operators.approving import checked_approval
from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostOperator
from airflow_provider_mkt.plan import steps as planned
from airflow_provider_mkt.plan.steps import CONNECTIONS, POSTS_TASK, STEPS
from airflow_provider_mkt.sensors.flinque import FlinqueReportReadySensor
from airflow_provider_mkt.sensors.flow_living import FlowLivingCampaignStatusSensor
from airflow_provider_mkt.sensors.flow_social import FlowSocialPostStatusSensor
from airflow_provider_mkt.task_groups.approve_plan import ASKING, ApprovePlanOperator
from airflow_provider_mkt.transfers.flinque import FlinqueReportToObjectStorageOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


def launch(
    brief: str,
    *,
    folder: str | None = None,
    export_to: str | None = None,
    steps: Collection[str] = tuple(STEPS),
    approval: str | None = None,
    group_id: str = "launch",
    prefix_group_id: bool = True,
) -> TaskGroup:
    """Return the tasks of a launch: check the brief, plan it, ask all vendors, then do each of its steps once.

    A brief may be a campaign without posts, posts without a campaign, or an audience only: what it does not have is
    skipped. Retries, poll intervals and the like come from the DAG's ``default_args``.

    :param brief: path of the brief, local or anything ``ObjectStoragePath`` opens; may be a template
    :param folder: where a relative path begins; by default in the working folder
    :param export_to: folder for the report, local or like ``s3://my_conn@bucket/reports``; may be a template. None: the
        report is made and not exported
    :param steps: what there are tasks for: some of ``sync``, ``audience``, ``campaign``, ``posts`` and ``report``
    :param approval: ``required``: the task ``approve_plan`` asks a person once about all that would be sent, and what
        differs from that is not sent before it is approved by itself
    :param group_id: name of the group
    :param prefix_group_id: let the names of the tasks begin with that of the group
    :raises ValueError: when ``approval`` is something else
    :raises ValidationError: when ``steps`` names something else
    """
    wanted = validation.choices("steps", list(steps), STEPS)
    with TaskGroup(group_id, prefix_group_id=prefix_group_id) as group:
        read: Any = read_brief(brief, folder)
        preflight = planned.preflight(read, wanted)
        # By the preflight's parameters: the DAG's default_args may name other connections.
        connections = {name: getattr(preflight, name) for name in CONNECTIONS}
        found: dict[str, list[Any]] = {"plan": [plan_launch(read, list(wanted), connections)], "preflight": [preflight]}
        if checked_approval(approval):
            asking: Any = ApprovePlanOperator(task_id=ASKING, read=read, steps=list(wanted), connections=connections)
            found["approval"] = [asking]
        for step in (step for step in STEPS if step in wanted):
            skip = partial(_skip_without, STEPS[step], read.operator.task_id)
            found[step] = _TASKS[step](read, skip, {"approval": approval})
        if export_to is not None and "report" in wanted:
            found["report"].append(_export(found["report"][0], export_to, read.operator.task_id))
        chain(*(each for tasks in found.values() for each in tasks))
    return group


@task(multiple_outputs=True)
def read_brief(path: str, folder: str | None) -> dict[str, Any]:
    """Check the brief, before anything is asked of anyone."""
    from airflow.sdk import ObjectStoragePath

    from airflow_provider_mkt.planning.brief import read_brief as read

    # Counted from the run's own date: a retry a day later means the same times.
    beside = path if folder is None or "://" in path else ObjectStoragePath(folder) / path
    return planned.fields_of(read(beside, get_current_context()["dag_run"].run_after))


@task
def plan_launch(read: dict[str, Any], steps: list[str], connections: dict[str, str]) -> dict[str, Any]:
    """Say what the launch will send, when, and for how much, before any vendor is asked. It sends nothing.

    What is wrong with it is said here and told by the preflight, together with what the vendors say.
    """
    from airflow_provider_mkt.plan.caps import cap_findings
    from airflow_provider_mkt.plan.comparison import doubts_of
    from airflow_provider_mkt.plan.plan import plan_of, tasks_of
    from airflow_provider_mkt.plan.requests import Place
    from airflow_provider_mkt.plan.words import lines_of, outcome
    from airflow_provider_mkt.planning.times import zone
    from airflow_provider_mkt.submission.deployment import deployment

    ti = get_current_context()["ti"]
    place = Place(ti.dag_id, ti.run_id, deployment(), ti.task_id.removesuffix("plan_launch"))
    plan = plan_of(tasks_of(read, connections, tuple(steps), zone(read["timezone"])), place)
    refused, doubtful = cap_findings(plan)
    plan.problems += refused
    doubts = [*doubtful, *doubts_of(plan)]
    for line in lines_of(plan):
        log.info("%s", line)
    for line in [*plan.problems, *doubts]:
        log.warning("%s", line)
    return {**outcome(plan), "doubts": len(doubts)}


@task
def plan_posts(posts: list[dict[str, str]] | None) -> list[dict[str, str]]:
    """Hand the posts on one by one: tasks are mapped over a task's whole result, not over a part of it."""
    return posts or []


def _skip_without(name: str, task_id: str, context: Context) -> None:
    """Skip a task whose step the brief does not have."""
    if context["ti"].xcom_pull(task_ids=task_id, key=name) is None:
        raise AirflowSkipException(f"The brief has no {name}.")


Hook = Callable[["Context"], None]
Options = dict[str, Any]
"""What all steps that launch something are given."""
IF = "none_failed"
"""Trigger rule of all steps: the one before may have been skipped."""


def _sync(read: Any, skip: Hook, options: Options) -> list[Any]:
    return [planned.sync(read, trigger_rule=IF, pre_execute=skip, **options)]


def _audience(read: Any, skip: Hook, options: Options) -> list[Any]:
    return [planned.audience(read, trigger_rule=IF, pre_execute=skip, **options)]


def _campaign(read: Any, skip: Hook, options: Options) -> list[Any]:
    common: dict[str, Any] = {"trigger_rule": IF, "pre_execute": skip}
    validate = planned.campaign(read, task_id="validate_campaign", dry_run=True, **common)
    publish: Any = planned.campaign(read, wait_for_completion=False, **common, **options)
    live = FlowLivingCampaignStatusSensor(
        task_id="wait_until_live",
        campaign_tracking_id=publish.output["campaign_tracking_ids"],
        timeout=timedelta(hours=24),
        trigger_rule=IF,
        pre_execute=skip,
    )
    return [validate, publish, live]


def _posts(read: Any, skip: Hook, options: Options) -> list[Any]:
    # Without posts there is nothing to map over, which Airflow skips.
    posts: Any = FlowSocialSchedulePostOperator.partial(
        task_id=POSTS_TASK,
        trigger_rule=IF,
        map_index_template="{{ task.channel_id }} {{ task.scheduled_for }}",
        **options,
    ).expand_kwargs(plan_posts(read["posts"]))
    delivered = FlowSocialPostStatusSensor(
        task_id="wait_for_delivery",
        post_id=posts.output["post_id"],
        timeout=timedelta(days=30),
        trigger_rule=IF,
        pre_execute=skip,
    )
    return [posts, delivered]


def _report(read: Any, skip: Hook, options: Options) -> list[Any]:
    report: Any = planned.report(read, wait_for_completion=False, trigger_rule=IF, pre_execute=skip, **options)
    ready = FlinqueReportReadySensor(
        task_id="wait_for_report",
        report_id=report.output["report_id"],
        timeout=timedelta(hours=2),
        trigger_rule=IF,
        pre_execute=skip,
    )
    return [report, ready]


def _export(report: Any, export_to: str, read_id: str) -> Any:
    return FlinqueReportToObjectStorageOperator(
        task_id="export_report",
        report_id=report.output["report_id"],
        path=f"{export_to}/{{{{ ti.xcom_pull(task_ids='{report.task_id}', key='report_id') }}}}.csv",
        trigger_rule=IF,
        pre_execute=partial(_skip_without, STEPS["report"], read_id),
    )


_TASKS: dict[str, Callable[[Any, Hook, Options], list[Any]]] = {
    "sync": _sync,
    "audience": _audience,
    "campaign": _campaign,
    "posts": _posts,
    "report": _report,
}
