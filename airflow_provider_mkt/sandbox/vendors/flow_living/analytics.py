# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Routes of the analytics host, which has credentials of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter

from airflow_provider_mkt.sandbox.engine.clock import iso
from airflow_provider_mkt.sandbox.engine.vendor import VendorError
from airflow_provider_mkt.sandbox.vendors.flow_living.account import AGENTS, BRANCHES, ERRORS, FlowLiving, Living
from airflow_provider_mkt.sandbox.vendors.flow_living.campaigns import Campaign
from airflow_provider_mkt.sandbox.vendors.flow_living.schemas import (
    AgentInsightQuery,
    BranchCampaigns,
    BranchQuery,
    EmailInsightQuery,
    InsightRow,
)

MAX_DAYS = 366
"""Days that one insight query may span (assumed)."""

SECURITY: dict[str, Any] = {"security": [{"flowLivingUser": [], "flowLivingSecret": []}]}

router = APIRouter(prefix="/flow-living-analytics/api/rest/v2", tags=["Flow Living analytics"], responses=ERRORS)


def _email(agent: str) -> str:
    first, last = AGENTS.get(agent, ("Unknown", "Agent"))
    return f"{first}.{last}@harbour-homes.example".lower()


def _name(campaign: Campaign) -> str:
    return " / ".join(part for part in (campaign.order_ref, campaign.plan_ref, campaign.listing) if part)


def _shown(living: FlowLiving) -> Iterator[Campaign]:
    """Campaigns that exist at the ad platforms by now, and that analytics have heard of."""
    ticks, delay = living.world.clock.ticks(), living.switch("analytics_delay")
    return (
        campaign
        for campaign in living.campaigns.values()
        if campaign.visible_id(ticks) is not None and ticks - campaign.timeline.born >= delay
    )


@router.post("/campaigns/branch", response_model=BranchCampaigns, openapi_extra=SECURITY)
async def campaigns_by_branch(living: Living, query: BranchQuery) -> Any:
    """Campaigns of a branch; the order's reference is part of the name (assumed)."""
    rows = []
    for campaign in _shown(living):
        if campaign.branch != query.branchId:
            continue
        first, last = AGENTS.get(campaign.agent, ("Unknown", "Agent"))
        rows.append(
            {
                "agentEmail": _email(campaign.agent),
                "agentExternalId": campaign.agent,
                "agentFirstName": first,
                "agentLastName": last,
                "branchName": BRANCHES.get(campaign.branch, campaign.branch),
                "campaignEndDate": None if campaign.ends is None else iso(campaign.ends),
                "campaignName": _name(campaign),
                "campaignStartDate": None if campaign.starts is None else iso(campaign.starts),
                "campaignType": campaign.plan_ref,
                "externalBranchId": campaign.branch,
                "flowCampaignId": campaign.campaign_id,
                "flowPropertyId": f"property_{campaign.listing}",
                "listingReference": campaign.listing,
            }
        )
    return {"external_sharing_allFacebookCampaigns_campaignLevel": rows}


def _insights(living: FlowLiving, start: datetime, end: datetime, agents: set[str]) -> list[dict[str, Any]]:
    if end < start:
        raise VendorError(400, "endDate: must not be before startDate")
    days = (end - start).days + 1
    if days > MAX_DAYS:
        raise VendorError(400, f"endDate: at most {MAX_DAYS} days after startDate")
    return [
        _row(campaign, start + timedelta(days=offset), offset)
        for campaign in _shown(living)
        if campaign.agent in agents
        for offset in range(days)
    ]


def _row(campaign: Campaign, moment: datetime, offset: int) -> dict[str, Any]:
    weight = sum(campaign.tracking_id.encode()) + 17 * offset
    reach = 500 + weight % 400
    return {
        "date": moment.date().isoformat(),
        "agentExternalId": campaign.agent,
        "campaignName": _name(campaign),
        "branchName": BRANCHES.get(campaign.branch, campaign.branch),
        "flowCampaignId": campaign.campaign_id,
        "flowPropertyId": f"property_{campaign.listing}",
        "frequency": 1.5,
        "impressions": reach * 3 // 2,
        "linkClicks": reach // 20,
        "postEngagements": reach // 10,
        "reach": reach,
        "gender": "female" if offset % 2 else "male",
        "ageBracket": "25-34",
    }


@router.post("/insights/daily/agent/email", response_model=list[InsightRow], openapi_extra=SECURITY)
async def insights_by_email(living: Living, query: EmailInsightQuery) -> Any:
    """Daily figures of the agent with this e-mail address."""
    agents = {agent for agent in AGENTS if _email(agent) == query.agentEmail.lower()}
    return _insights(living, query.startDate, query.endDate, agents)


@router.post("/insights/daily/agent/externalId", response_model=list[InsightRow], openapi_extra=SECURITY)
async def insights_by_agent(living: Living, query: AgentInsightQuery) -> Any:
    """Daily figures of the agent with this external id."""
    return _insights(living, query.startDate, query.endDate, {query.agentExternalId})
