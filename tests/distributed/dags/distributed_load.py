# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Mapped tasks: campaigns as fast as the limit permits, posts that are waited for, and reads of several accounts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.operators.flow_living import FlowLivingPublishCampaignOperator
from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostOperator

DEFAULTS: dict[str, Any] = {"retries": 20, "retry_delay": timedelta(seconds=2)}

with DAG("distributed_campaigns", schedule=None, default_args=DEFAULTS, max_active_tasks=32):

    @task
    def listings(**context: Any) -> list[dict[str, Any]]:
        numbers = range(context["dag_run"].conf["launches"])
        return [{"listing_external_ids": [f"listing_{1001 + number % 10}"]} for number in numbers]

    FlowLivingPublishCampaignOperator.partial(
        task_id="publish",
        plan_ref="facebookv2",
        branch_id="branch_harbour",
        flow_living_conn_id="living_alone",
        wait_for_completion=False,
    ).expand_kwargs(listings())

with DAG("distributed_posts", schedule=None, default_args=DEFAULTS, max_active_tasks=32):

    @task
    def texts(**context: Any) -> list[dict[str, Any]]:
        run = context["dag_run"]
        return [{"content": f"Viewing {number} of {run.run_id}"} for number in range(run.conf["launches"])]

    FlowSocialSchedulePostOperator.partial(
        task_id="post",
        channel_id="channel_1",
        scheduled_for="{{ dag_run.run_after + macros.timedelta(seconds=dag_run.conf['due']) }}",
        wait_for_completion=True,
        poll_interval=2,
    ).expand_kwargs(texts())

with DAG("distributed_accounts", schedule=None, default_args=DEFAULTS, max_active_tasks=32):

    @task
    def accounts(**context: Any) -> list[dict[str, str]]:
        found: list[dict[str, str]] = context["dag_run"].conf["accounts"]
        return found

    @task
    def read(conn_id: str, creator: str) -> None:
        FlinqueHook(conn_id).get_creator(creator)

    read.expand_kwargs(accounts())
