# Licensed under the Apache License, Version 2.0; see LICENSE.
"""### Tell a person of posts that did not go out

Started by the webhooks `post.blocked` and `post.failed` of the connection `flow_social_default`: see the page about
webhooks. A delivery is a hint, so Flow Social is asked for each post; the task fails when one has really not gone out.
Give it an `on_failure_callback` with any notifier (Slack, e-mail), and that person is told at once.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import AssetAny, dag, task
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_mkt.vendors import flow_social
from airflow_provider_mkt.webhooks.assets import webhook_asset

CONNECTION = "flow_social_default"


@dag(
    schedule=AssetAny(webhook_asset(CONNECTION, "post.blocked"), webhook_asset(CONNECTION, "post.failed")),
    tags=["marketing", "example"],
    doc_md=__doc__,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
)
def mkt_on_post_blocked() -> None:
    @task
    def look_at_posts(triggering_asset_events: Any = None) -> list[str]:
        """Ask Flow Social for the posts that were told of, and fail when one did not go out."""
        from airflow_provider_mkt.hooks.flow_social import FlowSocialHook

        payloads = [event.extra["payload"] for events in triggering_asset_events.values() for event in events]
        ids = dict.fromkeys(str(payload["data"]["post_id"]) for payload in payloads)
        hook = FlowSocialHook(CONNECTION)
        statuses = {each: str(hook.get_post(each)["status"]) for each in ids}
        missed = [f"{each} is {status}" for each, status in statuses.items() if status in flow_social.FAILED]
        if missed:
            raise AirflowFailException(f"Posts did not go out: {', '.join(missed)}. Look at them in Flow Social.")
        return list(statuses)

    look_at_posts()


mkt_on_post_blocked()
