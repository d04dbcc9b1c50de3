# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Flow Living: ad campaigns for property listings.

Vendor document: Flow Platform, "API Scripts". Limits and most statuses are not published; what is assumed says so.
"""

from __future__ import annotations

from airflow_provider_mkt.client.endpoint import Endpoint, Limit, Safety
from airflow_provider_mkt.vendors.base import SPENDING_EXTRAS, WEBHOOK_TOKEN, Extra, Vendor, Webhooks

VENDOR = Vendor(
    conn_type="flow_living",
    name="Flow Living",
    summary="property ads",
    base_url="https://api.flowliving.com",
    docs_url="https://docs.flowplatform.com/publisher-documentation",
    hook="FlowLivingHook",
    login="Client ID (organisation ID)",
    login_required=True,
    password="API key",
    extras={
        "request_type": Extra(
            "Request type of the token call, from your account manager",
            required=True,
            description="`requestType` of the token call; ask your account manager for the one of campaigns",
        ),
        **SPENDING_EXTRAS,
        "plan_amounts": Extra(
            "What plans cost",
            description="what a plan costs when a launch names no budget: facebookv2 1500, googlev1 900",
        ),
        "analytics_host": Extra(
            "Analytics host, to look up campaigns after a lost answer",
            description="address of the analytics API (`https://analytics.flowliving.com`): for its figures, and to "
            "look up campaigns after a lost answer",
        ),
        "analytics_user_id": Extra("Analytics user id", description="user of the analytics API"),
        "analytics_user_secret": Extra("Analytics user secret", secret=True, description="its secret"),
        "analytics_delay": Extra(
            "Seconds after which analytics surely shows a new campaign",
            "number",
            description="seconds within which analytics shows a new campaign, if Flow has told you. One that does not "
            "show by then is published again after a lost answer",
        ),
        "webhook_token": Extra("Token in the webhook address", secret=True, description=WEBHOOK_TOKEN),
    },
    # Not published; assumed.
    limits={"default": Limit(60), "publish": Limit(1, 1.0), "analytics": Limit(60)},
    webhooks=Webhooks(
        event=("event",),
        identity=("event", "campaign_tracking_id", "status", "timestamp"),
        subject=("campaign_tracking_id",),
    ),
    color="#d7ebdb",
    amount=("budgetOverride",),
)

HEADERS = {"Accept-Version": "v1"}

TOKEN = Endpoint("GET", "/auth/access-key/publickey", Safety.READ, answer={"accessToken": str}, authenticated=False)
PUBLISH = Endpoint(
    "POST",
    "/campaigns/publish",
    Safety.ONCE,
    budgets=("default", "publish"),
    answer={"campaign_tracking_ids": list, "status": str},
)
VALIDATE = Endpoint("POST", "/campaigns/publish", Safety.READ, budgets=("default", "publish"), answer={"status": str})
"""Publishing with ``dryRun``: it has no effect, so it may be repeated."""
STATUS = Endpoint("GET", "/campaigns/status/{campaign_tracking_id}", Safety.READ, answer={"status": str})
UPDATE_STATUS = Endpoint("POST", "/campaigns/status/{campaign_tracking_id}", Safety.IDEMPOTENT, answer={"status": str})

PROCESS_LISTING = Endpoint("POST", "/v3/properties-api/process-listing", Safety.IDEMPOTENT, answer=str)
"""An upsert by the listing's id; answered with a sentence. Vendor page "Listing API"."""


def _analytics(path: str, *rows: str) -> Endpoint:
    """Return a route of the analytics host: all are reads although they are POSTs. Vendor page "Analytics API".

    It is another host with another user, so it has a limit of its own (assumed). The look before each launch then takes
    nothing of what launches are limited by.
    """
    return Endpoint("POST", path, Safety.READ, budgets=("analytics",), rows=rows, base="analytics", authenticated=False)


LIST_BRANCH_CAMPAIGNS = _analytics(
    "/api/rest/v2/campaigns/branch", "external_sharing_allFacebookCampaigns_campaignLevel"
)
LIST_AGENT_INSIGHTS_BY_EMAIL = _analytics("/api/rest/v2/insights/daily/agent/email", "data")
LIST_AGENT_INSIGHTS_BY_ID = _analytics("/api/rest/v2/insights/daily/agent/externalId", "data")

ANALYTICS_EXTRAS = ("analytics_host", "analytics_user_id", "analytics_user_secret")
LISTING_REQUEST_TYPE = "propertyAPI"
"""Request type of the token that the listing route wants."""
RENEWABLE = (401, 403)
"""An expired token is answered with 403 "JWT expired", an invalid one with 401."""
TOKEN_LIFETIME = 600.0
"""Seconds to keep a token that does not say when it expires (assumed)."""

MAX_LISTINGS = 50
"""Listings per publish call (assumed)."""
MAX_TEXT = 255
"""Characters of a reference (assumed)."""

PENDING = frozenset({"queued", "in_progress"})
FAILED = frozenset({"failed", "cancelled"})
LIVE = ("published", "completed")
"""What a launch waits for. ``published``, ``completed``, ``failed`` and ``cancelled`` are assumed names."""
STATUSES = (*LIVE, "queued", "in_progress", "paused", "failed", "cancelled")
"""All that are known; the vendor publishes no list, so there may be others."""
UPDATES = ("paused", "published", "cancelled")
"""Statuses that an update may ask for. Only ``paused`` is documented; resuming and cancelling are assumed."""
