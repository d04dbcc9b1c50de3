# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Event ingestion, single and in batches."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from airflow_provider_mkt.sandbox.engine.fields import Body, Moment, Name, any_of
from airflow_provider_mkt.sandbox.engine.vendor import TheCall, VendorError
from airflow_provider_mkt.sandbox.vendors.flokit.routes import ERRORS, Flokit, Kit

AHEAD = 300.0
"""Seconds that an event may lie ahead when future events are refused."""

router = APIRouter(prefix="/flokit/v1", tags=["FloKit"], responses=ERRORS)

Text = Annotated[str, Field(min_length=1, max_length=1024)]


class Event(Body):
    """An event; limits of lengths and of properties are assumed."""

    model_config = ConfigDict(json_schema_extra=any_of("user_id", "anonymous_id"))

    event: Name
    user_id: Text | None = None
    anonymous_id: Text | None = None
    timestamp: Moment
    properties: Annotated[dict[str, Any], Field(max_length=100, default_factory=dict)]

    @model_validator(mode="after")
    def _has_a_user(self) -> Event:
        if self.user_id is None and self.anonymous_id is None:
            raise ValueError("user_id or anonymous_id is required")
        return self


class Batch(Body):
    """1 to 1,000 events, judged one by one."""

    events: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=1000)]


class EventStored(BaseModel):
    """The event was stored."""

    status: Literal["ok"]
    event_id: str


class Rejected(BaseModel):
    """Why an event of a batch was not stored."""

    index: int
    reason: str


class BatchStored(BaseModel):
    """What became of a batch; ``event_ids`` lists accepted events only."""

    status: Literal["ok"]
    accepted: int
    rejected: int
    event_ids: list[str]
    errors: list[Rejected]


def _store(kit: Flokit, call: TheCall, event: Event) -> str:
    if kit.switch("reject_future_events") and event.timestamp.timestamp() > kit.world.clock.now() + AHEAD:
        raise VendorError(400, "timestamp: lies in the future")
    event_id = f"evt_{kit.number('event')}"
    transaction = event.properties.get("transaction_id")
    kit.record(
        call, "event.stored", str(transaction or f"{event.event}:{event.user_id or event.anonymous_id}"), [event_id]
    )
    return event_id


@router.post("/events", response_model=EventStored)
async def send_event(
    kit: Kit, call: TheCall, event: Event, _key: Annotated[str | None, Header(alias="Idempotency-Key")] = None
) -> Any:
    """Store one event."""
    return {"status": "ok", "event_id": _store(kit, call, event)}


@router.post("/batch/events", response_model=BatchStored)
async def send_events(kit: Kit, call: TheCall, batch: Batch) -> Any:
    """Store the valid events of a batch."""
    ids: list[str] = []
    errors: list[dict[str, Any]] = []
    for index, item in enumerate(batch.events):
        try:
            ids.append(_store(kit, call, Event.model_validate(item)))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(step) for step in first["loc"])
            reason = first["msg"].removeprefix("Value error, ")
            errors.append({"index": index, "reason": f"{place}: {reason}" if place else reason})
        except VendorError as error:
            errors.append({"index": index, "reason": error.message})
    return {"status": "ok", "accepted": len(ids), "rejected": len(errors), "event_ids": ids, "errors": errors}
