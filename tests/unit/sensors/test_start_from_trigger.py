# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Sensors that begin in the triggerer: through the scheduler's, the triggerer's and the worker's own code.

| What could go wrong | What holds |
| --- | --- |
| a template, another task's output, a map | refused with the field's name; Airflow would hand the template on as text |
| a personal value | refused: what Airflow starts a trigger with is stored with the DAG |
| Airflow loses a field on the way to the trigger | the trigger waits for what the sensor would wait for |
| it is not asked for | a worker begins, as ever |
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.executors.workloads.task import TaskInstanceDTO
from airflow.executors.workloads.trigger import RunTrigger
from airflow.jobs.triggerer_job_runner import TriggerRunner
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import handle_event_submit
from airflow.sdk import DAG
from airflow.sdk import task as as_task
from airflow.sdk.serde import deserialize
from airflow.serialization.serialized_objects import DagSerialization
from airflow.triggers.base import StartTriggerArgs

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.hooks.flokit import FlokitHook
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.sensors.flinque import FlinqueCampaignStatusSensor, FlinqueReportReadySensor
from airflow_provider_mkt.sensors.flodesk import FlodeskSegmentSizeSensor, FlodeskSubscriberStatusSensor
from airflow_provider_mkt.sensors.flokit import FlokitIntegrationSyncSensor
from airflow_provider_mkt.sensors.flow_living import FlowLivingCampaignStatusSensor
from airflow_provider_mkt.sensors.flow_social import FlowSocialPostStatusSensor
from airflow_provider_mkt.triggers import watch
from tests.unit.context import Task

PATIENCE = 20.0
EARLIER = "2020-01-01T00:00:00+00:00"
PURE: dict[Any, dict[str, Any]] = {
    FlinqueCampaignStatusSensor: {"campaign_id": "ca_1", "target_statuses": ["paused"]},
    FlinqueReportReadySensor: {"report_id": "rep_1"},
    FlodeskSegmentSizeSensor: {"segment_id": "seg_1", "minimum": 7},
    FlokitIntegrationSyncSensor: {"integration_id": "int_adjust", "since": datetime(2026, 6, 8, tzinfo=timezone.utc)},
    FlowLivingCampaignStatusSensor: {"campaign_tracking_id": ["queue_1", "queue_2"]},
    FlowSocialPostStatusSensor: {"post_id": "post_1", "target_statuses": ("done",)},
}


class Session:
    """Of a database: takes what is added, and gives it a number."""

    def __init__(self) -> None:
        self.added: list[Any] = []

    def add(self, row: Any) -> None:
        self.added.append(row)

    def flush(self) -> None:
        for row in self.added:
            row.id = 4711


def declared(make: Callable[[], Any]) -> tuple[dict[str, Any], Any]:
    """Return a DAG with one sensor as it is stored, and the sensor as the scheduler has it."""
    with DAG("waits", schedule=None) as dag:
        make()
    stored = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    return stored, DagSerialization.from_dict(stored).get_task("wait")


def scheduled(task: Any) -> tuple[bool, Any, list[Any]]:
    """Have the scheduler's code begin a task; return whether it deferred it, the task instance, and the triggers."""
    found = SimpleNamespace(task=task, start_date=None, state=None, try_number=0, test_mode=False)
    found.start_trigger_args = TaskInstance.start_trigger_args.fget(found)  # type: ignore[attr-defined]
    session = Session()
    deferred = TaskInstance.defer_task(found, session=session)  # type: ignore[arg-type]
    return deferred, found, session.added


def triggered(stored: dict[str, Any], row: Any, ends: Callable[[TriggerRunner], bool]) -> TriggerRunner:
    """Have the triggerer's code run the trigger that the scheduler has made."""
    now = datetime.now(timezone.utc)
    ti = TaskInstanceDTO(
        id=uuid.uuid4(),
        dag_version_id=uuid.uuid4(),
        task_id="wait",
        dag_id="waits",
        run_id="r",
        try_number=1,
        pool_slots=1,
        queue="default",
        priority_weight=1,
    )
    run = {"dag_id": "waits", "run_id": "r", "run_type": "manual", "state": "running", "run_after": now}
    run |= dict.fromkeys(("logical_date", "data_interval_start", "data_interval_end", "end_date", "partition_key"))
    run |= {"start_date": now, "consumed_asset_events": []}

    async def scene() -> TriggerRunner:
        runner = TriggerRunner()
        runner.to_create.append(
            RunTrigger(
                id=row.id,
                classpath=row.classpath,
                encrypted_kwargs=row.encrypted_kwargs,
                ti=ti,
                dag_data=stored,
                dag_run_data=run,
            )
        )
        await runner.create_triggers()
        assert not runner.failed_triggers
        running = runner.triggers[row.id]["task"]
        try:
            while not ends(runner):
                assert not running.done()
                await asyncio.sleep(0.01)
        finally:
            running.cancel()
            await asyncio.wait({running})
            await runner._shared_streams.stop_all()
        return runner

    return asyncio.run(asyncio.wait_for(scene(), PATIENCE))


def sensor(**options: Any) -> FlokitIntegrationSyncSensor:
    given = {"integration_id": "int_adjust", "deferrable": True, "start_from_trigger": True, **options}
    return FlokitIntegrationSyncSensor(task_id="wait", **given)


