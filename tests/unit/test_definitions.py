# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What every operator and sensor allows a DAG author to do."""

from __future__ import annotations

import inspect
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG, RetryDecision, RetryPolicy

from airflow_provider_mkt.operators.base import MarketingOperator
from airflow_provider_mkt.operators.flinque import (
    FlinqueCreateCampaignOperator,
    FlinqueEnsureWebhookOperator,
    FlinqueGenerateReportOperator,
    FlinqueUpdateCampaignOperator,
)
from airflow_provider_mkt.operators.flodesk import (
    FlodeskAddToSegmentsOperator,
    FlodeskAddToWorkflowOperator,
    FlodeskCreateSegmentOperator,
    FlodeskEnsureWebhookOperator,
    FlodeskUnsubscribeOperator,
    FlodeskUpsertSubscribersOperator,
)
from airflow_provider_mkt.operators.flokit import FlokitTriggerSyncOperator
from airflow_provider_mkt.operators.flow_living import (
    FlowLivingPublishCampaignOperator,
    FlowLivingUpdateCampaignStatusOperator,
)
from airflow_provider_mkt.operators.flow_social import (
    FlowSocialDeletePostOperator,
    FlowSocialEnsureWebhookOperator,
    FlowSocialSchedulePostOperator,
    FlowSocialSchedulePostsOperator,
    FlowSocialUpdatePostOperator,
    FlowSocialUploadMediaOperator,
)
from airflow_provider_mkt.operators.submitting import SubmittingOperator
from airflow_provider_mkt.retry_policy import DEFAULT, MarketingRetryPolicy
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.sensors.base import WatchSensor
from airflow_provider_mkt.sensors.flinque import FlinqueCampaignStatusSensor, FlinqueReportReadySensor
from airflow_provider_mkt.sensors.flodesk import FlodeskSegmentSizeSensor, FlodeskSubscriberStatusSensor
from airflow_provider_mkt.sensors.flokit import FlokitIntegrationSyncSensor
from airflow_provider_mkt.sensors.flow_living import FlowLivingCampaignStatusSensor
from airflow_provider_mkt.sensors.flow_social import FlowSocialPostStatusSensor
from airflow_provider_mkt.transfers.flinque import (
    FlinqueAttributionToObjectStorageOperator,
    FlinqueReportToObjectStorageOperator,
)
from airflow_provider_mkt.transfers.flodesk import (
    FlodeskSubscribersToObjectStorageOperator,
    SqlToFlodeskSubscribersOperator,
)
from airflow_provider_mkt.transfers.flow_social import SqlToFlowSocialPostsOperator
from tests.unit.context import Task, deferral

