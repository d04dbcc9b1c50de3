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

    planRef: Name  # noqa: N815 - the vendor's name
    listingExternalIds: Annotated[list[Name], Field(min_length=1, max_length=50)]  # noqa: N815
    branchId: Name  # noqa: N815
    agentExternalId: Name | None = None  # noqa: N815
    startDate: Moment | None = None  # noqa: N815
    endDate: Moment | None = None  # noqa: N815
    budgetOverride: Annotated[float, Field(gt=0, le=1e9), AfterValidator(_money)] | None = None  # noqa: N815
    orderRef: Name | None = None  # noqa: N815
    dryRun: bool = False  # noqa: N815


class StatusUpdate(Body):
    """Order of "Update campaign status". ``paused`` is documented; the other two values are assumed."""

    status: Literal["paused", "published", "cancelled"]
    reason: Annotated[str, Field(max_length=255)] | None = None


class Token(BaseModel):
    """Answer of "Get Access Token"."""

    accessToken: str  # noqa: N815 - the vendor's name


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

    branchId: Name  # noqa: N815


class EmailInsightQuery(Body):
    """Body of the daily insights by the agent's e-mail address."""

    startDate: Moment  # noqa: N815
    endDate: Moment  # noqa: N815
    agentEmail: Name  # noqa: N815


class AgentInsightQuery(Body):
    """Body of the daily insights by the agent's external id."""

    startDate: Moment  # noqa: N815
    endDate: Moment  # noqa: N815
    agentExternalId: Name  # noqa: N815


class CampaignRow(BaseModel):
    """A campaign as the analytics host shows it."""

    agentEmail: str  # noqa: N815
    agentExternalId: str  # noqa: N815
    agentFirstName: str  # noqa: N815
    agentLastName: str  # noqa: N815
    branchName: str  # noqa: N815
    campaignEndDate: str | None  # noqa: N815
    campaignName: str  # noqa: N815
    campaignStartDate: str | None  # noqa: N815
    campaignType: str  # noqa: N815
    externalBranchId: str  # noqa: N815
    flowCampaignId: str  # noqa: N815
    flowPropertyId: str  # noqa: N815
    listingReference: str  # noqa: N815


class BranchCampaigns(BaseModel):
    """Answer of the analytics route "campaigns by branch"."""

    external_sharing_allFacebookCampaigns_campaignLevel: list[CampaignRow]  # noqa: N815


class InsightRow(BaseModel):
    """One campaign on one day (field names assumed)."""

    date: str
    agentExternalId: str  # noqa: N815
    campaignName: str  # noqa: N815
    branchName: str  # noqa: N815
    flowCampaignId: str  # noqa: N815
    flowPropertyId: str  # noqa: N815
    frequency: float
    impressions: int
    linkClicks: int  # noqa: N815
    postEngagements: int  # noqa: N815
    reach: int
    gender: str
    ageBracket: str  # noqa: N815
