# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Every sensor and every waiting operator ends alike, wherever it waits: state, XCom, and what the log says of vendors.

Each mode is one run of one DAG through Airflow's own task runner, on a clock that waiting moves. ``triggerer`` begins
there (``start_from_trigger``); ``dag.test`` is Airflow's ``dag.test()`` of the deferrable DAG, in which no trigger
times out. Operators have no reschedule mode: they wait on the worker there. What ``on_kill`` does is in
test_stopping.py of operators and triggers.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator

from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.hooks.flokit import FlokitHook
from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.operators.flinque import FlinqueCreateCampaignOperator, FlinqueGenerateReportOperator
from airflow_provider_mkt.operators.flokit import FlokitTriggerSyncOperator
from airflow_provider_mkt.operators.flow_living import FlowLivingPublishCampaignOperator
from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostOperator, FlowSocialSchedulePostsOperator
from airflow_provider_mkt.operators.waiting import WaitingOperator
from airflow_provider_mkt.sensors.base import WatchSensor
from airflow_provider_mkt.sensors.flinque import FlinqueCampaignStatusSensor, FlinqueReportReadySensor
from airflow_provider_mkt.sensors.flodesk import FlodeskSegmentSizeSensor, FlodeskSubscriberStatusSensor
from airflow_provider_mkt.sensors.flokit import FlokitIntegrationSyncSensor
from airflow_provider_mkt.sensors.flow_living import FlowLivingCampaignStatusSensor
from airflow_provider_mkt.sensors.flow_social import FlowSocialPostStatusSensor
from airflow_provider_mkt.testing.runs import DagRunner
from airflow_provider_mkt.transfers.flow_social import SqlToFlowSocialPostsOperator
from airflow_provider_mkt.vendors import VENDORS
from tests.vendors import task_classes

pytestmark = pytest.mark.proof

MODES = ("poke", "reschedule", "deferrable", "triggerer", "dag.test")
NEVER = "2999-01-01T00:00:00+00:00"
WAIT = {"wait_for_completion": True}
POST = {"channel_id": "channel_1", "content": "Open house on Sunday", **WAIT}
IN_VAIN = {"FloKit integration int_stripe: connected", "Flow Social post post_#: queued"}
"""What is said of what never comes."""
DECLARED = [each for vendor in VENDORS for each in task_classes(vendor).items()]
SAYS = "airflow_provider_mkt.waiting.base"
"""The logger of what is seen at the vendors."""


@dataclass(frozen=True)
class Row:
    """A task and how it ends.

    :param given: its parameters; a callable is asked before the run, while the vendors are as new
    :param state: that it ends with
    :param returned: part of what it returns
    :param endless: it is waited for in vain, which ``dag.test()`` does for ever
    :param private: it cannot begin in the triggerer
    """

    kind: Any
    given: Mapping[str, Any]
    state: str = "success"
    returned: Mapping[str, Any] = field(default_factory=dict)
    endless: bool = False
    private: bool = False

    def task(self, name: str, mode: str, known: dict[str, Any]) -> Any:
        given = {key: known[name][key] if callable(value) else value for key, value in self.given.items()}
        deferrable = mode not in ("poke", "reschedule")
        if not issubclass(self.kind, WatchSensor):
            return self.kind(task_id=name, deferrable=deferrable, poll_interval=60.0, **given)
        begins = {"start_from_trigger": True} if mode == "triggerer" and not self.private else {}
        modes = {"deferrable": deferrable, "mode": "poke" if deferrable else mode, **begins}
        return self.kind(task_id=name, poke_interval=60, **{"timeout": 7200, **modes, **given})


def campaign() -> list[str]:
    found = FlowLivingHook().publish_campaign("facebookv2", ["listing_1001"], "branch_harbour")
    return list(found["campaign_tracking_ids"])


def post() -> str:
    return str(FlowSocialHook().create_post({"channelId": "channel_1", "content": "a"})["id"])


def report() -> str:
    return str(FlinqueHook().generate_report({"type": "campaign", "campaign_id": "ca_1"})["id"])


