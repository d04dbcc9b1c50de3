# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Subscribers: list, upsert, batch, read."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from airflow_provider_mkt.sandbox.engine.clock import iso
from airflow_provider_mkt.sandbox.engine.fields import Body, Instant, Moment, any_of, is_email
from airflow_provider_mkt.sandbox.engine.ledger import digest
from airflow_provider_mkt.sandbox.engine.vendor import Call, TheCall, VendorError
from airflow_provider_mkt.sandbox.vendors.flodesk.account import (
    ERRORS,
    MAX_SEGMENTS,
    Desk,
    Flodesk,
    Meta,
    Page,
    PerPage,
    Subscriber,
    paged,
)

router = APIRouter(prefix="/flodesk/v1/subscribers", tags=["Flodesk"], responses=ERRORS)

Text = Annotated[str, Field(max_length=255)]
Status = Literal["active", "unsubscribed", "unconfirmed", "bounced", "complained", "cleaned"]
"""What a list can be filtered by."""
ShownStatus = Status | Literal["archived"]
Source = Literal["manual", "csv", "form_optin", "integration", "checkout"]


class Upsert(Body):
    """A subscriber to create or update; omitted fields stay as they are (assumed)."""

    model_config = ConfigDict(json_schema_extra=any_of("id", "email"))

    id: Text | None = None
    email: Text | None = None
    first_name: Text | None = None
    last_name: Text | None = None
    custom_fields: dict[str, str] | None = None
    segment_ids: Annotated[list[str], Field(max_length=MAX_SEGMENTS)] | None = None
    double_optin: bool | None = None
    optin_ip: Text | None = None
    optin_timestamp: Moment | None = None

    @model_validator(mode="after")
    def _names_somebody(self) -> Upsert:
        if not self.id and not self.email:
            raise ValueError("either email or id must be included")
        return self


class Batch(Body):
    """1 to 50 upserts, judged one by one."""

    subscribers: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=50)]


class SegmentMini(BaseModel):
    """A segment in short."""

    id: str
    name: str


class SubscriberView(BaseModel):
    """A subscriber."""

    id: str
    status: ShownStatus
    email: str
    source: Source
    first_name: str
    last_name: str
    segments: list[SegmentMini]
    custom_fields: dict[str, str]
    optin_ip: str
    optin_timestamp: Instant | None
    created_at: Instant


class Subscribers(BaseModel):
    """A page of subscribers."""

    meta: Meta
    data: list[SubscriberView]


class Success(BaseModel):
    """A batch item that was stored."""

    id: str
    status: ShownStatus
    email: str


class BatchFailure(BaseModel):
    """A batch item that was refused; ``index`` counts from 0 in the request."""

    index: int
    email: str
    id: str
    code: str
    message: str


class BatchResult(BaseModel):
    """What became of a batch."""

    successes: list[Success]
    failures: list[BatchFailure]


def view(desk: Flodesk, subscriber: Subscriber) -> dict[str, Any]:
    """A subscriber as answers show it."""
    return {
        "id": subscriber.id,
        "status": desk.status_of(subscriber),
        "email": subscriber.email,
        "source": subscriber.source,
        "first_name": subscriber.first_name,
        "last_name": subscriber.last_name,
        "segments": [{"id": name, "name": desk.segments[name].name} for name in subscriber.segments],
        "custom_fields": subscriber.custom_fields,
        "optin_ip": subscriber.optin_ip,
        "optin_timestamp": subscriber.optin_timestamp,
        "created_at": iso(subscriber.created_at),
    }


def _check(desk: Flodesk, order: Upsert) -> Subscriber | None:
    """The subscriber that an upsert speaks of, None for a new one.

    :raises VendorError: 400
    """
    if order.email and not is_email(order.email):
        raise VendorError(400, "email is not valid", code="invalid_email")
    for key in order.custom_fields or {}:
        if key not in desk.custom_fields:
            raise VendorError(400, "custom_fields holds an unknown key")
    for name in order.segment_ids or []:
        if name not in desk.segments:
            raise VendorError(400, "segment_ids holds an unknown segment")
    known = desk.subscribers.get(order.id) if order.id else desk.find(order.email or "")
    if order.id and known is None:
        raise VendorError(400, "id is unknown")
    if known is not None and order.email:
        owner = desk.by_email.get(order.email.lower())
        if owner not in (None, known.id):
            raise VendorError(400, "email belongs to another subscriber")
    present = set(known.segments) if known else set()
    if len(present | set(order.segment_ids or [])) > MAX_SEGMENTS:
        raise VendorError(400, f"a subscriber can be in at most {MAX_SEGMENTS} segments")
    return known


