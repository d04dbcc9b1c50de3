# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A vendor that wants more than a minute of quiet: the worker is handed back, and nothing is lost or done twice."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException

from airflow_provider_mkt.operators.base import come_back_later
from airflow_provider_mkt.operators.flow_living import FlowLivingPublishCampaignOperator
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task

PUBLISH = "POST /flow-living/campaigns/publish"


def publishing() -> FlowLivingPublishCampaignOperator:
    return FlowLivingPublishCampaignOperator(
        task_id="publish",
        plan_ref="facebookv2",
        listing_external_ids=["listing_1001"],
        branch_id="branch_harbour",
        wait_for_completion=False,
    )


def test_a_long_wait_hands_the_worker_back_and_publishes_once(
    vendors: Sandbox, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendors.fault(PUBLISH, "rate_limit", retry_after=300)
    before = datetime.now(timezone.utc)
    with pytest.raises(AirflowRescheduleException) as caught:
        publishing().execute(task.context)
    assert timedelta(seconds=299) <= caught.value.reschedule_date - before <= timedelta(seconds=330)
    assert vendors.ledger("flow_living", "campaign.published") == []

    # The five minutes are over: another process, which knows nothing of the cooldown, takes up the same try.
    from airflow_provider_mkt.hooks.account import Account

    known = Account.identity.fget
    assert known is not None
    monkeypatch.setattr(Account, "identity", property(lambda account: (*known(account), "later")))
    assert publishing().execute(task.context)["campaign_tracking_ids"]
    assert len(vendors.ledger("flow_living", "campaign.published")) == 1


def test_other_errors_pass() -> None:
    with pytest.raises(KeyError), come_back_later():
        raise KeyError