def sync() -> str:
    FlokitHook().trigger_sync("int_adjust")
    return "int_adjust"


ROW = "SELECT 'channel_1' AS channel_id, 'e' AS content"
LOST: dict[str, Any] = {"campaign_id": "ca_99"}
ERROR: dict[str, Any] = {"integration_id": "int_google_play"}
STUCK: dict[str, Any] = {"integration_id": "int_stripe", "since": NEVER, "timeout": 300}
LAUNCH = {"plan_ref": "facebookv2", "listing_external_ids": ["listing_1001"], "branch_id": "branch_harbour"}
ROWS: dict[str, Row] = {
    # By the time that they take at the vendor, so that each is waited for.
    "a_post": Row(FlowSocialPostStatusSensor, {"post_id": post}),
    "b_sync": Row(
        FlokitIntegrationSyncSensor, {"integration_id": sync, "since": "2026-01-01"}, returned={"id": "int_adjust"}
    ),
    "c_report": Row(FlinqueReportReadySensor, {"report_id": report}, returned={"status": "ready"}),
    "d_campaign": Row(FlowLivingCampaignStatusSensor, {"campaign_tracking_id": campaign}),
    "e_live": Row(FlinqueCampaignStatusSensor, {"campaign_id": "ca_1"}, returned={"status": "active"}),
    "f_segment": Row(
        FlodeskSegmentSizeSensor, {"segment_id": "seg_news", "minimum": 2}, returned={"segment_id": "seg_news"}
    ),
    "g_subscriber": Row(
        FlodeskSubscriberStatusSensor, {"id_or_email": "ada@example.com"}, returned={"status": "active"}, private=True
    ),
    "h_failed": Row(FlokitIntegrationSyncSensor, ERROR, "failed"),
    "h_failed_soft": Row(FlokitIntegrationSyncSensor, {**ERROR, "soft_fail": True}, "skipped"),
    "h_failed_never": Row(FlokitIntegrationSyncSensor, {**ERROR, "never_fail": True}, "skipped"),
    "i_lost": Row(FlinqueCampaignStatusSensor, LOST, "failed"),
    "i_lost_soft": Row(FlinqueCampaignStatusSensor, {**LOST, "soft_fail": True}, "failed"),
    "i_lost_never": Row(FlinqueCampaignStatusSensor, {**LOST, "never_fail": True}, "skipped"),
    "j_late": Row(FlokitIntegrationSyncSensor, STUCK, "failed", endless=True),
    "j_late_soft": Row(FlokitIntegrationSyncSensor, {**STUCK, "soft_fail": True}, "skipped", endless=True),
    "j_late_never": Row(FlokitIntegrationSyncSensor, {**STUCK, "never_fail": True}, "failed", endless=True),
    "o_campaign": Row(FlowLivingPublishCampaignOperator, LAUNCH, returned={"status": "published"}),
    "o_create": Row(
        FlinqueCreateCampaignOperator, {"campaign": {"name": "Spring", "status": "active"}, "wait_for_completion": True}
    ),
    "o_post": Row(FlowSocialSchedulePostOperator, POST, returned={"status": "done"}),
    "o_posts": Row(
        FlowSocialSchedulePostsOperator,
        {"posts": [{"channel_id": "channel_1", "content": "b"}], **WAIT},
    ),
    "o_report": Row(FlinqueGenerateReportOperator, {"report": {"type": "campaign", "campaign_id": "ca_1"}}),
    "o_sync": Row(FlokitTriggerSyncOperator, {"integration_id": "int_adjust"}),
    "o_sql": Row(SqlToFlowSocialPostsOperator, {"sql": ROW, "sql_conn_id": "plan", **WAIT}),
    "p_late": Row(
        FlowSocialSchedulePostOperator,
        {**POST, "content": "c", "scheduled_for": "2099-06-08T09:00:00Z", "wait_timeout": 300.0},
        "failed",
        endless=True,
    ),
    "p_late_stop": Row(
        FlowSocialSchedulePostOperator,
        {**POST, "content": "d", "scheduled_for": "2099-06-08T09:00:00Z", "wait_timeout": 300.0, "on_timeout": "stop"},
        "failed",
        endless=True,
    ),
}