CAMPAIGN = {"plan_ref": "facebookv2", "listing_external_ids": ["listing_1001"], "branch_id": "branch_harbour"}
WEBHOOK = "https://airflow.example.com/mkt/webhooks/mine"
# class, its required arguments, the one to map over, the connection's parameter
TASKS: list[tuple[Any, dict[str, Any], str, str]] = [
    (FlowLivingPublishCampaignOperator, CAMPAIGN, "plan_ref", "flow_living"),
    (
        FlowLivingUpdateCampaignStatusOperator,
        {"campaign_tracking_id": "queue_1", "status": "paused"},
        "status",
        "flow_living",
    ),
    (FlowSocialSchedulePostOperator, {"channel_id": "channel_1", "content": "a"}, "content", "flow_social"),
    (FlowSocialSchedulePostsOperator, {"posts": [{"channelId": "channel_1"}]}, "posts", "flow_social"),
    (FlowSocialUpdatePostOperator, {"post_id": "post_1", "content": "a"}, "post_id", "flow_social"),
    (FlowSocialDeletePostOperator, {"post_id": "post_1"}, "post_id", "flow_social"),
    (FlowSocialUploadMediaOperator, {"path": "a.png"}, "path", "flow_social"),
    (FlinqueCreateCampaignOperator, {"campaign": {"name": "Spring"}}, "campaign", "flinque"),
    (FlinqueUpdateCampaignOperator, {"campaign_id": "ca_1", "changes": {"status": "paused"}}, "changes", "flinque"),
    (FlinqueGenerateReportOperator, {"report": {"type": "campaign"}}, "report", "flinque"),
    (FlinqueEnsureWebhookOperator, {"url": WEBHOOK, "events": ["report.ready"]}, "url", "flinque"),
    (FlowSocialEnsureWebhookOperator, {"url": WEBHOOK, "events": ["post.failed"]}, "url", "flow_social"),
    (FlodeskEnsureWebhookOperator, {"url": WEBHOOK, "events": ["subscriber.created"]}, "url", "flodesk"),
    (FlokitTriggerSyncOperator, {"integration_id": "int_adjust"}, "integration_id", "flokit"),
    (FlodeskUpsertSubscribersOperator, {"path": "buyers.csv"}, "path", "flodesk"),
    (FlodeskAddToSegmentsOperator, {"id_or_email": "sub_1", "segment_ids": ["seg_1"]}, "segment_ids", "flodesk"),
    (FlodeskUnsubscribeOperator, {"id_or_email": "sub_1"}, "id_or_email", "flodesk"),
    (FlodeskCreateSegmentOperator, {"name": "Buyers"}, "name", "flodesk"),
    (FlodeskAddToWorkflowOperator, {"workflow_id": "wf_1", "id_or_email": "sub_1"}, "workflow_id", "flodesk"),
    (FlodeskSegmentSizeSensor, {"segment_id": "seg_1", "minimum": 5}, "segment_id", "flodesk"),
    (
        FlodeskSubscriberStatusSensor,
        {"id_or_email": "sub_1", "target_statuses": ["active"]},
        "target_statuses",
        "flodesk",
    ),
    (FlinqueAttributionToObjectStorageOperator, {"path": "a.jsonl"}, "path", "flinque"),
    (FlinqueReportToObjectStorageOperator, {"report_id": "re_1", "path": "a.csv"}, "report_id", "flinque"),
    (FlodeskSubscribersToObjectStorageOperator, {"path": "a.jsonl"}, "path", "flodesk"),
    (SqlToFlodeskSubscribersOperator, {"sql": "SELECT 1", "sql_conn_id": "db"}, "sql", "flodesk"),
    (SqlToFlowSocialPostsOperator, {"sql": "SELECT 1", "sql_conn_id": "db"}, "sql", "flow_social"),
    (FlowLivingCampaignStatusSensor, {"campaign_tracking_id": "queue_1"}, "campaign_tracking_id", "flow_living"),
    (FlowSocialPostStatusSensor, {"post_id": "post_1"}, "post_id", "flow_social"),
    (FlinqueCampaignStatusSensor, {"campaign_id": "ca_1"}, "campaign_id", "flinque"),
    (FlinqueReportReadySensor, {"report_id": "re_1"}, "report_id", "flinque"),
    (FlokitIntegrationSyncSensor, {"integration_id": "int_adjust"}, "integration_id", "flokit"),
]
every_task = pytest.mark.parametrize(
    ("cls", "arguments", "mapped", "conn_type"), TASKS, ids=[task[0].__name__ for task in TASKS]
)
WAITING = [task for task in TASKS if issubclass(task[0], (SubmittingOperator, WatchSensor))]
DEFERRABLE = "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE"


class OwnPolicy(RetryPolicy):
    """A DAG author's own policy."""

    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        return RetryDecision.default()


OWN = OwnPolicy()


@every_task
def test_keyword_only(cls: Any, arguments: dict[str, Any], mapped: str, conn_type: str) -> None:
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    kinds = {parameter.kind for parameter in parameters}
    assert kinds <= {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD}
    assert f"{conn_type}_conn_id" in {parameter.name for parameter in parameters}


@every_task
def test_connection(cls: Any, arguments: dict[str, Any], mapped: str, conn_type: str) -> None:
    assert cls(task_id="a", **arguments).conn_id == f"{conn_type}_default"
    assert cls(task_id="a", **arguments, **{f"{conn_type}_conn_id": "mine"}).conn_id == "mine"
    assert "conn_id" in cls.template_fields


@every_task
def test_template_fields_exist(cls: Any, arguments: dict[str, Any], mapped: str, conn_type: str) -> None:
    task = cls(task_id="a", **arguments)
    assert all(hasattr(task, name) for name in cls.template_fields)


@every_task
def test_rendering(cls: Any, arguments: dict[str, Any], mapped: str, conn_type: str) -> None:
    with DAG("a"):
        task = cls(task_id="a", **{**arguments, mapped: "{{ value }}"}, **{f"{conn_type}_conn_id": "{{ place }}"})
    context: Any = {"value": "rendered", "place": "elsewhere"}
    task.render_template_fields(context)
    # A private field is rendered by the running task only.
    assert (getattr(task, mapped) if mapped in cls.template_fields else task.private(mapped, context)) == "rendered"
    assert task.conn_id == "elsewhere"


@every_task
def test_retry_policy(cls: Any, arguments: dict[str, Any], mapped: str, conn_type: str) -> None:
    assert cls(task_id="a", **arguments).retry_policy is DEFAULT
    assert cls(task_id="a", retry_policy=OWN, **arguments).retry_policy is OWN
    assert cls(task_id="a", retry_policy=None, **arguments).retry_policy is None


