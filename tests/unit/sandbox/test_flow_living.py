# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Flow Living: tokens, publishing, the campaigns' course, updates, analytics."""

from __future__ import annotations

import base64
import json
import time

import pytest

from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.sandbox.vendors import Caller, later

TOKEN = "/flow-living/auth/access-key/publickey"


def status(call: Caller, tracking_id: str) -> dict[str, str]:
    answer = call("GET", f"/flow-living/campaigns/status/{tracking_id}")
    assert answer.status_code == 200
    found: dict[str, str] = answer.json()
    return found


@pytest.mark.parametrize(
    ("query", "code", "text"),
    [
        ("organisationId=sandbox-organisation&apiKey=wrong&requestType=x", 401, "Authentication failed"),
        (
            "organisationId=sandbox-organisation&apiKey=sandbox-living-expired-api-key&requestType=x",
            401,
            "API key expired",
        ),
        ("organisationId=sandbox-organisation&apiKey=sandbox-living-api-key", 400, "requestType"),
    ],
)
def test_token_call_is_refused(call: Caller, query: str, code: int, text: str) -> None:
    answer = call("GET", f"{TOKEN}?{query}")
    assert answer.status_code == code
    assert text in answer.json()["error"]


def test_version_is_required(call: Caller) -> None:
    answer = call("GET", "/flow-living/campaigns/status/queue_1", headers={"Accept-Version": None})
    assert answer.status_code == 400
    assert "Accept-Version" in answer.json()["error"]


def test_one_listing_gives_two_ids_and_three_give_four(sandbox: Sandbox, call: Caller) -> None:
    answer = call.publish()
    assert answer.status_code == 202
    assert answer.json() == {"campaign_tracking_ids": ["queue_1", "queue_2"], "status": "queued"}
    three = call.publish(listingExternalIds=["listing_1001", "listing_1002", "listing_1003"])
    assert len(three.json()["campaign_tracking_ids"]) == 4
    entries = sandbox.ledger("flow_living", "campaign.published", "PO-1")
    assert [len(entry["ids"]) for entry in entries] == [2, 4]


def test_a_dry_run_stores_nothing(sandbox: Sandbox, call: Caller) -> None:
    answer = call.publish(dryRun=True)
    assert answer.status_code == 200
    assert set(answer.json()) == {"campaign_tracking_ids", "status"}
    for tracking_id in answer.json()["campaign_tracking_ids"]:
        assert call("GET", f"/flow-living/campaigns/status/{tracking_id}").status_code == 404
    assert sandbox.ledger(effect="campaign.published") == []


def test_course_of_a_campaign(sandbox: Sandbox, call: Caller) -> None:
    call.publish(endDate=later(1800))
    assert "campaign_id" not in status(call, "queue_1")
    sandbox.advance(121)
    begun = status(call, "queue_1")
    assert (begun["status"], begun["campaign_id"]) == ("in_progress", "camp_1")
    sandbox.advance(478)
    assert status(call, "queue_1")["status"] == "in_progress"
    sandbox.advance(2)
    assert status(call, "queue_1")["status"] == "published"
    sandbox.advance(1200)
    assert status(call, "queue_1")["status"] == "completed"


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"planRef": "nope"}, 404, "planRef"),
        ({"branchId": "nope"}, 404, "branchId"),
        ({"agentExternalId": "nope"}, 404, "agentExternalId"),
        ({"listingExternalIds": ["nope"]}, 404, "listingExternalIds"),
        ({"listingExternalIds": []}, 400, "listingExternalIds"),
        ({"listingExternalIds": ["listing_1001"] * 51}, 400, "listingExternalIds"),
        ({"startDate": "2020-01-01T00:00:00Z"}, 400, "startDate"),
        ({"startDate": "2030-01-01"}, 400, "startDate"),
        ({"startDate": "2030-01-02T00:00:00Z", "endDate": "2030-01-01T00:00:00Z"}, 400, "endDate"),
        ({"budgetOverride": 0}, 400, "budgetOverride"),
        ({"budgetOverride": 1.234}, 400, "budgetOverride"),
        ({"budgetOverride": "10"}, 400, "budgetOverride"),
        ({"dryRun": "true"}, 400, "dryRun"),
        ({"startdate": later(100)}, 400, "startdate"),
    ],
)
def test_bad_orders_are_refused(
    sandbox: Sandbox, call: Caller, changes: dict[str, object], code: int, field: str
) -> None:
    answer = call.publish(**changes)
    assert answer.status_code == code
    assert list(answer.json()) == ["error"]
    assert field in answer.json()["error"]
    assert sandbox.ledger(effect="campaign.published") == []


def test_client_id_is_required_unless_switched_off(sandbox: Sandbox, call: Caller) -> None:
    body = {"planRef": "facebookv2", "listingExternalIds": ["listing_1001"], "branchId": "branch_harbour"}
    assert call("POST", "/flow-living/campaigns/publish", json=body).status_code == 400
    sandbox.switch(flow_living__client_id_required=False)
    assert call("POST", "/flow-living/campaigns/publish", json=body).status_code == 202


def test_expired_and_invalid_tokens(sandbox: Sandbox, call: Caller) -> None:
    call.publish()
    sandbox.advance(3601)
    expired = call("GET", "/flow-living/campaigns/status/queue_1")
    assert (expired.status_code, expired.json()) == (403, {"error": "JWT expired"})
    token = call.living_token()
    forged = token[:-2] + ("AA" if token[-2:] != "AA" else "BB")
    for bad in ("Bearer x", f"Bearer {forged}", "Bearer ..", "Bearer"):
        answer = call("GET", "/flow-living/campaigns/status/queue_1", headers={"Authorization": bad})
        assert (answer.status_code, answer.json()) == (401, {"error": "Invalid access token"})


