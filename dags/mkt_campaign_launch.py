# Licensed under the Apache License, Version 2.0; see LICENSE.
"""### Launch a property campaign from a brief

Asks first whether every step can be done, and begins nothing if one cannot. Then syncs the attribution data, brings
the audience up to date, has the campaign validated and published, schedules its posts, waits until all of it is live,
and files the report. A marketing manager writes the brief (`dags/briefs/`); everything else is done here, once, however
often a task is retried. What a brief does not have, such as posts or a report, is skipped.

Point the five connections `flow_living_default`, `flow_social_default`, `flodesk_default`, `flokit_default` and
`flinque_default` at the vendors or at the sandbox; nothing else differs.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from airflow.sdk import Param, dag

from airflow_provider_mkt.task_groups import launch

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
    launch(
        "{{ params.brief }}",
        folder=str(HERE / "briefs"),
        export_to="{{ params.export_to }}",
        prefix_group_id=False,
    )


mkt_campaign_launch()
