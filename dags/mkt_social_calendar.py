# Licensed under the Apache License, Version 2.0; see LICENSE.
"""### Schedule a content calendar

Every line of a CSV calendar (`dags/calendars/`) becomes a post at Flow Social, each by a mapped task of its own, each
once, after all of them were checked. Another task waits until all of them are delivered.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from airflow.sdk import Param, dag, get_current_context, task

from airflow_provider_mkt.operators import PreflightOperator
from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostOperator
from airflow_provider_mkt.sensors.flow_social import FlowSocialPostStatusSensor

CALENDARS = Path(__file__).parent / "calendars"


@dag(
    schedule=None,
    catchup=False,
    tags=["marketing", "example"],
    doc_md=__doc__,
    params={"calendar": Param("spring.csv", type="string", description="Calendar, in dags/calendars/ or a full path")},
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
)
def mkt_social_calendar() -> None:
    @task
    def read_calendar() -> list[dict[str, str]]:
        """Check the whole calendar before the first post is scheduled."""
        from airflow_provider_mkt.planning.calendar import read_calendar as read

        context = get_current_context()
        # Counted from the run's own date: a retry a day later means the same times.
        return read(CALENDARS / context["params"]["calendar"], context["dag_run"].run_after)

    calendar = read_calendar()
    preflight = PreflightOperator(task_id="preflight", posts=calendar)
    posts = FlowSocialSchedulePostOperator.partial(
        task_id="schedule_post", map_index_template="{{ task.channel_id }} {{ task.scheduled_for }}"
    ).expand_kwargs(calendar)
    preflight >> posts
    FlowSocialPostStatusSensor(
        task_id="wait_for_delivery",
        post_id=posts.output["post_id"],
        poke_interval=timedelta(minutes=5),
        timeout=timedelta(days=60),
    )


mkt_social_calendar()
