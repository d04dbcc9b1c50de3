# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The launches of ``chaos_soak`` as they are written without this provider: an HttpOperator with two retries."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from airflow.providers.http.operators.http import HttpOperator
from airflow.sdk import dag, get_current_context, task

from tests.chaos import mix
from tests.chaos.luck import strike

ROUTES = {
    "flow_living": "campaigns/publish?clientId=sandbox-organisation",
    "flow_social": "posts",
    "flinque": "reports/generate",
    "flokit": "integrations/int_adjust/sync",
}


@dag(schedule=None, max_active_tasks=mix.AT_ONCE, default_args={"retries": 2, "retry_delay": timedelta(seconds=1)})
def plain_soak() -> None:
    @task
    def plan(vendor: str) -> list[dict[str, Any]]:
        launches = get_current_context()["dag_run"].conf["launches"]
        return [{"data": json.dumps(body)} for body in mix.bodies(vendor, launches)]

    for vendor, route in ROUTES.items():
        HttpOperator.partial(
            task_id=vendor,
            http_conn_id=f"plain_{vendor}",
            endpoint=route,
            method="POST",
            headers={"Content-Type": "application/json"},
            deferrable=False,
            pre_execute=strike,
            max_active_tis_per_dagrun=1 if vendor == "flokit" else None,
        ).expand_kwargs(plan.override(task_id=f"plan_{vendor}")(vendor))


plain_soak()
