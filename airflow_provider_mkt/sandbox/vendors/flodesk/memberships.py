# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Which segments a subscriber is in, and leaving all of them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from airflow_provider_mkt.sandbox.engine.fields import Body
from airflow_provider_mkt.sandbox.engine.ledger import digest
from airflow_provider_mkt.sandbox.engine.vendor import TheCall, VendorError
from airflow_provider_mkt.sandbox.vendors.flodesk.account import ERRORS, MAX_SEGMENTS, Desk, Flodesk
from airflow_provider_mkt.sandbox.vendors.flodesk.subscribers import SubscriberView, tell_added, view

router = APIRouter(prefix="/flodesk/v1/subscribers/{id_or_email}", tags=["Flodesk"], responses=ERRORS)


class SegmentIds(Body):
    """Ids of segments."""

    segment_ids: Annotated[list[str], Field(min_length=1, max_length=MAX_SEGMENTS)]


def _known(desk: Flodesk, names: list[str]) -> list[str]:
    for name in names:
        if name not in desk.segments:
            raise VendorError(404, "Segment not found")
    return list(dict.fromkeys(names))


@router.post("/segments", response_model=SubscriberView)
async def add_to_segments(desk: Desk, call: TheCall, id_or_email: str, order: SegmentIds) -> Any:
    """Add a subscriber to segments; those it is in already stay as they are."""
    subscriber = desk.require(id_or_email)
    names = _known(desk, order.segment_ids)
    if len({*subscriber.segments, *names}) > MAX_SEGMENTS:
        raise VendorError(400, f"a subscriber can be in at most {MAX_SEGMENTS} segments")
    fresh = desk.join(subscriber, names)
    if fresh:
        desk.record(call, "subscriber.added_to_segments", digest(subscriber.email.lower()), [subscriber.id, *fresh])
        tell_added(desk, subscriber, fresh)
    return view(desk, subscriber)


@router.delete("/segments", response_model=SubscriberView)
async def remove_from_segments(desk: Desk, call: TheCall, id_or_email: str, order: SegmentIds) -> Any:
    """Remove a subscriber from segments; the ids are in the body of the DELETE."""
    subscriber = desk.require(id_or_email)
    gone = [name for name in _known(desk, order.segment_ids) if name in subscriber.segments]
    for name in gone:
        subscriber.segments.remove(name)
        del desk.segments[name].members[subscriber.id]
    if gone:
        desk.record(call, "subscriber.removed_from_segments", digest(subscriber.email.lower()), [subscriber.id, *gone])
    return view(desk, subscriber)


@router.post("/unsubscribe", response_model=SubscriberView)
async def unsubscribe(desk: Desk, call: TheCall, id_or_email: str) -> Any:
    """Unsubscribe from everything; twice changes nothing."""
    subscriber = desk.require(id_or_email)
    if desk.status_of(subscriber) in ("active", "unconfirmed"):
        subscriber.status, subscriber.unconfirmed_since = "unsubscribed", None
        desk.record(call, "subscriber.unsubscribed", digest(subscriber.email.lower()), [subscriber.id])
        desk.emit("subscriber.unsubscribed", {"subscriber": view(desk, subscriber)})
    return view(desk, subscriber)
