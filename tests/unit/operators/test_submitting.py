# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Exactly once, through real operators and real HTTP: the good course, refusals, clears and changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_mkt.exceptions import (
    ApiError,
    AuthenticationError,
    ValidationError,
)
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import FIRST_LOOK, Task, Waits, deferral, resumed
from tests.unit.operators.kinds import CAMPAIGN, LATER, POST, REPORT, SYNC, Kind, every_kind

pytestmark = pytest.mark.usefixtures("waits", "no_analytics")


# The good course


@every_kind
def test_waits_on_the_worker(kind: Kind, vendors: Sandbox, task: Task, waits: Waits) -> None:
    waits.happenings = [lambda: None, lambda: vendors.advance(LATER)]
    result = kind().execute(task.context)
    assert kind.effects(vendors) == 1
    assert waits.each == [60, 60]
    assert all(isinstance(name, str) for name in result)
    json.dumps(result)


@every_kind
def test_waits_in_the_triggerer(kind: Kind, vendors: Sandbox, task: Task, waits: Waits) -> None:
    on_worker = Task(run_id="other")
    waits.happenings = [lambda: vendors.advance(LATER)]
    expected = kind().execute(on_worker.context)
    before = kind.effects(vendors)
    waits.each.clear()
    waits.happenings = [lambda: None, lambda: vendors.advance(LATER)]
    operator = kind(deferrable=True)
    deferred = deferral(operator.execute, task.context)
    assert waits.each == []
    result = resumed(kind(deferrable=True), deferred, task.context)
    assert waits.each == [FIRST_LOOK, 60]
    assert kind.effects(vendors) == before + 1
    assert set(result) == set(expected)
    assert result.get("status") == expected.get("status")


@every_kind
def test_deferral_carries_ids_only(kind: Kind, vendors: Sandbox, task: Task) -> None:
    deferred = deferral(kind(deferrable=True, wait_timeout=timedelta(hours=2)).execute, task.context)
    path, kwargs = json.loads(json.dumps(deferred.trigger.serialize()))
    assert path == "airflow_provider_mkt.triggers.watch.WatchTrigger"
    assert kwargs["conn_id"] == f"{kind.vendor}_default"
    secrets = [vendors.connections[f"{kind.vendor}_default"]["password"], "Bearer", "Basic"]
    assert not any(secret in repr(deferred.trigger) + json.dumps(kwargs) for secret in secrets)
    assert deferred.timeout == timedelta(hours=2)
    assert kwargs["cancel_on_kill"] is True


@every_kind
def test_accepted_is_enough_without_waiting(kind: Kind, vendors: Sandbox, task: Task, waits: Waits) -> None:
    result = kind(wait_for_completion=False, deferrable=True).execute(task.context)
    assert result
    assert kind.effects(vendors) == 1
    assert waits.each == []


@every_kind
def test_finished_at_once_is_not_deferred(kind: Kind, vendors: Sandbox, task: Task) -> None:
    deferral(kind(deferrable=True).execute, task.context)
    vendors.advance(LATER)
    task.retry()
    assert kind(deferrable=True).execute(task.context)
    assert kind.effects(vendors) == 1


@every_kind
def test_record_shows_no_secret(kind: Kind, vendors: Sandbox, task: Task) -> None:
    kind(wait_for_completion=False).execute(task.context)
    connection = vendors.connections[f"{kind.vendor}_default"]
    stored = "".join(task.store.values.values())
    assert connection["password"] not in stored
    assert task.record["state"] == "submitted"


# Later tries


@every_kind
def test_later_tries_attach(kind: Kind, vendors: Sandbox, task: Task) -> None:
    first = kind(wait_for_completion=False).execute(task.context)
    task.retry()
    assert kind(wait_for_completion=False).execute(task.context) == first
    task.clear()
    assert kind(wait_for_completion=False).execute(task.context) == first
    assert kind.effects(vendors) == 1


@every_kind
def test_giving_up_waiting_does_not_give_up_the_submission(
    kind: Kind, vendors: Sandbox, task: Task, waits: Waits
) -> None:
    with pytest.raises(ApiError, match="was not done after 150 s") as caught:
        kind(wait_timeout=150).execute(task.context)
    assert "attaches to it" in str(caught.value)
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "default"
    assert waits.passed <= 150
    vendors.advance(LATER)
    task.retry()
    assert kind(wait_timeout=150).execute(task.context)
    assert kind.effects(vendors) == 1


