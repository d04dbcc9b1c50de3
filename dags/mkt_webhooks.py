# Licensed under the Apache License, Version 2.0; see LICENSE.
"""### Have the vendors call this Airflow

Ensures once a day that Flinque and Flow Social tell of what two other example DAGs are started by:
`mkt_on_report_ready` and `mkt_on_post_blocked`. What is created here the receiver verifies; no secret has to be copied.

Set `receiver` to the address under which the vendors reach your API server: it ends with `/mkt/webhooks`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Param, dag

from airflow_provider_mkt.operators.flinque import FlinqueEnsureWebhookOperator
from airflow_provider_mkt.operators.flow_social import FlowSocialEnsureWebhookOperator


@dag(
    schedule="@daily",
    catchup=False,
    max_active_runs=1,
    tags=["marketing", "example"],
    doc_md=__doc__,
    params={
        "receiver": Param("https://airflow.example.com/mkt/webhooks", type="string", description="Your public address")
    },
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
)
def mkt_webhooks() -> None:
    FlinqueEnsureWebhookOperator(
        task_id="reports", url="{{ params.receiver }}/flinque_default", events=["report.ready"]
    )
    FlowSocialEnsureWebhookOperator(
        task_id="posts", url="{{ params.receiver }}/flow_social_default", events=["post.blocked", "post.failed"]
    )


mkt_webhooks()