@dataclass
class Seen:
    """What came of a run: states, what was returned and said, without what differs from run to run."""

    states: dict[str, str]
    values: dict[str, str]
    said: set[str]


SEEN: dict[str, Seen] = {}
"""By mode. All tests of a file run in one process."""


def even(text: str) -> str:
    """Return a text without ids and numbers."""
    return re.sub(r"\d+(\.\d+)?", "#", text)


class Keep(logging.Handler):
    """Keeps what the log says of the vendors. A poll that fails on a worker is told by the task's error instead."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        if not (line := record.getMessage()).startswith("The poll failed"):
            self.lines.add(even(line))


@pytest.fixture
def said() -> Iterator[set[str]]:
    """What the log says of the vendors."""
    logger, handler = logging.getLogger(SAYS), Keep()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler.lines
    logger.removeHandler(handler)
    logger.setLevel(level)


def rows(mode: str) -> dict[str, Row]:
    return {name: row for name, row in ROWS.items() if not (row.endless and mode == "dag.test")}


def declared(mode: str) -> DAG:
    known = {name: {key: value() for key, value in row.given.items() if callable(value)} for name, row in ROWS.items()}
    with DAG("parity", schedule=None) as dag:
        tasks = {name: row.task(name, mode, known) for name, row in rows(mode).items()}
        # An integration that is syncing is not synced again before it has ended.
        tasks["b_sync"] >> tasks["o_sync"]
    return dag


def airflows_own_test(dag: DAG) -> tuple[dict[str, str], dict[str, Any]]:
    """Run ``dag.test()``; return states and what was returned."""
    from airflow import settings

    from airflow_provider_mkt.testing.parsed import register
    from airflow_provider_mkt.testing.results import _values

    session: Any = settings.Session()  # type: ignore[misc]
    register(dag, session)
    run: Any = dag.test()
    states = {each.task_id: str(each.state) for each in run.get_task_instances(session=session)}
    return states, {name: value for (name, key), value in _values(run, session).items() if key == "return_value"}


@pytest.mark.parametrize("mode", MODES)
def test_it_ends_as_the_table_says(
    mode: str, mkt_run_dag: DagRunner, said: set[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PLAN", json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "plan.db")}))
    dag = declared(mode)
    if mode == "dag.test":
        states, values = airflows_own_test(dag)
    else:
        result = mkt_run_dag(dag)
        states = dict(result.states)
        values = {name: result.xcom(name) for name, state in states.items() if state == "success"}
    SEEN[mode] = Seen(states, {name: even(json.dumps(value, sort_keys=True)) for name, value in values.items()}, said)
    assert states == {name: row.state for name, row in rows(mode).items()}
    for name, row in rows(mode).items():
        assert {key: values[name][key] for key in row.returned} == row.returned, name


@pytest.mark.parametrize("mode", MODES[1:])
def test_it_ends_as_when_poking(mode: str) -> None:
    if not {"poke", mode} <= SEEN.keys():
        pytest.skip("the runs that are compared were not asked for")
    poked, seen = SEEN["poke"], SEEN[mode]
    assert seen.states == {name: poked.states[name] for name in seen.states}
    assert seen.values == poked.values
    waited_in_vain = IN_VAIN if mode == "dag.test" else set()
    assert seen.said | waited_in_vain == poked.said


def test_every_sensor_and_every_waiting_operator_is_in_the_table() -> None:
    there = {cls for _, cls in DECLARED if issubclass(cls, (WatchSensor, WaitingOperator))}
    assert {row.kind for row in ROWS.values()} >= there


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if issubclass(row.kind, WatchSensor)])
def test_a_sensor_leaves_the_vendor_alone_when_it_is_killed(name: str) -> None:
    """It has started nothing. Operators stop what they have started: test_stopping.py."""
    kind = ROWS[name].kind
    assert kind.on_kill is BaseOperator.on_kill