@every_task
def test_fields_of_a_result_are_outputs(cls: Any, arguments: dict[str, Any], mapped: str, conn_type: str) -> None:
    if issubclass(cls, MarketingOperator):
        # That one returns a status for each tracking id: these are no names of fields.
        named = cls is not FlowLivingUpdateCampaignStatusOperator
        assert cls(task_id="a", **arguments).multiple_outputs is named
        assert cls(task_id="a", multiple_outputs=not named, **arguments).multiple_outputs is not named


@every_task
def test_default_arguments(cls: Any, arguments: dict[str, Any], mapped: str, conn_type: str) -> None:
    given = {
        "retries": 4,
        "retry_delay": timedelta(seconds=7),
        "retry_policy": OWN,
        "owner": "marketing",
        f"{conn_type}_conn_id": "mine",
        "poll_interval": 5.0,
        "poke_interval": 6.0,
    }
    with DAG("a", default_args=given):
        task = cls(task_id="a", **arguments)
        other = cls(task_id="b", retries=1, retry_policy=DEFAULT, **arguments)
    assert (task.retries, task.retry_delay, task.owner) == (4, timedelta(seconds=7), "marketing")
    assert task.retry_policy is OWN
    assert task.conn_id == "mine"
    assert (other.retries, other.retry_policy) == (1, DEFAULT)
    if issubclass(cls, SubmittingOperator):
        assert task.poll_interval == 5.0
    if issubclass(cls, WatchSensor):
        assert task.poke_interval == 6.0


@every_task
def test_mapping(cls: Any, arguments: dict[str, Any], mapped: str, conn_type: str) -> None:
    rest = {name: value for name, value in arguments.items() if name != mapped}
    values = [arguments[mapped], arguments[mapped]]
    with DAG("a", default_args={"retries": 3}):
        operator = cls.partial(task_id="a", **{f"{conn_type}_conn_id": "mine"}, **rest).expand(**{mapped: values})
    task = operator.unmap({mapped: arguments[mapped]})
    assert isinstance(task, cls)
    assert getattr(task, mapped) == arguments[mapped]
    assert (task.conn_id, task.retries) == ("mine", 3)
    assert isinstance(task.retry_policy, MarketingRetryPolicy)


@every_task
def test_mapping_with_an_own_policy(cls: Any, arguments: dict[str, Any], mapped: str, conn_type: str) -> None:
    rest = {name: value for name, value in arguments.items() if name != mapped}
    with DAG("a", default_args={"retry_policy": OWN}):
        inherited = cls.partial(task_id="a", **rest).expand(**{mapped: [arguments[mapped]]})
        given = cls.partial(task_id="b", retry_policy=None, **rest).expand(**{mapped: [arguments[mapped]]})
    assert inherited.unmap({mapped: arguments[mapped]}).retry_policy is OWN
    assert given.unmap({mapped: arguments[mapped]}).retry_policy is None


@every_task
def test_unknown_arguments(cls: Any, arguments: dict[str, Any], mapped: str, conn_type: str) -> None:
    with pytest.raises(TypeError, match="no_such_argument"):
        cls(task_id="a", no_such_argument=1, **arguments)


@pytest.mark.parametrize(
    ("cls", "arguments"), [task[:2] for task in TASKS if task[0] is not FlodeskUpsertSubscribersOperator]
)
def test_missing_arguments(cls: Any, arguments: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="missing keyword argument"):
        cls(task_id="a")


@pytest.mark.parametrize(("cls", "arguments", "mapped", "conn_type"), WAITING)
@pytest.mark.parametrize("configured", [None, "True", "False"])
def test_deferrable_by_default(
    *,
    configured: str | None,
    cls: Any,
    arguments: dict[str, Any],
    mapped: str,
    conn_type: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if configured is None:
        monkeypatch.delenv(DEFERRABLE, raising=False)
    else:
        monkeypatch.setenv(DEFERRABLE, configured)
    assert cls(task_id="a", **arguments).deferrable is (configured == "True")
    assert cls(task_id="a", deferrable=True, **arguments).deferrable is True
    assert cls(task_id="a", deferrable=False, **arguments).deferrable is False


def test_deferrable_by_configuration_defers(vendors: Sandbox, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DEFERRABLE, "True")
    deferral(FlowLivingPublishCampaignOperator(task_id="publish", **CAMPAIGN).execute, task.context)
    assert len(vendors.ledger(effect="campaign.published")) == 1


def test_every_operator_and_sensor_is_tested_here() -> None:
    """A new one has to be added to the table above."""
    import importlib
    import pkgutil

    from airflow_provider_mkt import operators, sensors, transfers

    found = set()
    for package in (operators, sensors, transfers):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.endswith((".base", ".submitting", ".ensure_webhook.operator")):
                names = vars(importlib.import_module(module.name)).items()
                found |= {name for name, value in names if isinstance(value, type) and value.__module__ == module.name}
    tasks = {name for name in found if name.endswith(("Operator", "Sensor"))}
    assert tasks == {task[0].__name__ for task in TASKS}
