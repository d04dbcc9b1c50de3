# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Campaigns: updates of the status."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import (
    ApiError,
    ValidationError,
)
from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
from airflow_provider_mkt.operators.flow_living import (
    FlowLivingUpdateCampaignStatusOperator,
)
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task
from tests.unit.publishing import CAMPAIGN, publishing


@pytest.fixture
def live(vendors: Sandbox) -> list[str]:
    ids: list[str] = FlowLivingHook().publish_campaign(**CAMPAIGN)["campaign_tracking_ids"]
    vendors.advance(700)
    return ids


def updating(ids: Any, status: str = "paused", **options: Any) -> FlowLivingUpdateCampaignStatusOperator:
    return FlowLivingUpdateCampaignStatusOperator(task_id="update", campaign_tracking_id=ids, status=status, **options)


def test_pausing_and_resuming(vendors: Sandbox, live: list[str], task: Task) -> None:
    assert updating(live, reason="Sold.").execute(task.context) == dict.fromkeys(live, "paused")
    assert updating(live[0], "published").execute(task.context) == {live[0]: "published"}
    assert updating(live, "cancelled").execute(task.context) == dict.fromkeys(live, "cancelled")


def test_message_and_error_at_once_are_not_a_confirmation(vendors: Sandbox, live: list[str], task: Task) -> None:
    vendors.outcome("flow_living", "update_error", match=live[1])
    with pytest.raises(ApiError, match=rf"did not confirm 'paused' for {live[1]}: it is 'published'") as caught:
        updating(live).execute(task.context)
    assert "Campaign pausing unsuccessful" in str(caught.value)
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "default"
    assert updating(live).execute(task.retry()) == dict.fromkeys(live, "paused")


def test_error_beside_the_wanted_status_is_a_success(vendors: Sandbox, live: list[str], task: Task) -> None:
    body = {"status": "paused", "message": "paused", "error": "Campaign pausing unsuccessful"}
    vendors.fault("POST /flow-living/campaigns/status/{id}", "status", status=200, body=body, processed=True)
    assert updating(live[0]).execute(task.context) == {live[0]: "paused"}


def test_update_is_repeated_after_a_lost_answer(vendors: Sandbox, live: list[str], task: Task) -> None:
    vendors.fault("POST /flow-living/campaigns/status/{id}", "drop_after", count=2)
    assert updating(live).execute(task.context) == dict.fromkeys(live, "paused")


def test_update_of_what_has_ended(vendors: Sandbox, live: list[str], task: Task) -> None:
    vendors.advance(20 * 86_400)
    with pytest.raises(ApiError, match="it is 'completed'"):
        updating(live).execute(task.context)


@pytest.mark.parametrize(
    ("ids", "status", "problem"),
    [
        ("", "paused", "campaign_tracking_id must be non-empty text"),
        ([], "paused", "campaign_tracking_id is empty"),
        ("queue_1", "stopped", "status must be one of paused, published, cancelled, got 'stopped'"),
        ("queue_1", "", "status must be one of"),
    ],
)
def test_bad_update(ids: Any, status: str, problem: str, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError) as caught:
        updating(ids, status).execute(task.context)
    assert problem in str(caught.value)
    assert vendors.requests() == []


def test_bad_connection_is_told_before_anything_else(vendors: Sandbox, task: Task, connect: Callable[..., str]) -> None:
    conn_id = connect("flow_living", extra={"requesttype": "campaignAPI"})
    for operator in (publishing, lambda **options: updating("queue_1", **options)):
        with pytest.raises(ValidationError, match="did you mean 'request_type'"):
            operator(flow_living_conn_id=conn_id).execute(task.context)
    assert vendors.requests() == []
    assert task.store.values == {}
