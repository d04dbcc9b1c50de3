# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What stopping a wait does at the vendors."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import pytest

from airflow_provider_mkt.exceptions import ApiError
from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.waiting.flinque import CampaignWatch as InfluencerCampaignWatch
from airflow_provider_mkt.waiting.flinque import ReportWatch
from airflow_provider_mkt.waiting.flokit import SyncWatch
from airflow_provider_mkt.waiting.flow_living import CampaignWatch
from airflow_provider_mkt.waiting.flow_social import PostWatch


def test_what_has_no_route_to_stop_it() -> None:
    assert InfluencerCampaignWatch("ca_1", ["active"]).cancel() is None
    assert ReportWatch("re_1").cancel() is None
    assert SyncWatch("int_1").cancel() is None


def test_campaign_is_paused_in_all_its_parts(vendors: Sandbox) -> None:
    hook = FlowLivingHook()
    ids = hook.publish_campaign("facebookv2", ["listing_1001"], "branch_harbour")["campaign_tracking_ids"]
    vendors.advance(601)
    told = hook.client.run(CampaignWatch(ids, ["published"]).cancel())
    assert told == f"stopped {', '.join(f'{each} (paused)' for each in ids)}"
    assert [entry["ids"] for entry in vendors.ledger(effect="campaign.status_updated")] == [[i, "paused"] for i in ids]


def test_campaign_that_cannot_be_paused_yet_is_cancelled(vendors: Sandbox) -> None:
    hook = FlowLivingHook()
    ids = hook.publish_campaign("facebookv2", ["listing_1001"], "branch_harbour")["campaign_tracking_ids"]
    told = hook.client.run(CampaignWatch(ids, ["published"]).cancel())
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
    vendors.fault(f"POST /flow-living/campaigns/status/{ids[1]}", "status", status=422, message="Too late", count=2)
    with pytest.raises(ApiError) as caught:
        hook.client.run(CampaignWatch(ids, ["published"]).cancel())
    message = str(caught.value)
    assert f"Not stopped: {ids[0]} (published), {ids[1]} (" in message
    assert "Too late" in message
    assert f"Stopped: {ids[2]} (paused). Pause the rest at Flow Living" in message


def test_campaign_whose_pause_is_refused_is_cancelled(vendors: Sandbox) -> None:
    hook = FlowLivingHook()
    (tracking_id, *_) = hook.publish_campaign("facebookv2", ["listing_1001"], "branch_harbour")["campaign_tracking_ids"]
    vendors.fault(f"POST /flow-living/campaigns/status/{tracking_id}", "status", status=409)
    assert hook.client.run(CampaignWatch([tracking_id], ["published"]).cancel()) == f"stopped {tracking_id} (cancelled)"


def test_campaign_that_has_ended_is_left_alone(vendors: Sandbox) -> None:
    hook = FlowLivingHook()
    vendors.outcome("flow_living", "failed")
    ids = hook.publish_campaign("facebookv2", ["listing_1001"], "branch_harbour")["campaign_tracking_ids"]
    vendors.advance(601)
    assert "failed" in hook.client.run(CampaignWatch(ids, ["published"]).cancel())


def test_only_queued_posts_are_deleted(vendors: Sandbox) -> None:
    hook = FlowSocialHook()
    later = datetime.now(timezone.utc) + timedelta(days=1)
    queued = hook.create_post({"channelId": "channel_1", "content": "later", "scheduledFor": later})["id"]
    done = hook.create_post({"channelId": "channel_1", "content": "now"})["id"]
    vendors.advance(120)
    told = hook.client.run(PostWatch([queued, done], ["done"]).cancel())
    assert told == f"deleted {queued}"
    assert hook.get_post(done)["status"] == "done"
    assert len(vendors.ledger(effect="post.deleted")) == 1
    with pytest.raises(ApiError, match="404"):
        hook.get_post(queued)


def scheduled(hook: FlowSocialHook, number: int) -> list[str]:
    later = datetime.now(timezone.utc) + timedelta(days=1)
    posts = [{"channelId": "channel_1", "content": str(at), "scheduledFor": later} for at in range(number)]
    parts = [posts[start : start + 100] for start in range(0, number, 100)]
    return [result["post"]["id"] for part in parts for result in hook.create_posts(part)["results"]]


@pytest.mark.parametrize("number", [3, 150])
def test_a_refused_deletion_does_not_keep_the_other_posts(number: int, vendors: Sandbox) -> None:
    hook = FlowSocialHook()
    ids = scheduled(hook, number)
    few = number == 3
    route = f"DELETE /flow-social/v1/posts/{ids[0]}" if few else "DELETE /flow-social/v1/posts/batch"
    vendors.fault(route, "status", status=403, message="Not yours")
    left = 1 if few else 100
    with pytest.raises(ApiError) as caught:
        hook.client.run(PostWatch(ids, ["done"], 0.0 if few else None).cancel())
    message = str(caught.value)
    assert f"Not deleted: {ids[0]} (" in message
    assert "Not yours" in message
    assert f"Deleted: {ids[left]}, " in message
    assert "Delete the rest at Flow Social" in message
    assert [post["id"] for post in hook.list_posts()] == ids[:left]


def test_many_posts_are_deleted_a_hundred_to_a_request(vendors: Sandbox) -> None:
    hook = FlowSocialHook()
    others, ids = scheduled(hook, 20), scheduled(hook, 150)
    published = hook.create_posts([{"channelId": "channel_1", "content": "now"}] * 20)["results"]
    vendors.advance(120)
    since = len(vendors.requests())
    watched = [*ids, *(each["post"]["id"] for each in published)]
    told = hook.client.run(PostWatch(watched, ["done"], time.time()).cancel())
    assert told.endswith("and 130 more")
    assert len(vendors.ledger(effect="post.deleted")) == 150
    assert {post["id"] for post in hook.list_posts({"status": "queued"})} == set(others)
    # Two pages to find them, two deletions, one page to see that they are gone.
    assert len(vendors.requests()) - since == 2 + 2 + 1 + 1


def test_a_lost_answer_of_a_deletion_is_no_failure(vendors: Sandbox) -> None:
    hook = FlowSocialHook()
    ids = scheduled(hook, 15)
    vendors.fault("DELETE /flow-social/v1/posts/batch", "drop_after")
    assert hook.client.run(PostWatch(ids, ["done"]).cancel()).startswith(f"deleted {ids[0]}, ")


def test_nothing_queued_is_nothing_to_delete(vendors: Sandbox) -> None:
    hook = FlowSocialHook()
    post = hook.create_post({"channelId": "channel_1", "content": "now"})["id"]
    vendors.advance(120)
    assert hook.client.run(PostWatch([post, "post_99"], ["done"]).cancel()) == "deleted nothing"