def test_it_begins_without_a_worker_and_ends_as_ever(
    vendors: Sandbox, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "FIRST_LOOK", 0.0)
    stored, known = declared(lambda: sensor(since=EARLIER, timeout=timedelta(hours=2), retries=3))
    deferred, ti, (row,) = scheduled(known)
    assert (deferred, ti.state, ti.trigger_id, ti.try_number) == (True, "deferred", row.id, 1)
    assert 7190 <= (ti.trigger_timeout - datetime.now(timezone.utc)).total_seconds() <= 7200
    runner = triggered(stored, row, lambda runner: bool(runner.events))
    number, event = runner.events[0][:2]
    assert number == row.id
    handle_event_submit(event, task_instance=ti, session=Session())  # type: ignore[arg-type]
    assert ti.state == "scheduled"
    result = sensor(since=EARLIER).resume_execution(ti.next_method, deserialize(ti.next_kwargs), task.context)
    assert result["id"] == FlokitHook().get_integration("int_adjust")["id"]


@pytest.mark.parametrize("kind", PURE)
def test_the_trigger_is_the_one_that_a_worker_would_defer_to(kind: Any) -> None:
    options = {"task_id": "wait", "deferrable": True, "poke_interval": 30, "exponential_backoff": True, "max_wait": 300}
    _, known = declared(lambda: kind(start_from_trigger=True, **options, **PURE[kind]))
    _, _, (row,) = scheduled(known)
    begun = kind(**options, **PURE[kind])
    path, arguments = begun.trigger(begun.watch()).serialize()
    assert row.classpath == path
    assert {name: decoded(value) for name, value in row.kwargs.items()} == json.loads(json.dumps(arguments))


def decoded(value: Any) -> Any:
    """Return an argument as the triggerer decodes it."""
    from airflow.serialization.decoders import smart_decode_trigger_kwargs

    return smart_decode_trigger_kwargs(value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: sensor(start_from_trigger=False),
        lambda: FlokitIntegrationSyncSensor.partial(task_id="wait", deferrable=True).expand(integration_id=["a", "b"]),
        lambda: FlokitIntegrationSyncSensor.partial(task_id="wait", deferrable=True, start_from_trigger=True).expand(
            integration_id=["a", "b"]
        ),
    ],
)
def test_otherwise_a_worker_begins(make: Callable[[], Any]) -> None:
    """A mapped task is not expanded by Airflow's scheduler: its trigger would wait for nothing in particular."""
    _, known = declared(make)
    assert scheduled(known) == (False, scheduled(known)[1], [])


@pytest.mark.parametrize("kind", PURE)
def test_the_class_has_nothing_to_start_with(kind: Any) -> None:
    """Airflow reads both from the class of a mapped task."""
    assert kind.start_trigger_args is None
    assert kind.start_from_trigger is False


def from_another_task() -> Any:
    @as_task
    def read() -> str:
        return "int_adjust"

    return read()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"integration_id": "{{ var.value.integration }}"}, "integration_id is a template"),
        ({"since": "{{ data_interval_start }}"}, "since is a template"),
        ({"flokit_conn_id": "{% if 1 %}a{% endif %}"}, "conn_id is a template"),
        ({"integration_id": from_another_task}, "integration_id is a template or comes from another task"),
        ({"deferrable": False}, "it is not deferrable"),
        ({"silent_fail": True}, "silent_fail"),
    ],
)
def test_what_airflow_cannot_start_is_refused_in_words(options: dict[str, Any], why: str) -> None:
    with DAG("waits", schedule=None), pytest.raises(ValueError, match="start_from_trigger is not possible") as caught:
        sensor(**{name: value() if callable(value) else value for name, value in options.items()})
    assert why in str(caught.value)
    assert "'wait'" in str(caught.value)


def test_a_list_with_a_template_in_it_is_refused() -> None:
    with pytest.raises(ValueError, match="post_id is a template"):
        FlowSocialPostStatusSensor(
            task_id="wait", deferrable=True, start_from_trigger=True, post_id=["post_1", "{{ ds }}"]
        )


def test_an_address_never_begins_in_the_triggerer() -> None:
    with pytest.raises(ValueError, match="a personal value would be stored") as caught:
        FlodeskSubscriberStatusSensor(
            task_id="wait", deferrable=True, start_from_trigger=True, id_or_email="jane@example.com"
        )
    assert "jane" not in str(caught.value)


def test_bad_input_fails_where_it_is_written() -> None:
    with pytest.raises(ValidationError, match="'active' is probably meant"):
        FlinqueCampaignStatusSensor(
            task_id="wait", campaign_id="ca_1", target_statuses="Active", deferrable=True, start_from_trigger=True
        )


def test_airflow_still_renders_nothing_and_maps_nothing() -> None:
    """Why templates and maps are refused. If this fails, Airflow has learned it: allow what it renders."""
    _, known = declared(sensor)
    known.start_trigger_args = StartTriggerArgs(
        trigger_cls="x", next_method="execute_complete", trigger_kwargs={"arguments": {"integration_id": "{{ ds }}"}}
    )
    _, _, (row,) = scheduled(known)
    assert row.kwargs == {"arguments": {"integration_id": "{{ ds }}"}}
    trigger = watch.WatchTrigger("w", {"integration_id": "{{ ds }}"}, "c", 1.0)
    trigger.task_instance = SimpleNamespace(task=known, task_id="wait")
    assert "arguments" not in trigger.template_fields
    _, mapped = declared(
        lambda: FlokitIntegrationSyncSensor.partial(task_id="wait", deferrable=True).expand(integration_id=["a", "b"])
    )
    with pytest.raises(NotImplementedError):
        mapped.expand_start_trigger_args(context={})
