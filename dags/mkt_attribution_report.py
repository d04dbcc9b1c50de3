# Licensed under the Apache License, Version 2.0; see LICENSE.
"""### File yesterday's attribution report

Every day: has Flinque generate the report for the data interval, waits for it, files it, and logs the revenue credited
to creators in the same interval.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, Param, dag, get_current_context, task

from airflow_provider_mkt.operators.flinque import FlinqueGenerateReportOperator
from airflow_provider_mkt.sensors.flinque import FlinqueReportReadySensor
from airflow_provider_mkt.transfers.flinque import FlinqueReportToObjectStorageOperator

EXPORTS = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "exports"


@dag(
    # A plain "@daily" has no data interval in Airflow 3: the report is about the day that has just ended.
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["marketing", "example"],
    doc_md=__doc__,
    params={"export_to": Param(str(EXPORTS), type="string", description="Where to: a folder, s3://my_conn@bucket/…")},
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
)
def mkt_attribution_report() -> None:
    report = FlinqueGenerateReportOperator(
        task_id="generate_report",
        report={
            "type": "dashboard",
            "name": "attribution {{ data_interval_start | ds }}",
            "from": "{{ data_interval_start.isoformat() }}",
            "to": "{{ data_interval_end.isoformat() }}",
        },
        wait_for_completion=False,
    )
    ready = FlinqueReportReadySensor(
        task_id="wait_for_report",
        report_id=report.output["report_id"],
        poke_interval=timedelta(seconds=30),
        exponential_backoff=True,
        max_wait=timedelta(minutes=5),
        timeout=timedelta(hours=4),
    )

    export = FlinqueReportToObjectStorageOperator(
        task_id="export_report",
        report_id=report.output["report_id"],
        path="{{ params.export_to }}/attribution-{{ data_interval_start | ds }}.csv",
    )

    @task
    def log_revenue() -> dict[str, Any]:
        """Read the interval's revenue; the amounts are decimal text, never floats."""
        from airflow_provider_mkt.hooks.flinque import FlinqueHook

        context = get_current_context()
        start, end = context["data_interval_start"].isoformat(), context["data_interval_end"].isoformat()
        revenue = FlinqueHook().get_attribution_revenue(start=start, end=end)
        print(f"{revenue.get('orders')} orders, {revenue.get('total')} {revenue.get('currency')}")  # noqa: T201
        return revenue

    ready >> export
    log_revenue()


mkt_attribution_report()
