# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Routes of the campaign and listing API."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Header, Query
from fastapi.responses import JSONResponse
from pydantic import Field

from airflow_provider_mkt.sandbox.engine.vendor import TheCall, VendorError
from airflow_provider_mkt.sandbox.vendors.flow_living.account import (
    API_KEY,
    CLIENT_ID,
    ERRORS,
    EXPIRED_API_KEY,
    LISTING_ROUTE,
    TOKEN_ROUTE,
    Living,
    reference_of,
)
from airflow_provider_mkt.sandbox.vendors.flow_living.campaigns import MESSAGES
from airflow_provider_mkt.sandbox.vendors.flow_living.schemas import (
    CampaignStatus,
    Publish,
    Queued,
    StatusUpdate,
    Token,
    UpdatedStatus,
)

_UNSUCCESSFUL = "Campaign {verb} unsuccessful, please contact Flow for further assistance"
_VERBS = {"paused": "pausing", "published": "resuming", "cancelled": "cancelling"}


async def _version(accept_version: Annotated[Literal["v1"], Header(alias="Accept-Version")]) -> None:
    """Every call names the version."""


router = APIRouter(prefix="/flow-living", tags=["Flow Living"], dependencies=[Depends(_version)], responses=ERRORS)


@router.get(TOKEN_ROUTE, response_model=Token, openapi_extra={"security": []})
async def get_access_token(
    living: Living,
    call: TheCall,
    organisation_id: Annotated[str, Query(alias="organisationId", min_length=1)],
    api_key: Annotated[str, Query(alias="apiKey", min_length=1)],
    request_type: Annotated[str, Query(alias="requestType", min_length=1)],
) -> Any:
    """Issue an access token."""
    if (organisation_id, api_key) == (CLIENT_ID, EXPIRED_API_KEY):
        raise VendorError(401, "API key expired")
    if (organisation_id, api_key) != (CLIENT_ID, API_KEY):
        raise VendorError(401, "Authentication failed")
    token, token_id = living.token(organisation_id, request_type)
    living.record(call, "token.issued", organisation_id, [token_id])
    return {"accessToken": token}


_CLIENT_ID_PARAMETER = {
    "parameters": [{"name": "clientId", "in": "query", "required": True, "schema": {"type": "string", "minLength": 1}}]
}


@router.post(
    "/campaigns/publish",
    status_code=202,
    response_model=Queued,
    responses={200: {"model": Queued, "description": "Dry run"}},
    openapi_extra=_CLIENT_ID_PARAMETER,
)
async def publish(
    living: Living,
    call: TheCall,
    order: Publish,
    client_id: Annotated[str | None, Query(alias="clientId", include_in_schema=False)] = None,
) -> Any:
    """Queue a campaign, or only validate it."""
    if client_id is None or not client_id:
        if living.switch("client_id_required"):
            raise VendorError(400, "clientId: is required")
    elif client_id != call.facts["client_id"]:
        raise VendorError(401, "Invalid access token")
    living.check(order)
    if order.dryRun:
        ids = [f"dryrun_{index}" for index in range(1, len(order.listingExternalIds) + 2)]
        return JSONResponse({"campaign_tracking_ids": ids, "status": "queued"}, status_code=200)
    ids = living.publish(order)
    living.record(call, "campaign.published", reference_of(order), ids)
    return {"campaign_tracking_ids": ids, "status": "queued"}


@router.get("/campaigns/status/{campaign_tracking_id}", response_model=CampaignStatus, response_model_exclude_none=True)
async def get_status(living: Living, campaign_tracking_id: str) -> Any:
    """Read where a campaign stands."""
    campaign = living.campaign(campaign_tracking_id)
    ticks = living.world.clock.ticks()
    status = campaign.status(ticks)
    message = MESSAGES.get(status, "Campaign status has changed.")
    return {"status": status, "message": message, "campaign_id": campaign.visible_id(ticks)}


@router.post("/campaigns/status/{campaign_tracking_id}", response_model=UpdatedStatus, response_model_exclude_none=True)
async def update_status(living: Living, call: TheCall, campaign_tracking_id: str, update: StatusUpdate) -> Any:
    """Pause, resume or cancel a campaign; a refusal is a 200 with an error text, as the vendor's sample has it."""
    campaign = living.campaign(campaign_tracking_id)
    if update.status not in living.switch("update_statuses"):
        raise VendorError(400, "status: is not supported")
    ticks = living.world.clock.ticks()
    error = _UNSUCCESSFUL.format(verb=_VERBS[update.status])
    reference = f"{campaign.order_ref or ''} {campaign_tracking_id}"
    if living.world.forced_outcomes.draw(living.name, reference, only=frozenset({"update_error"})) is not None:
        return {"status": update.status, "message": f"Campaign successfully {update.status}.", "error": error}
    if not campaign.update(update.status, ticks):
        current = campaign.status(ticks)
        return {"status": current, "message": MESSAGES.get(current, ""), "error": error}
    living.record(call, "campaign.status_updated", campaign_tracking_id, [campaign_tracking_id, update.status])
    return {"status": update.status, "message": f"Campaign successfully {update.status}."}


_LISTING: dict[str, Any] = {
    "required": ["home_listing_id"],
    "properties": {"home_listing_id": {"type": "string", "pattern": r"\S", "maxLength": 10_000}},
}


@router.post(LISTING_ROUTE, response_model=str)
async def process_listing(
    living: Living,
    call: TheCall,
    organisation: Annotated[str, Query(min_length=1)],
    listing: Annotated[
        dict[str, Annotated[str, Field(max_length=10_000, strict=True)]], Body(min_length=1, json_schema_extra=_LISTING)
    ],
) -> Any:
    """Create or update a listing; its ``home_listing_id`` becomes the external id that a publish refers to."""
    if organisation != call.facts["client_id"]:
        raise VendorError(401, "Invalid access token")
    listing_id = listing.get("home_listing_id", "")
    if not listing_id.strip():
        raise VendorError(400, "home_listing_id: is required")
    living.listings.add(listing_id)
    living.record(call, "listing.processed", listing_id, [listing_id])
    return f"Listing {listing_id} was updated successfully"
