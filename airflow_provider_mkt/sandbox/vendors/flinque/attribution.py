# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Attributed orders, revenue and events. They belong to the first workspace; the others have none."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, BeforeValidator, Field

from airflow_provider_mkt.sandbox.engine.fields import time_or_day
from airflow_provider_mkt.sandbox.engine.vendor import Call, TheCall, VendorError
from airflow_provider_mkt.sandbox.vendors.flinque.account import ERRORS, Flinq, Flinque, Meta, Page, PerPage
from airflow_provider_mkt.sandbox.vendors.flinque.orders import EVENTS, Orders

router = APIRouter(prefix="/flinque/v1/attribution", tags=["Flinque"], responses=ERRORS)

_SCHEMA = {"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}
Moment = Annotated[datetime, BeforeValidator(time_or_day), Field(json_schema_extra=_SCHEMA)]
From = Annotated[Moment | None, Query(alias="from", description="included")]
To = Annotated[Moment | None, Query(alias="to", description="excluded")]


class Order(BaseModel):
    """An order credited to a creator; money is a decimal text."""

    id: str
    campaign_id: str
    creator_id: str
    amount: str
    currency: str
    attributed_at: str


class OrderPage(BaseModel):
    """A page of orders."""

    data: list[Order]
    meta: Meta


class Revenue(BaseModel):
    """The sum of orders; the bounds are those that were asked for."""

    currency: str
    total: str
    orders: int
    start: str | None = Field(serialization_alias="from")
    to: str | None


class Event(BaseModel):
    """A step on the way to an order."""

    id: str
    type: str
    creator_id: str
    campaign_id: str
    occurred_at: str


class EventPage(BaseModel):
    """A page of events."""

    data: list[Event]
    meta: Meta


def _orders(flinque: Flinque, call: Call, start: datetime | None, end: datetime | None) -> Orders:
    if start is not None and end is not None and end < start:
        raise VendorError(400, "to: must not be before from", details=[("to", "must not be before from")])
    orders = flinque.orders if call.caller == "ws_1" else Orders(0, flinque.orders.until)
    return orders.between(start.timestamp() if start else None, end.timestamp() if end else None)


@router.get("/orders", response_model=OrderPage)
async def list_orders(  # noqa: PLR0917 - the parameters of the route
    flinque: Flinq, call: TheCall, page: Page = 1, per_page: PerPage = 20, start: From = None, end: To = None
) -> Any:
    """A page of orders, newest first."""
    orders = _orders(flinque, call, start, end)
    meta = {"page": page, "per_page": per_page, "total": len(orders)}
    return {"data": orders.page(page, per_page), "meta": meta}


@router.get("/revenue", response_model=Revenue)
async def get_revenue(flinque: Flinq, call: TheCall, start: From = None, end: To = None) -> Any:
    """The sum of the orders."""
    orders = _orders(flinque, call, start, end)
    cents = orders.total_cents()
    return {
        "currency": "USD",
        "total": f"{cents // 100}.{cents % 100:02d}",
        "orders": len(orders),
        "start": call.parameter("from"),
        "to": call.parameter("to"),
    }


@router.get("/events", response_model=EventPage)
async def list_events(  # noqa: PLR0917 - the parameters of the route
    flinque: Flinq, call: TheCall, page: Page = 1, per_page: PerPage = 20, start: From = None, end: To = None
) -> Any:
    """A page of events, newest first."""
    orders = _orders(flinque, call, start, end)
    meta = {"page": page, "per_page": per_page, "total": len(orders) * len(EVENTS)}
    return {"data": orders.events_page(page, per_page), "meta": meta}
