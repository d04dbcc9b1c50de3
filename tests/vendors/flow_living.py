# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Flow Living: 4 routes of "API Scripts", the listing route and 3 analytics routes."""

from __future__ import annotations

from typing import Any

from airflow_provider_mkt.sandbox.engine.ledger import digest
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.vendors import flow_living as table
from tests.vendors.case import Case, Rows
from tests.vendors.facts import MINUTE, Facts

ORDER = ("facebookv2", ["listing_1001"], "branch_harbour")
ORDER_BODY = {"planRef": "facebookv2", "listingExternalIds": ["listing_1001"], "branchId": "branch_harbour"}
CLIENT = {"clientId": "sandbox-organisation"}
STATUS_ERRORS = (400, 401, 404, 429)
ANALYTICS = "/flow-living-analytics/api/rest/v2"
DAYS = ("2026-05-01", "2026-05-02T10:00:00Z")
DAYS_BODY = {"startDate": "2026-05-01T00:00:00.000Z", "endDate": "2026-05-02T10:00:00.000Z"}


def campaign(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    """A campaign that is published by now."""
    made = hook.publish_campaign(*ORDER, agent_external_id="agent_7")["campaign_tracking_ids"][0]
    sandbox.advance(700)
    return {"campaign": made}


def listings(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    """The token of the listing route is there."""
    hook.process_listing({"home_listing_id": "first"})
    return {}


def headers(case: Case) -> dict[str, str | None]:
    """What the vendor's pages ask for: a version everywhere, and user and secret at the analytics host."""
    if case.endpoint.base != "analytics":
        return {"accept-version": "v1"}
    return {
        "accept-version": "v1",
        "flow-api-user-id": "sandbox-analytics-user",
        "flow-api-user-secret": digest("sandbox-analytics-secret"),
        "authorization": None,
    }


CASES = (
    Case(
        table.TOKEN,
        "_fetch_token",
        "GET /flow-living/auth/access-key/publickey",
        "READ",
        query={"organisationId": "sandbox-organisation", "apiKey": str, "requestType": "campaignAPI"},
        answer=object,
        errors=(401,),
    ),
    Case(
        table.PUBLISH,
        "publish_campaign",
        "POST /flow-living/campaigns/publish",
        "ONCE",
        args=ORDER,
        kwargs={"order_ref": "PO-17", "budget_override": 120.5, "start_date": "2100-01-01", "end_date": "2100-02-01"},
        query=CLIENT,
        body={
            **ORDER_BODY,
            "orderRef": "PO-17",
            "budgetOverride": 120.5,
            "startDate": "2100-01-01T00:00:00.000Z",
            "endDate": "2100-02-01T00:00:00.000Z",
        },
        answer={"campaign_tracking_ids": list, "status": "queued"},
        errors=(400, 401, 403, 404, 429),
    ),
    Case(
        table.VALIDATE,
        "publish_campaign",
        "POST /flow-living/campaigns/publish",
        "READ",
        args=ORDER,
        kwargs={"dry_run": True},
        query=CLIENT,
        body={**ORDER_BODY, "dryRun": True},
        answer={"status": "queued"},
        errors=(400, 401, 403, 404, 429),
    ),
    Case(
        table.STATUS,
        "get_campaign_status",
        "GET /flow-living/campaigns/status/{campaign}",
        "READ",
        args=("{campaign}",),
        answer={"status": "published", "message": str, "campaign_id": str},
        errors=STATUS_ERRORS,
        given=campaign,
    ),
    Case(
        table.UPDATE_STATUS,
        "update_campaign_status",
        "POST /flow-living/campaigns/status/{campaign}",
        "IDEMPOTENT",
        args=("{campaign}", "paused", "Sold"),
        body={"status": "paused", "reason": "Sold"},
        answer={"status": "paused", "message": str},
        errors=STATUS_ERRORS,
        given=campaign,
    ),
    Case(
        table.PROCESS_LISTING,
        "process_listing",
        "POST /flow-living/v3/properties-api/process-listing",
        "IDEMPOTENT",
        args=({"home_listing_id": "listing_77", "name": "Harbour View 2", "num_beds": "3"},),
        query={"organisation": "sandbox-organisation"},
        body={"home_listing_id": "listing_77", "name": "Harbour View 2", "num_beds": "3"},
        answer="Listing listing_77 was updated successfully",
        given=listings,
    ),
    Case(
        table.LIST_BRANCH_CAMPAIGNS,
        "list_branch_campaigns",
        f"POST {ANALYTICS}/campaigns/branch",
        "READ",
        args=("branch_harbour",),
        body={"branchId": "branch_harbour"},
        answer=Rows(None, {"externalBranchId": "branch_harbour", "campaignName": str}),
        given=campaign,
    ),
    Case(
        table.LIST_AGENT_INSIGHTS_BY_EMAIL,
        "list_agent_insights",
        f"POST {ANALYTICS}/insights/daily/agent/email",
        "READ",
        args=DAYS,
        kwargs={"agent_email": "ada.keeper@harbour-homes.example"},
        body={**DAYS_BODY, "agentEmail": "ada.keeper@harbour-homes.example"},
        answer=Rows(None, {"agentExternalId": "agent_7", "impressions": int}),
        given=campaign,
    ),
    Case(
        table.LIST_AGENT_INSIGHTS_BY_ID,
        "list_agent_insights",
        f"POST {ANALYTICS}/insights/daily/agent/externalId",
        "READ",
        args=DAYS,
        kwargs={"agent_external_id": "agent_7"},
        body={**DAYS_BODY, "agentExternalId": "agent_7"},
        answer=Rows(None, {"agentExternalId": "agent_7", "impressions": int}),
        given=campaign,
    ),
)

FACTS = Facts(
    base_url="https://api.flowliving.com",
    routes=8,
    # Not published; assumed: 60 a minute for a client id in total, and at most one publication a second. Analytics are
    # another host with another user.
    limits={None: {"default": (60, MINUTE), "publish": (1, 1.0), "analytics": (60, MINUTE)}},
    counted={
        # A dry run is sent to the same route, so it counts alike.
        ("default", "publish"): "POST /campaigns/publish",
        ("default",): """
            GET /auth/access-key/publickey
            GET /campaigns/status/{}
            POST /campaigns/status/{}
            POST /v3/properties-api/process-listing
        """,
        ("analytics",): """
            POST /api/rest/v2/campaigns/branch
            POST /api/rest/v2/insights/daily/agent/email
            POST /api/rest/v2/insights/daily/agent/externalId
        """,
    },
    cases=CASES,
    envelope=frozenset({"error"}),
    tasks={
        "FlowLivingPublishCampaignOperator": (
            {"plan_ref": "facebookv2", "listing_external_ids": ["listing_1001"], "branch_id": "branch_harbour"},
            "plan_ref",
        ),
        "FlowLivingUpdateCampaignStatusOperator": (
            {"campaign_tracking_id": "queue_1", "status": "paused"},
            "status",
        ),
        "FlowLivingCampaignStatusSensor": ({"campaign_tracking_id": "queue_1"}, "campaign_tracking_id"),
    },
    spends={"PUBLISH": "ONCE"},
    headers=headers,
    extra={"request_type": "campaignAPI"},
    renewed_on=(401, 403),
    without_endpoint={
        "publish_call": "describes the call of publish_campaign, for operators",
        "analytics_call": "describes the calls of the analytics methods, for operators",
    },
    open_routes=frozenset({"/flow-living/auth/access-key/publickey"}),
)
