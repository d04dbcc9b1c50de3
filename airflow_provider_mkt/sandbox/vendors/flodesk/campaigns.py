# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Campaigns: a list without meta data, and two routes that turn a design into a draft."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from airflow_provider_mkt.sandbox.engine.clock import iso
from airflow_provider_mkt.sandbox.engine.fields import Body, Instant
from airflow_provider_mkt.sandbox.engine.vendor import Call, TheCall, VendorError, page_of
from airflow_provider_mkt.sandbox.vendors.flodesk.account import ERRORS, Desk, Flodesk, Page, PerPage

router = APIRouter(prefix="/flodesk/v1/campaigns", tags=["Flodesk"], responses=ERRORS)

Status = Literal["draft", "pending", "scheduled", "composing", "sending", "done", "failed"]
Text = Annotated[str, Field(max_length=10_000)]


class Canva(Body):
    """A Canva design."""

    bundle_url: Text | None = None
    title: Text | None = None
    design_token: Text | None = None
    page_id: Text | None = None
    campaign_id: Text | None = None


class Studio(Body):
    """A design of the vendor's own studio."""

    html: Annotated[str, Field(max_length=1_000_000)] | None = None
    title: Text | None = None
    campaign_id: Text | None = None
    asset_id: Text | None = None


class Published(BaseModel):
    """A draft was made of a design."""

    id: str
    url: str


class DesignState(BaseModel):
    """The design published last."""

    design_id: str
    campaign_id: str


class CampaignView(BaseModel):
    """A campaign."""

    id: str
    status: Status
    name: str
    subject: str
    created_at: Instant
    updated_at: Instant


class Campaigns(BaseModel):
    """A page of campaigns; there is no meta, so a short page is the last."""

    data: list[CampaignView]


@router.get("", response_model=Campaigns)
async def list_campaigns(  # noqa: PLR0917 - the parameters of the route
    desk: Desk,
    page: Page = 1,
    per_page: PerPage = 20,
    search: Annotated[str | None, Query(alias="Search")] = None,
    order_by: Annotated[str | None, Query(alias="OrderBy")] = None,
    sort: Annotated[str | None, Query(alias="Sort")] = None,
    status: Annotated[Status | None, Query(alias="Status")] = None,
    shared: Annotated[bool | None, Query(alias="SharedAsTemplate")] = None,
) -> Any:
    """A page of campaigns; these filters alone are in Pascal case. No campaign is shared as a template."""
    rows = [] if shared else list(desk.campaigns)
    rows = [row for row in rows if status in (None, row["status"]) and (search or "").lower() in row["name"].lower()]
    if order_by in ("name", "created_at", "updated_at", "status"):
        rows.sort(key=lambda row: str(row[order_by]))
    if sort is not None and sort.lower() == "desc":
        rows.reverse()
    return {"data": page_of(rows, page, per_page)}


def _draft(desk: Flodesk, call: Call, title: str | None, campaign_id: str | None) -> dict[str, str]:
    now = iso(desk.world.clock.now())
    known = next((row for row in desk.campaigns if row["id"] == campaign_id), None)
    if campaign_id and known is None:
        raise VendorError(400, "campaign_id is unknown")
    name = title or "Untitled"
    if known is None:
        known = {"id": f"cmp_{desk.number('campaign')}", "status": "draft", "subject": "", "created_at": now}
        desk.campaigns.append(known)
    known.update(name=name, updated_at=now)
    desk.record(call, "campaign.created", name, [known["id"]])
    return {"id": known["id"], "url": f"https://app.flodesk.example/campaigns/{known['id']}"}


@router.post("/canva", status_code=201, response_model=Published)
async def publish_canva(desk: Desk, call: TheCall, design: Canva) -> Any:
    """Make a draft of a Canva design."""
    answer = _draft(desk, call, design.title, design.campaign_id)
    desk.design = {"design_id": f"design_{desk.number('design')}", "campaign_id": answer["id"]}
    return answer


@router.get("/canva/design-state", response_model=DesignState)
async def design_state(desk: Desk) -> Any:
    """The Canva design published last."""
    if desk.design is None:
        raise VendorError(404, "Design not found")
    return desk.design


@router.post("/studio", status_code=201, response_model=Published)
async def publish_studio(desk: Desk, call: TheCall, design: Studio) -> Any:
    """Make a draft of a studio design."""
    return _draft(desk, call, design.title, design.campaign_id)