def test_expiry_is_true_by_the_clients_clock(sandbox: Sandbox, call: Caller) -> None:
    sandbox.advance(5000)
    content = call.living_token().split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)))
    assert 3590 < claims["exp"] - time.time() <= 3601
    assert call.publish().status_code == 202
    sandbox.advance(3602)
    assert call.publish().status_code == 403


def test_token_lifetime_is_a_switch(sandbox: Sandbox, call: Caller) -> None:
    sandbox.switch({"flow_living.token_lifetime": 0})
    assert call.publish().status_code == 403


def test_pause_resume_cancel(sandbox: Sandbox, call: Caller) -> None:
    call.publish()
    path = "/flow-living/campaigns/status/queue_1"
    early = call("POST", path, json={"status": "paused"})
    assert early.status_code == 200
    assert early.json()["status"] == "queued"
    assert "unsuccessful" in early.json()["error"]
    sandbox.advance(601)
    paused = call("POST", path, json={"status": "paused", "reason": "Sold"})
    assert paused.json() == {"status": "paused", "message": "Campaign successfully paused."}
    assert status(call, "queue_1")["status"] == "paused"
    assert call("POST", path, json={"status": "published"}).json()["status"] == "published"
    assert call("POST", path, json={"status": "cancelled"}).json()["status"] == "cancelled"
    assert call("POST", path, json={"status": "published"}).json()["status"] == "cancelled"
    assert len(sandbox.ledger(effect="campaign.status_updated", reference="queue_1")) == 3
    assert call("POST", path, json={"status": "sleeping"}).status_code == 400


def test_forced_outcomes(sandbox: Sandbox, call: Caller) -> None:
    sandbox.outcome("flow_living", "failed", match="PO-2", limit=1)
    sandbox.outcome("flow_living", "stuck", match="PO-3")
    call.publish(orderRef="PO-1")
    call.publish(orderRef="PO-2")
    call.publish(orderRef="PO-3")
    call.publish(orderRef="PO-2")
    sandbox.advance(700)
    found = [status(call, f"queue_{number}")["status"] for number in range(1, 9)]
    assert found == ["published"] * 2 + ["failed", "published"] + ["queued"] * 2 + ["published"] * 2


def test_update_that_answers_message_and_error(sandbox: Sandbox, call: Caller) -> None:
    call.publish()
    sandbox.advance(601)
    sandbox.outcome("flow_living", "update_error")
    answer = call("POST", "/flow-living/campaigns/status/queue_1", json={"status": "paused"}).json()
    assert answer["message"]
    assert answer["error"]
    assert status(call, "queue_1")["status"] == "published"


def test_visibility_delay(sandbox: Sandbox, call: Caller) -> None:
    sandbox.switch(flow_living__visibility_delay=60)
    call.publish()
    assert call("GET", "/flow-living/campaigns/status/queue_1").status_code == 404
    sandbox.advance(61)
    assert status(call, "queue_1")["status"] == "queued"


def test_analytics_delay(sandbox: Sandbox, call: Caller) -> None:
    sandbox.switch(flow_living__analytics_delay=900)
    call.publish()
    path = "/flow-living-analytics/api/rest/v2/campaigns/branch"
    rows = "external_sharing_allFacebookCampaigns_campaignLevel"
    sandbox.advance(899)
    assert call("POST", path, json={"branchId": "branch_harbour"}).json()[rows] == []
    sandbox.advance(1)
    assert len(call("POST", path, json={"branchId": "branch_harbour"}).json()[rows]) == 2


def test_a_processed_listing_can_be_published(sandbox: Sandbox, call: Caller) -> None:
    path = "/flow-living/v3/properties-api/process-listing?organisation=sandbox-organisation"
    listing = {"home_listing_id": "listing_9", "name": "Cottage"}
    assert call("POST", path, json=listing).status_code == 401
    token = {"Authorization": f"Bearer {call.living_token('propertyAPI')}"}
    answer = call("POST", path, json=listing, headers=token)
    assert answer.status_code == 200
    assert "listing_9" in answer.json()
    assert call.publish(listingExternalIds=["listing_9"]).status_code == 202
    assert len(sandbox.ledger(effect="listing.processed", reference="listing_9")) == 1


def test_analytics_shows_created_campaigns(sandbox: Sandbox, call: Caller) -> None:
    path = "/flow-living-analytics/api/rest/v2"
    call.publish()
    rows = "external_sharing_allFacebookCampaigns_campaignLevel"
    assert call("POST", f"{path}/campaigns/branch", json={"branchId": "branch_harbour"}).json() == {rows: []}
    sandbox.advance(200)
    found = call("POST", f"{path}/campaigns/branch", json={"branchId": "branch_harbour"}).json()[rows]
    assert [row["flowCampaignId"] for row in found] == ["camp_1", "camp_2"]
    assert "PO-1" in found[0]["campaignName"]
    query = {"startDate": "2026-01-01T00:00:00Z", "endDate": "2026-01-03T00:00:00Z"}
    by_agent = call("POST", f"{path}/insights/daily/agent/externalId", json={**query, "agentExternalId": "agent_7"})
    assert len(by_agent.json()) == 6
    email = found[0]["agentEmail"]
    by_email = call("POST", f"{path}/insights/daily/agent/email", json={**query, "agentEmail": email})
    assert by_email.json() == by_agent.json()
    wrong = call("POST", f"{path}/campaigns/branch", json={}, headers={"flow-api-user-secret": "x"})
    assert wrong.status_code == 401
