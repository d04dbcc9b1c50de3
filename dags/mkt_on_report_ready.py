# Licensed under the Apache License, Version 2.0; see LICENSE.
"""### File each report as soon as Flinque says that it is ready

Started by the webhook `report.ready` of the connection `flinque_default`: see the page about webhooks. Several
deliveries may start one run; the run files each of their reports, once.
"""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task

from airflow_provider_mkt.transfers.flinque import FlinqueReportToObjectStorageOperator
from airflow_provider_mkt.webhooks.assets import webhook_asset

EXPORTS = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "exports"


@dag(
    schedule=[webhook_asset("flinque_default", "report.ready")],
    tags=["marketing", "example"],
    doc_md=__doc__,
    params={"export_to": Param(str(EXPORTS), type="string", description="Where to: a folder, s3://my_conn@bucket/…")},
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
)
def mkt_on_report_ready() -> None:
    @task
    def reports(triggering_asset_events: Any = None) -> list[dict[str, str]]:
        """Return the reports that were told of, each once, with the file that each goes to."""
        payloads = [event.extra["payload"] for events in triggering_asset_events.values() for event in events]
        ids = dict.fromkeys(str(payload["data"]["id"]) for payload in payloads)
        folder = get_current_context()["params"]["export_to"]
        return [
            {"report_id": each, "path": f"{folder}/report-{re.sub('[^A-Za-z0-9_-]', '_', each)}.csv"} for each in ids
        ]

    FlinqueReportToObjectStorageOperator.partial(
        task_id="export_report", map_index_template="{{ task.report_id }}"
    ).expand_kwargs(reports())


mkt_on_report_ready()
