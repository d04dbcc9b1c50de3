# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Bodies and answers of the campaign API. Requests are camelCase, answers snake_case, as the vendor has it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from airflow_provider_mkt.sandbox.engine.fields import Body, Moment, Name


def _money(amount: float) -> float:
    if round(amount, 2) != amount:
        raise ValueError("must have at most two decimals")
    return amount


class Publish(Body):
    """Order of "Publish a new campaign". Lengths, the 50 listings and the decimals of the budget are assumed."""

    planRef: Name
    listingExternalIds: Annotated[list[Name], Field(min_length=1, max_length=50)]
    branchId: Name
    agentExternalId: Name | None = None
    startDate: Moment | None = None
    endDate: Moment | None = None
    budgetOverride: Annotated[float, Field(gt=0, le=1e9), AfterValidator(_money)] | None = None
    orderRef: Name | None = None
    dryRun: bool = False


class StatusUpdate(Body):
    """Order of "Update campaign status". ``paused`` is documented; the other two values are assumed."""

    status: Literal["paused", "published", "cancelled"]
    reason: Annotated[str, Field(max_length=255)] | None = None


class Token(BaseModel):
    """Answer of "Get Access Token"."""

    accessToken: str


class Queued(BaseModel):
    """Answer of a publish."""

    campaign_tracking_ids: list[str]
    status: str


class CampaignStatus(BaseModel):
    """Answer of "Get campaign status"; ``campaign_id`` appears when creation begins."""

    status: str
    message: str
    campaign_id: str | None = None


class UpdatedStatus(BaseModel):
    """Answer of "Update campaign status"; a non-empty ``error`` means that it was not done."""

    status: str
    message: str
    error: str | None = None


class Failure(BaseModel):
    """Error envelope; shown by the vendor for the token call only, assumed for the rest."""

    error: str
    message: str | None = None


class BranchQuery(Body):
    """Body of the analytics route "campaigns by branch"."""

    branchId: Name


class EmailInsightQuery(Body):
    """Body of the daily insights by the agent's e-mail address."""

    startDate: Moment
    endDate: Moment
    agentEmail: Name


class AgentInsightQuery(Body):
    """Body of the daily insights by the agent's external id."""

    startDate: Moment
    endDate: Moment
    agentExternalId: Name


class CampaignRow(BaseModel):
    """A campaign as the analytics host shows it."""

    agentEmail: str
    agentExternalId: str
    agentFirstName: str
    agentLastName: str
    branchName: str
    campaignEndDate: str | None
    campaignName: str
    campaignStartDate: str | None
    campaignType: str
    externalBranchId: str
    flowCampaignId: str
    flowPropertyId: str
    listingReference: str


class BranchCampaigns(BaseModel):
    """Answer of the analytics route "campaigns by branch"."""

    external_sharing_allFacebookCampaigns_campaignLevel: list[CampaignRow]


class InsightRow(BaseModel):
    """One campaign on one day (field names assumed)."""

    date: str
    agentExternalId: str
    campaignName: str
    branchName: str
    flowCampaignId: str
    flowPropertyId: str
    frequency: float
    impressions: int
    linkClicks: int
    postEngagements: int
    reach: int
    gender: str
    ageBracket: str
