# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Segments. There is no way to change or delete one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from airflow_provider_mkt.sandbox.engine.clock import iso
from airflow_provider_mkt.sandbox.engine.fields import Body, Instant, Name
from airflow_provider_mkt.sandbox.engine.vendor import TheCall, VendorError
from airflow_provider_mkt.sandbox.vendors.flodesk.account import (
    COLORS,
    ERRORS,
    Desk,
    Flodesk,
    Id,
    Meta,
    Page,
    PerPage,
    Segment,
    paged,
)

router = APIRouter(prefix="/flodesk/v1/segments", tags=["Flodesk"], responses=ERRORS)


class NewSegment(Body):
    """A segment to create; neither field is documented as required, a name is needed all the same (assumed)."""

    name: Name
    color: Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")] | None = None


class SegmentView(BaseModel):
    """A segment."""

    id: str
    name: str
    total_active_subscribers: int
    created_at: Instant
    color: str
    segment_type: Literal["static", "dynamic"]


class Segments(BaseModel):
    """A page of segments."""

    meta: Meta
    data: list[SegmentView]


def _view(desk: Flodesk, segment: Segment) -> dict[str, Any]:
    active = sum(desk.status_of(desk.subscribers[name]) == "active" for name in segment.members)
    return {
        "id": segment.id,
        "name": segment.name,
        "total_active_subscribers": active,
        "created_at": iso(segment.created_at),
        "color": segment.color,
        "segment_type": "static",
    }


@router.get("", response_model=Segments)
async def list_segments(desk: Desk, page: Page = 1, per_page: PerPage = 20) -> Any:
    """A page of segments."""
    answer = paged(list(desk.segments.values()), page, per_page)
    answer["data"] = [_view(desk, row) for row in answer["data"]]
    return answer


@router.post("", status_code=201, response_model=SegmentView)
async def create_segment(desk: Desk, call: TheCall, new: NewSegment) -> Any:
    """Create a segment; names need not be unique."""
    color = COLORS[0] if new.color is None else new.color.upper()
    if color not in COLORS:
        raise VendorError(400, "color is not one of the segment colors")
    segment = Segment(f"seg_{desk.number('segment')}", new.name, color, desk.world.clock.now())
    desk.segments[segment.id] = segment
    desk.record(call, "segment.created", new.name, [segment.id])
    return _view(desk, segment)


@router.get("/colors", response_model=list[str])
async def list_colors() -> Any:
    """The colors to choose from."""
    return list(COLORS)


@router.get("/{id}", response_model=SegmentView)
async def get_segment(desk: Desk, segment_id: Id) -> Any:
    """One segment."""
    if segment_id not in desk.segments:
        raise VendorError(404, "Segment not found")
    return _view(desk, desk.segments[segment_id])
