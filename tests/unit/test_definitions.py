# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What every operator and sensor allows a DAG author to do."""

from __future__ import annotations

import inspect
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG, RetryDecision, RetryPolicy

from airflow_provider_mkt.operators.base import MarketingOperator
from airflow_provider_mkt.operators.flodesk import FlodeskUpsertSubscribersOperator
from airflow_provider_mkt.operators.flow_living import (
    FlowLivingPublishCampaignOperator,
    FlowLivingUpdateCampaignStatusOperator,
)
from airflow_provider_mkt.operators.waiting import WaitingOperator
from airflow_provider_mkt.retry_policy import DEFAULT, MarketingRetryPolicy
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.sensors.base import WatchSensor
from airflow_provider_mkt.vendors import VENDORS
from airflow_provider_mkt.vendors.base import Vendor
from tests.unit.context import Task, deferral
from tests.vendors import FACTS, task_classes

CAMPAIGN = dict(FACTS["flow_living"].tasks["FlowLivingPublishCampaignOperator"][0])
# class, its required arguments, the one to map over, the connection's parameter
TASKS: list[tuple[Any, dict[str, Any], str, str]] = [
    (cls, dict(FACTS[vendor.conn_type].tasks[name][0]), FACTS[vendor.conn_type].tasks[name][1], vendor.conn_type)
    for vendor in VENDORS
    for name, cls in task_classes(vendor).items()
    if name in FACTS[vendor.conn_type].tasks
]
every_task = pytest.mark.parametrize(
    ("cls", "arguments", "mapped", "conn_type"), TASKS, ids=[task[0].__name__ for task in TASKS]
)
WAITING = [task for task in TASKS if issubclass(task[0], (WaitingOperator, WatchSensor))]
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
    assert f"{conn_type}_conn_id" in cls.template_fields


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
def test_rendered_fields_have_the_names_of_parameters(
    cls: Any, arguments: dict[str, Any], mapped: str, conn_type: str
) -> None:
    assert set(cls.template_fields) <= set(inspect.signature(cls).parameters)


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
    if issubclass(cls, WaitingOperator):
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


@every_task
def test_the_name_of_the_connection(cls: Any, arguments: dict[str, Any], mapped: str, conn_type: str) -> None:
    """Python itself would say that it was given twice."""
    with pytest.raises(TypeError, match=f"name the connection as {conn_type}_conn_id=…"):
        cls(task_id="a", conn_id="mine", **arguments)
    rest = {name: value for name, value in arguments.items() if name != mapped}
    with pytest.raises(TypeError, match=f"name the connection as {conn_type}_conn_id=…"):
        cls.partial(task_id="a", conn_id="mine", **rest)


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


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.conn_type)
def test_every_operator_and_sensor_is_tested_here(vendor: Vendor) -> None:
    """A new one has to be added to the vendor's facts."""
    assert set(task_classes(vendor)) == set(FACTS[vendor.conn_type].tasks)
