# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What webhooks start, and what they wake."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_mkt.sensors.flokit import FlokitIntegrationSyncSensor
from airflow_provider_mkt.webhooks.assets import webhook_asset

for dag_id, conn_id, event in (
    ("on_report_ready", "flinque_default", "report.ready"),
    ("on_subscriber", "flodesk_default", "subscriber.created"),
):
    with DAG(dag_id, schedule=[webhook_asset(conn_id, event)]):

        @task
        def note(triggering_asset_events: Any = None) -> list[Any]:
            """Return what the events hold."""
            return [event.extra for events in triggering_asset_events.values() for event in events]

        note()

with DAG("woken", schedule=None):
    # Without a delivery it would look once in ten minutes.
    FlokitIntegrationSyncSensor(
        task_id="wait", integration_id="int_adjust", since="{{ dag_run.conf['since'] }}", poke_interval=600
    )