@every_kind
@pytest.mark.parametrize("deferrable", [False, True])
def test_failure_at_the_vendor(kind: Kind, deferrable: bool, vendors: Sandbox, task: Task, waits: Waits) -> None:
    vendors.outcome(kind.vendor, kind.failure)
    waits.happenings = [lambda: vendors.advance(LATER)]

    def attempt() -> Any:
        operator = kind(deferrable=deferrable)
        if not deferrable:
            return operator.execute(task.context)
        return resumed(kind(deferrable=True), deferral(operator.execute, task.context), task.context)

    expected = ApiError if kind.retried_after_failure else AirflowFailException
    with pytest.raises(expected, match=kind.failure) as caught:
        attempt()
    task.retry()
    waits.happenings = [lambda: vendors.advance(LATER)]
    if kind.retried_after_failure:
        assert "a retry submits it again" in str(caught.value)
        assert attempt()
        assert task.record["generation"] == 2
        assert kind.effects(vendors) == 2
    else:
        assert "nothing is submitted again" in str(caught.value)
        with pytest.raises(AirflowFailException):
            kind().execute(task.context)
        assert kind.effects(vendors) == 1


def test_campaign_that_left_no_trace_is_published_again(vendors: Sandbox, task: Task, waits: Waits) -> None:
    ids = CAMPAIGN(wait_for_completion=False).execute(task.context)["campaign_tracking_ids"]
    gone = {"status": 200, "body": {"status": "failed", "message": "No budget left."}, "processed": False}
    vendors.fault("GET /flow-living/campaigns/status/{id}", "status", count=len(ids), **gone)
    with pytest.raises(ApiError, match=r"No budget left\..*a retry submits it again"):
        CAMPAIGN().execute(task.context)
    assert task.record["state"] == "failed"
    task.retry()
    vendors.advance(LATER)
    waits.happenings = [lambda: vendors.advance(LATER)]
    assert CAMPAIGN().execute(task.context)["status"] == "published"
    assert CAMPAIGN.effects(vendors) == 2


def test_campaign_that_failed_in_part_is_never_published_again(vendors: Sandbox, task: Task, waits: Waits) -> None:
    vendors.outcome("flow_living", "failed", limit=1)
    waits.happenings = [lambda: vendors.advance(LATER)]
    for _ in range(3):
        with pytest.raises(AirflowFailException, match="nothing is submitted again"):
            CAMPAIGN().execute(task.context)
        task.retry()
    assert CAMPAIGN.effects(vendors) == 1


# Refusals


@every_kind
def test_refused_is_corrected_and_sent_again(kind: Kind, vendors: Sandbox, task: Task) -> None:
    vendors.fault(kind.route, "status", status=422, message="not like this")
    with pytest.raises(ValidationError, match="not like this") as caught:
        kind(wait_for_completion=False).execute(task.context)
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "fail"
    assert kind.effects(vendors) == 0
    task.clear()
    assert kind(wait_for_completion=False).execute(task.context)
    assert kind.effects(vendors) == 1
    assert task.record["generation"] == 2


@every_kind
def test_never_connected_is_safe_to_retry(
    kind: Kind, vendors: Sandbox, task: Task, connect: Callable[..., str]
) -> None:
    conn_id = connect(kind.vendor, host="http://127.0.0.1:1/v1")
    with pytest.raises(ApiError, match="could not be reached") as caught:
        kind(wait_for_completion=False, **{f"{kind.vendor}_conn_id": conn_id}).execute(task.context)
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "default"
    connect(kind.vendor)
    task.retry()
    assert kind(wait_for_completion=False, **{f"{kind.vendor}_conn_id": conn_id}).execute(task.context)
    assert kind.effects(vendors) == 1


@every_kind
def test_wrong_credentials_leave_no_doubt(
    kind: Kind, vendors: Sandbox, task: Task, connect: Callable[..., str]
) -> None:
    conn_id = connect(kind.vendor, password="wrong-key-4711")
    with pytest.raises(AuthenticationError) as caught:
        kind(wait_for_completion=False, **{f"{kind.vendor}_conn_id": conn_id}).execute(task.context)
    assert "4711" not in str(caught.value)
    connect(kind.vendor)
    task.clear()
    assert kind(wait_for_completion=False, **{f"{kind.vendor}_conn_id": conn_id}).execute(task.context)
    assert kind.effects(vendors) == 1


