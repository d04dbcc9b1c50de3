# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What stopping a wait does at the vendors."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from airflow_provider_mkt.exceptions import ApiError
from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.waiting.flinque import ReportWatch
from airflow_provider_mkt.waiting.flokit import SyncWatch
from airflow_provider_mkt.waiting.flow_living import CampaignWatch
from airflow_provider_mkt.waiting.flow_social import PostWatch


def test_reports_and_syncs_cannot_be_stopped() -> None:
    assert ReportWatch("re_1").cancel() is None
    assert SyncWatch("int_1").cancel() is None


def test_campaign_is_paused_in_all_its_parts(vendors: Sandbox) -> None:
    hook = FlowLivingHook()
    ids = hook.publish_campaign("facebookv2", ["listing_1001"], "branch_harbour")["campaign_tracking_ids"]
    vendors.advance(601)
    told = hook.client.talk(CampaignWatch(ids, ["published"]).cancel())
    assert told == f"stopped {', '.join(f'{each} (paused)' for each in ids)}"
    assert [entry["ids"] for entry in vendors.ledger(effect="campaign.status_updated")] == [[i, "paused"] for i in ids]


def test_campaign_that_cannot_be_paused_yet_is_cancelled(vendors: Sandbox) -> None:
    hook = FlowLivingHook()
    ids = hook.publish_campaign("facebookv2", ["listing_1001"], "branch_harbour")["campaign_tracking_ids"]
    told = hook.client.talk(CampaignWatch(ids, ["published"]).cancel())
    assert told == f"stopped {', '.join(f'{each} (cancelled)' for each in ids)}"
    vendors.advance(700)
    assert {hook.get_campaign_status(each)["status"] for each in ids} == {"cancelled"}


def test_campaign_that_cannot_be_stopped_is_named(vendors: Sandbox) -> None:
    hook = FlowLivingHook()
    ids = hook.publish_campaign("facebookv2", ["listing_1001", "listing_1002"], "branch_harbour")[
        "campaign_tracking_ids"
    ]
    vendors.advance(601)
    vendors.outcome("flow_living", "update_error", match=ids[0], count=2)
    vendors.fault(f"POST /flow-living/campaigns/status/{ids[1]}", "status", status=422, message="Too late")
    with pytest.raises(ApiError) as caught:
        hook.client.talk(CampaignWatch(ids, ["published"]).cancel())
    message = str(caught.value)
    assert f"Not stopped: {ids[0]} (published), {ids[1]} (" in message
    assert "Too late" in message
    assert f"Stopped: {ids[2]} (paused). Pause the rest at Flow Living" in message


def test_campaign_that_has_ended_is_left_alone(vendors: Sandbox) -> None:
    hook = FlowLivingHook()
    vendors.outcome("flow_living", "failed")
    ids = hook.publish_campaign("facebookv2", ["listing_1001"], "branch_harbour")["campaign_tracking_ids"]
    vendors.advance(601)
    assert "failed" in hook.client.talk(CampaignWatch(ids, ["published"]).cancel())


def test_only_queued_posts_are_deleted(vendors: Sandbox) -> None:
    hook = FlowSocialHook()
    later = datetime.now(timezone.utc) + timedelta(days=1)
    queued = hook.create_post({"channelId": "channel_1", "content": "later", "scheduledFor": later})["id"]
    done = hook.create_post({"channelId": "channel_1", "content": "now"})["id"]
    vendors.advance(120)
    told = hook.client.talk(PostWatch([queued, done], ["done"]).cancel())
    assert told == f"deleted {queued}"
    assert hook.get_post(done)["status"] == "done"
    assert len(vendors.ledger(effect="post.deleted")) == 1
    with pytest.raises(ApiError, match="404"):
        hook.get_post(queued)
