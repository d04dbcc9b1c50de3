# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Campaigns. Their state machine is assumed: draft, active, paused, completed, archived."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, BeforeValidator, Field

from airflow_provider_mkt.sandbox.engine.clock import iso
from airflow_provider_mkt.sandbox.engine.fields import Loose, Name, time_or_day
from airflow_provider_mkt.sandbox.engine.vendor import Call, TheCall, VendorError
from airflow_provider_mkt.sandbox.vendors.flinque.account import ERRORS, Flinq, Flinque, Meta, Page, PerPage, listing
from airflow_provider_mkt.sandbox.vendors.flinque.creators import KNOWN

router = APIRouter(prefix="/flinque/v1/campaigns", tags=["Flinque"], responses=ERRORS)

Status = Literal["draft", "active", "paused", "completed", "archived"]
NEXT = {
    "draft": {"active", "archived"},
    "active": {"paused", "completed", "archived"},
    "paused": {"active", "completed", "archived"},
    "completed": set(),
    "archived": set(),
}


def _date(value: Any) -> Any:
    """A date or date-time, kept as it was written."""
    if value is not None:
        time_or_day(value)
    return value


Date = Annotated[
    str,
    BeforeValidator(_date),
    Field(json_schema_extra={"anyOf": [{"format": "date"}, {"format": "date-time"}]}),
]
Amount = Annotated[str, Field(pattern=r"^[0-9]{1,12}(\.[0-9]{1,2})?$")] | Annotated[float, Field(ge=0, le=1e12)]


class CampaignFields(Loose):
    """What a campaign can be given."""

    start_date: Date | None = None
    end_date: Date | None = None
    budget: Amount | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None
    creator_ids: Annotated[list[str], Field(max_length=1000)] | None = None


class NewCampaign(CampaignFields):
    """A campaign to create."""

    name: Name
    status: Literal["draft", "active"] | None = None


class CampaignChanges(CampaignFields):
    """Changes of a campaign, absolute values."""

    name: Name | None = None
    status: Status | None = None


class Campaign(BaseModel):
    """A campaign; money is a decimal text."""

    id: str
    name: str
    status: str
    start_date: str | None
    end_date: str | None
    budget: str | None
    currency: str | None
    creator_ids: list[str]
    created_at: str
    updated_at: str


class CampaignPage(BaseModel):
    """A page of campaigns."""

    data: list[Campaign]
    meta: Meta


def find(flinque: Flinque, call: Call, campaign_id: str) -> dict[str, Any]:
    """A campaign of the caller's workspace.

    :raises VendorError: 404
    """
    campaigns = flinque.room(call).campaigns
    if campaign_id not in campaigns:
        raise VendorError(404, "Campaign not found")
    return campaigns[campaign_id]


def _merge(row: dict[str, Any], fields: CampaignFields) -> dict[str, Any]:
    given = {name: getattr(fields, name) for name in type(fields).model_fields if name in fields.model_fields_set}
    if "budget" in given and given["budget"] is not None and not isinstance(given["budget"], str):
        given["budget"] = f"{given['budget']:.2f}"
    merged = {**row, **given}
    for name in ("name", "status", "creator_ids"):
        if merged[name] is None:
            merged[name] = row[name]
    if (
        merged["start_date"]
        and merged["end_date"]
        and time_or_day(merged["end_date"]) < time_or_day(merged["start_date"])
    ):
        raise _invalid("end_date", "must not be before start_date")
    if not KNOWN.issuperset(merged["creator_ids"]):
        raise _invalid("creator_ids", "holds an unknown creator")
    return merged


def _invalid(name: str, text: str) -> VendorError:
    return VendorError(400, f"{name}: {text}", details=[(name, text)])


@router.get("", response_model=CampaignPage)
async def list_campaigns(flinque: Flinq, call: TheCall, page: Page = 1, per_page: PerPage = 20) -> Any:
    """A page of campaigns, newest first."""
    return listing(list(flinque.room(call).campaigns.values()), page, per_page)


@router.post("", response_model=Campaign)
async def create_campaign(flinque: Flinq, call: TheCall, new: NewCampaign) -> Any:
    """Create a campaign, a draft unless it is to start at once."""
    now = iso(flinque.world.clock.now())
    empty: dict[str, Any] = {
        "id": "",
        "name": new.name,
        "status": "draft",
        "start_date": None,
        "end_date": None,
        "budget": None,
        "currency": None,
        "creator_ids": [],
        "created_at": now,
        "updated_at": now,
    }
    row = _merge(empty, new)
    row["id"] = f"ca_{flinque.number('campaign')}"
    flinque.room(call).campaigns[row["id"]] = row
    flinque.record(call, "campaign.created", new.name, [row["id"]])
    flinque.emit("campaign.created", row, flinque.room(call))
    return row


@router.get("/{campaign_id}", response_model=Campaign)
async def get_campaign(flinque: Flinq, call: TheCall, campaign_id: str) -> Any:
    """One campaign."""
    return find(flinque, call, campaign_id)


@router.patch("/{campaign_id}", response_model=Campaign)
async def update_campaign(flinque: Flinq, call: TheCall, campaign_id: str, changes: CampaignChanges) -> Any:
    """Change a campaign."""
    row = find(flinque, call, campaign_id)
    merged = _merge(row, changes)
    if merged["status"] != row["status"] and merged["status"] not in NEXT[row["status"]]:
        raise _invalid("status", f"cannot change from {row['status']} to {merged['status']}")
    row.update(merged, updated_at=iso(flinque.world.clock.now()))
    flinque.record(call, "campaign.updated", campaign_id, [campaign_id])
    flinque.emit("campaign.updated", row, flinque.room(call))
    return row