@pytest.mark.parametrize(
    ("kind", "token_route"),
    [(CAMPAIGN, "GET /flow-living/auth/access-key/publickey"), (REPORT, "POST /flinque/v1/oauth/token")],
)
def test_unreadable_token_is_not_taken_for_a_launch(kind: Kind, token_route: str, vendors: Sandbox, task: Task) -> None:
    vendors.fault(token_route, "malformed", count=None)
    with pytest.raises(ApiError) as caught:
        kind(wait_for_completion=False).execute(task.context)
    assert not getattr(caught.value, "executed", False)
    assert "was submitted" not in str(caught.value)
    assert kind.effects(vendors) == 0
    vendors.clear_faults()
    task.retry()
    assert kind(wait_for_completion=False).execute(task.context)
    assert kind.effects(vendors) == 1


# Changed, cleared, resubmitted, mapped


@pytest.mark.parametrize(
    ("kind", "change", "fields"),
    [
        (CAMPAIGN, {"plan_ref": "googlev1", "budget_override": 90}, "budgetOverride, planRef"),
        (CAMPAIGN, {"listing_external_ids": ["listing_1002"]}, "listingExternalIds"),
        (POST, {"content": "Open house on Monday"}, "content"),
        (REPORT, {"report": {"type": "campaign", "campaign_id": "ca_2"}}, "campaign_id"),
        (SYNC, {"integration_id": "int_stripe"}, "integration_id"),
    ],
)
def test_changed_request(kind: Kind, change: dict[str, Any], fields: str, vendors: Sandbox, task: Task) -> None:
    kind(wait_for_completion=False).execute(task.context)
    task.retry()
    with pytest.raises(ValidationError, match=f"these fields differ: {fields}") as caught:
        kind(wait_for_completion=False, **change).execute(task.context)
    assert "not submitted a second time" in str(caught.value)
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "fail"
    assert kind.effects(vendors) == 1


@every_kind
@pytest.mark.parametrize("asked_by", ["operator", "conf"])
def test_resubmission_counts_once_per_clear(kind: Kind, asked_by: str, vendors: Sandbox, waits: Waits) -> None:
    task = Task(conf={"mkt_resubmit": True} if asked_by == "conf" else None)
    operator = kind(wait_for_completion=False, resubmit=asked_by == "operator")
    counts = []
    for following in (task.retry, task.clear, task.retry, task.retry, task.clear, task.retry):
        operator.execute(task.context)
        counts.append(kind.effects(vendors))
        vendors.advance(LATER)
        following()
    assert counts == [1, 1, 2, 2, 2, 3]


@every_kind
@pytest.mark.parametrize("conf", [None, {}, {"mkt_resubmit": False}, {"other": True}])
def test_cleared_is_attached_to_unless_asked(kind: Kind, conf: dict[str, Any] | None, vendors: Sandbox) -> None:
    task = Task(conf=conf)
    kind(wait_for_completion=False).execute(task.context)
    task.clear()
    kind(wait_for_completion=False).execute(task.context)
    assert kind.effects(vendors) == 1


def test_mapped_tasks_submit_each_for_itself(vendors: Sandbox) -> None:
    tasks = [Task(map_index=index) for index in range(4)]
    for task in tasks:
        for kind in (CAMPAIGN, POST, REPORT):
            kind(wait_for_completion=False).execute(task.context)
            task.store.values.clear()
    assert [entry["reference"] for entry in vendors.ledger("flow_living", "campaign.published")] == [
        f"tests/launch/{task.run_id}/publish/{task.map_index}" for task in tasks
    ]
    assert len({entry["idempotency_key"] for entry in vendors.ledger("flow_social", "post.created")}) == 4
    assert REPORT.effects(vendors) == 4


def test_other_runs_and_renamed_tasks_submit_anew(vendors: Sandbox) -> None:
    for task in (Task(), Task(run_id="manual"), Task(task_id="renamed"), Task(dag_id="renamed")):
        POST(wait_for_completion=False).execute(task.context)
    assert len({entry["idempotency_key"] for entry in vendors.ledger("flow_social", "post.created")}) == 4
