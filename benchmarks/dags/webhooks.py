# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a webhook starts, and a task that waits for the same thing."""

from __future__ import annotations

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from airflow_provider_mkt.sensors.flinque import FlinqueReportReadySensor
from airflow_provider_mkt.webhooks.assets import webhook_asset

with DAG("started", schedule=[webhook_asset("flinque_default", "report.ready")], max_active_runs=100):
    EmptyOperator(task_id="nothing")

with DAG("waiting", schedule=None, max_active_runs=100):
    FlinqueReportReadySensor(task_id="wait", report_id="{{ dag_run.conf['report_id'] }}")
