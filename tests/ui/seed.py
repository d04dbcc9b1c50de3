# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Launches of a spring campaign, in a register and in Airflow's database, as people meet them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime, timedelta, timezone

from airflow_provider_mkt.state.budgets.shared import SharedBudget
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.inbox import Delivery, Inbox
from airflow_provider_mkt.state.launches.approvals import APPROVED, Approvals, Asked
from airflow_provider_mkt.state.launches.launch import (
    ACCEPTED,
    DONE,
    FAILED,
    HELD,
    LEAVING,
    REFUSED,
    STOPPED,
    UNKNOWN,
    Launch,
)
from airflow_provider_mkt.submission.record import INTENT, Record
from airflow_provider_mkt.vendors.flow_social import VENDOR
from tests.unit.pages.conftest import asks, kept_run, launch, put

THEN = datetime.now(timezone.utc).replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(days=1)
"""Yesterday, at nine: all of it has happened, and vendors have had their time."""
LIMITS = VENDOR.limits
VENDORS = {
    "Flow Social": ("flow_social/a", "flow_social_default", "mkt_social_calendar", "schedule_posts"),
    "Flow Living": ("flow_living/b", "flow_living_default", "mkt_campaign_launch", "publish_ads"),
    "Flinque": ("flinque/c", "flinque_default", "mkt_campaign_launch", "influencer_campaign"),
    "Flodesk": ("flodesk/d", "flodesk_default", "mkt_campaign_launch", "upsert_audience"),
    "Flokit": ("flokit/e", "flokit_default", "mkt_attribution_report", "sync_orders"),
}
PLAN: tuple[tuple[str, str, str, float | None, float], ...] = (
    ("Flow Social", "post: Spring in Harbour Homes, twitter and linkedin", UNKNOWN, None, 26),
    ("Flow Living", "campaign for 3 homes on facebookv2", HELD, 1450.5, 0),
    ("Flinque", "campaign with 12 creators: Harbour Homes open day", LEAVING, 3200.0, 0),
    ("Flow Social", "post: Open day on Saturday, doors at ten", ACCEPTED, None, 50),
    ("Flow Social", "post: Open day on Saturday, the tour", ACCEPTED, None, 50.1),
    ("Flow Living", "campaign for 8 homes on googlev1", ACCEPTED, 900.0, 74),
    ("Flodesk", "412 subscribers to segment Harbour", DONE, None, 0),
    ("Flokit", "sync of integration int_adjust", DONE, None, 0),
    ("Flinque", "report: attribution of week 22", DONE, None, 0),
    ("Flow Living", "campaign for 1 home on facebookv2", REFUSED, 2500.0, 0),
    ("Flow Social", "post: Rooms with a view", STOPPED, None, -20),
    ("Flow Social", "post: Five minutes to the sea", DONE, None, -44),
    ("Flinque", "campaign with 4 creators: garden flats", FAILED, 600.0, 0),
    ("Flow Living", "campaign for 2 homes on facebookv2", DONE, 300.0, -70),
)


WAITING = launch(
    99,
    dag_id="mkt_social_calendar",
    run_id="manual__harbour",
    task_id="schedule_posts",
    map_index=0,
    what="post: Last homes at the harbour",
    amount=250_000,
    currency="GBP",
    triggered_by="ben",
)