def upsert(desk: Flodesk, call: Call, order: Upsert) -> Subscriber:
    """Create or update a subscriber. The status of a known one never changes (assumed).

    :raises VendorError: 400
    """
    known = _check(desk, order)
    clock = desk.world.clock
    subscriber = known or desk.add(order.email or "", clock.now())
    if known is None and order.double_optin:
        subscriber.status, subscriber.unconfirmed_since = "unconfirmed", clock.ticks()
    if known is not None and order.email and order.email.lower() != known.email.lower():
        del desk.by_email[known.email.lower()]
        desk.by_email[order.email.lower()] = known.id
        known.email = order.email
    for name in ("first_name", "last_name", "optin_ip"):
        value = getattr(order, name)
        if value is not None:
            setattr(subscriber, name, value)
    if order.optin_timestamp is not None:
        subscriber.optin_timestamp = iso(order.optin_timestamp.timestamp())
    subscriber.custom_fields.update(order.custom_fields or {})
    fresh = desk.join(subscriber, order.segment_ids or [])
    effect = "subscriber.created" if known is None else "subscriber.updated"
    desk.record(call, effect, digest(subscriber.email.lower()), [subscriber.id])
    if known is None:
        desk.emit("subscriber.created", {"subscriber": view(desk, subscriber)})
    tell_added(desk, subscriber, fresh)
    return subscriber


def tell_added(desk: Flodesk, subscriber: Subscriber, segments: list[str]) -> None:
    """Tell of the segments that a subscriber came into, one by one."""
    if not desk.webhooks:
        return
    for name in segments:
        segment = {"id": name, "name": desk.segments[name].name}
        desk.emit("subscriber.added_to_segment", {"subscriber": view(desk, subscriber), "segment": segment})


@router.get("", response_model=Subscribers)
async def list_subscribers(
    desk: Desk, page: Page = 1, per_page: PerPage = 20, status: Status | None = None, segment_id: str | None = None
) -> Any:
    """A page of subscribers."""
    rows = list(desk.subscribers.values())
    if segment_id is not None:
        segment = desk.segments.get(segment_id)
        rows = [desk.subscribers[name] for name in segment.members] if segment else []
    if status is not None:
        rows = [row for row in rows if desk.status_of(row) == status]
    answer = paged(rows, page, per_page)
    answer["data"] = [view(desk, row) for row in answer["data"]]
    return answer


@router.post("", response_model=SubscriberView)
async def create_or_update(desk: Desk, call: TheCall, order: Upsert) -> Any:
    """Create or update a subscriber; the answer does not say which."""
    return view(desk, upsert(desk, call, order))


@router.post("/batch", response_model=BatchResult)
async def batch(desk: Desk, call: TheCall, order: Batch) -> Any:
    """Create or update up to 50 subscribers; items fail one by one."""
    successes: dict[str, dict[str, str]] = {}
    failures: list[dict[str, Any]] = []
    for index, item in enumerate(order.subscribers):
        try:
            subscriber = upsert(desk, call, Upsert.model_validate(item))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(step) for step in first["loc"])
            message = first["msg"].removeprefix("Value error, ")
            failures.append(_failure(index, item, "bad_request", f"{place}: {message}" if place else message))
        except VendorError as refusal:
            failures.append(_failure(index, item, refusal.code or "bad_request", refusal.message))
        else:
            status = desk.status_of(subscriber)
            successes[subscriber.id] = {"id": subscriber.id, "status": status, "email": subscriber.email}
    # Successes come in another order than the request, as the vendor warns of nothing else.
    return {"successes": list(reversed(successes.values())), "failures": failures}


def _failure(index: int, item: dict[str, Any], code: str, message: str) -> dict[str, Any]:
    names = {name: item[name] if isinstance(item.get(name), str) else "" for name in ("email", "id")}
    return {"index": index, **names, "code": code, "message": message}


@router.get("/{id_or_email}", response_model=SubscriberView)
async def get_subscriber(desk: Desk, id_or_email: str) -> Any:
    """One subscriber."""
    return view(desk, desk.require(id_or_email))
