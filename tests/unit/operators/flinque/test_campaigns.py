# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Campaigns: waiting, bad input, and changing them."""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import (
    ApiError,
    NotFoundError,
    ValidationError,
)
from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.operators.flinque import (
    FlinqueCreateCampaignOperator,
    FlinqueUpdateCampaignOperator,
)
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task, deferral, resumed
from tests.unit.operators.flinque.kinds import CAMPAIGN, LOST, NEVER_ARRIVED, Kind, every_kind

UPDATE = "PATCH /flinque/v1/campaigns/{id}"


def test_creating_does_not_wait_by_default(vendors: Sandbox, task: Task) -> None:
    result = FlinqueCreateCampaignOperator(task_id="a", campaign={"name": "Spring"}).execute(task.context)
    assert result == {"campaign_id": "ca_4"}
    assert [request["method"] for request in vendors.requests("flinque")][-1] == "POST"


@pytest.mark.parametrize("deferrable", [True, False])
def test_waiting_until_it_is_live(deferrable: bool, vendors: Sandbox, task: Task, waits: Any) -> None:
    creating = CAMPAIGN.creating(wait_for_completion=True, deferrable=deferrable)
    waits.happenings = [lambda: None, lambda: FlinqueHook().update_campaign("ca_4", {"status": "active"})]
    result = (
        resumed(creating, deferral(creating.execute, task.context), task.context)
        if deferrable
        else creating.execute(task.context)
    )
    assert result["campaign_id"] == "ca_4"
    assert result["campaign"]["status"] == "active"
    assert len(waits.each) == 2
    assert CAMPAIGN.made(vendors) == 1


def test_campaign_that_was_archived_is_not_created_again(vendors: Sandbox, task: Task) -> None:
    CAMPAIGN.creating().execute(task.context)
    FlinqueHook().update_campaign("ca_4", {"status": "archived"})
    for _ in range(2):
        task.retry()
        with pytest.raises(Exception, match="Part of it may have had effects") as caught:
            CAMPAIGN.creating(wait_for_completion=True, deferrable=False).execute(task.context)
        assert type(caught.value).__name__ == "AirflowFailException"
    assert CAMPAIGN.made(vendors) == 1


def test_waiting_for_another_status(vendors: Sandbox, task: Task) -> None:
    options = {"wait_for_completion": True, "deferrable": False, "target_statuses": ["draft"]}
    assert CAMPAIGN.creating(**options).execute(task.context)["campaign"]["status"] == "draft"


@every_kind
@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, "must be an object such as {"),
        (None, "must be an object"),
        ("campaign", "must be an object"),
        (["campaign"], "must be an object"),
        ({"start_date": datetime(2026, 6, 8, tzinfo=timezone.utc)}, "['start_date'] is not JSON"),
        ({"share": Decimal("0.5")}, "['share'] is not JSON"),
        ({"share": float("nan")}, "['share'] is not JSON"),
        ({"filter": {"ids": {1, 2}}}, "['filter'] is not JSON"),
        ({1: "a"}, "[1] is not JSON"),
        ({"name": ["a"]}, ".name must be non-empty text"),
        ({"name": "  "}, ".name must be non-empty text"),
        ({"name": "a" * 256}, ".name has 256 characters"),
    ],
)
def test_bad_input(kind: Kind, body: Any, problem: str, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError) as caught:
        kind.creating(body=body).execute(task.context)
    assert f"{kind.name}{problem if problem[0] in '[.' else ' ' + problem}" in str(caught.value)
    assert vendors.requests() == []
    assert task.store.values == {}


@pytest.mark.parametrize("statuses", [[], [""], 7])
def test_bad_target_statuses(statuses: Any, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError, match="target_statuses"):
        CAMPAIGN.creating(target_statuses=statuses).execute(task.context)
    assert vendors.requests() == []


def updating(**options: Any) -> FlinqueUpdateCampaignOperator:
    return FlinqueUpdateCampaignOperator(
        task_id="update", **{"campaign_id": "ca_1", "changes": {"status": "paused"}, **options}
    )


def test_update(vendors: Sandbox, task: Task) -> None:
    changes = {"status": "paused", "budget": 2500, "end_date": "2099-06-30"}
    result = updating(changes=changes).execute(task.context)
    assert result["campaign_id"] == "ca_1"
    assert (result["campaign"]["status"], result["campaign"]["budget"]) == ("paused", "2500.00")
    assert FlinqueHook().get_campaign("ca_1")["status"] == "paused"


@pytest.mark.parametrize("fault", [LOST, NEVER_ARRIVED, "truncate"])
def test_update_is_repeated(fault: str, vendors: Sandbox, task: Task) -> None:
    vendors.fault(UPDATE, fault, count=2)
    assert updating().execute(task.context)["campaign"]["status"] == "paused"


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ({"status": "active"}, "status is 'active'"),
        ({"id": "ca_2"}, "id is 'ca_2'"),
    ],
)
def test_update_that_the_answer_contradicts(
    shown: dict[str, Any], told: str, vendors: Sandbox, task: Task, caplog: pytest.LogCaptureFixture
) -> None:
    vendors.fault(UPDATE, "status", status=200, body={"id": "ca_1", "status": "paused", **shown}, count=None)
    with pytest.raises(ApiError, match=f"did not confirm the changes of campaign ca_1: {told}"):
        updating().execute(task.context)


def test_update_that_the_answer_does_not_show(vendors: Sandbox, task: Task, caplog: pytest.LogCaptureFixture) -> None:
    vendors.fault(UPDATE, "status", status=200, body={"id": "ca_1"})
    with caplog.at_level(logging.WARNING):
        updating().execute(task.context)
    assert "does not show status" in caplog.text


def test_update_that_the_vendor_refuses(vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError, match="cannot change from completed to active"):
        updating(campaign_id="ca_3", changes={"status": "active"}).execute(task.context)
    with pytest.raises(NotFoundError):
        updating(campaign_id="ca_99").execute(task.context)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"campaign_id": ""}, "campaign_id must be non-empty text"),
        ({"changes": {}}, "changes must be an object such as {'status': 'active'}"),
        ({"changes": {"budget": Decimal(1)}}, "changes['budget'] is not JSON"),
    ],
)
def test_bad_update(options: dict[str, Any], problem: str, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError) as caught:
        updating(**options).execute(task.context)
    assert problem in str(caught.value)
    assert vendors.requests() == []