def launches() -> list[Launch]:
    """Return the launches: vendor, what, how it stands, how much, and in how many hours it goes live."""
    made, now = [], datetime.now(timezone.utc).timestamp()
    for number, (vendor, what, state, amount, hours) in enumerate(PLAN):
        account, conn_id, dag_id, task_id = VENDORS[vendor]
        begun = (THEN - timedelta(minutes=37 * number)).timestamp()
        live = (THEN + timedelta(hours=hours)).isoformat().replace("+00:00", "Z") if hours else ""
        made.append(
            launch(
                number + 1,
                vendor=vendor,
                account=account,
                conn_id=conn_id,
                dag_id=dag_id,
                run_id=f"manual__spring_{number // 4}",
                task_id=task_id,
                map_index=number if task_id == "schedule_posts" else -1,
                what=what,
                state=state,
                channel="ch_harbour" if vendor == "Flow Social" else "",
                amount=None if amount is None else round(amount * 1000),
                currency="GBP" if amount else "",
                goes_live=live,
                reference=f"spring-{number:04d}",
                triggered_by=("ana", "ben", "")[number % 3],
                vendor_ids='{"id": "post_8f2c"}' if state in (ACCEPTED, DONE) else "",
                begun_at=begun,
                changed_at=begun + 40,
                counted_at=now if state in (ACCEPTED, DONE, UNKNOWN, LEAVING) else None,
            )
        )
    return made


def record(of: Launch) -> Record:
    """Return the record of a launch whose answer was lost."""
    return Record(
        key=of.launch,
        generation=1,
        state=INTENT,
        fingerprint="f",
        body={
            "channelId": "ch_harbour",
            "content": "Spring in Harbour Homes. Questions: hello@example.com",
            "scheduledFor": of.goes_live,
            "mediaKeys": ["media_41", "media_42"],
        },
        reference=of.reference,
        id_field="id",
        intent_at=of.begun_at - 2,
        clear_count=0,
        sent=True,
        sent_at=of.begun_at,
        doubtful=True,
        doubt_at=of.begun_at + 31,
        try_number=1,
        conn_id=of.conn_id,
        deployment=of.deployment,
        vendor=of.vendor,
        evidence=["GET /posts, 2 of 2 pages: no post with this content is scheduled for that time"],
        version=2,
    )


def asked(of: Launch) -> Asked:
    """Return what a person is asked about a post, before it is scheduled."""
    body = {"channelId": "ch_harbour", "content": of.what.removeprefix("post: "), "boost": (of.amount or 0) / 1000}
    request = {"method": "POST", "url": "https://api.flowsocial.app/v1/posts", "body": body}
    return Asked(of, "5f" * 32 if of is WAITING else "4e" * 32, json.dumps(request))


@contextmanager
def seed(store: Store) -> Iterator[None]:
    """Write it all; Airflow keeps the first launch's run, and a task that waits for a yes, until the block ends."""
    made = launches()
    put(store, *made)
    budgets = SharedBudget(("flow_social", "https://api.flowsocial.app/v1", "key"), LIMITS, get_store=lambda: store)
    for _ in range(22):
        budgets.reserve(("default", "post_creation"))
    Inbox(lambda: store).add(
        [
            Delivery("a", "flow_social_default", event, "", f"evt_{at}", {"event": event, "data": {"post_id": "p_1"}})
            for at, event in enumerate(("post.delivered", "post.failed", "post.delivered", "post.created"))
        ]
    )
    write_dag(made[0])
    with (
        kept_run(made[0], "failed", n0=asdict(record(made[0]))),
        kept_run(WAITING, "awaiting_input"),
    ):
        former = replace(WAITING, run_id="manual__quay", amount=200_000)
        Approvals().answer(Approvals().ask([asked(former)], "4e" * 32), APPROVED, "ana", "as agreed", "a test")
        asks([asked(WAITING)])
        yield


def write_dag(of: Launch) -> None:
    """Have Airflow know the DAG of a launch."""
    from airflow.dag_processing.collection import update_dag_parsing_results_in_db
    from airflow.models.dagbundle import DagBundleModel
    from airflow.sdk import DAG, task
    from airflow.serialization.serialized_objects import LazyDeserializedDAG
    from airflow.utils.session import create_session

    with DAG(of.dag_id, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)) as dag:
        task(lambda number: number, task_id=of.task_id).expand(number=[1, 2])
    dag.fileloc = dag.relative_fileloc = "spring.py"
    lazy = LazyDeserializedDAG.from_dag(dag)
    with create_session() as session:
        session.merge(DagBundleModel(name="ui"))
        session.flush()
        update_dag_parsing_results_in_db("ui", None, [lazy], {}, None, set(), session)
