# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Usage figures (shapes and query names assumed)."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, BeforeValidator, Field

from airflow_provider_mkt.sandbox.engine.fields import day
from airflow_provider_mkt.sandbox.engine.vendor import VendorError
from airflow_provider_mkt.sandbox.vendors.flow_social.account import ERRORS, Envelope, FlowSocial, Social, stamp

MAX_DAYS = 366
"""Days of history in one answer."""

router = APIRouter(prefix="/flow-social/v1/usage", tags=["Flow Social"], responses=ERRORS)

Day = Annotated[date, BeforeValidator(day), Field(json_schema_extra={"type": "string", "format": "date"})]


class Usage(BaseModel):
    """Usage of the present month; bounds in milliseconds."""

    requests: int
    posts: int
    periodStart: int
    periodEnd: int


class DayUsage(BaseModel):
    """Usage of one day."""

    date: str
    requests: int
    posts: int


def _row(social: FlowSocial, moment: date) -> dict[str, Any]:
    return {"date": moment.isoformat(), **social.usage.get(moment.isoformat(), {"requests": 0, "posts": 0})}


def _today(social: FlowSocial) -> date:
    return datetime.fromtimestamp(social.world.clock.now(), timezone.utc).date()


@router.get("", response_model=Envelope[Usage])
async def get_usage(social: Social) -> Any:
    """Usage of the present month."""
    today = _today(social)
    first = datetime(today.year, today.month, 1, tzinfo=timezone.utc)
    end = (first + timedelta(days=32)).replace(day=1)
    rows = [row for name, row in social.usage.items() if name >= first.date().isoformat()]
    return {
        "data": {
            "requests": sum(row["requests"] for row in rows),
            "posts": sum(row["posts"] for row in rows),
            "periodStart": stamp(first.timestamp()),
            "periodEnd": stamp(end.timestamp()),
        }
    }


@router.get("/history", response_model=Envelope[list[DayUsage]])
async def get_history(
    social: Social,
    start: Annotated[Day | None, Query(alias="from")] = None,
    end: Annotated[Day | None, Query(alias="to")] = None,
) -> Any:
    """Usage by day; the last 30 days when nothing is asked for."""
    last = end or _today(social)
    first = start or last - timedelta(days=min(29, (last - date.min).days))
    if first > last:
        raise VendorError(400, "Invalid request", details=[("from", "must not be after to")])
    days = (last - first).days + 1
    if days > MAX_DAYS:
        raise VendorError(400, "Invalid request", details=[("from", f"at most {MAX_DAYS} days before to")])
    return {"data": [_row(social, first + timedelta(days=offset)) for offset in range(days)]}


@router.get("/day", response_model=Envelope[DayUsage])
async def get_day(social: Social, on: Annotated[Day | None, Query(alias="date")] = None) -> Any:
    """Usage of one day, today when nothing is asked for."""
    return {"data": _row(social, on or _today(social))}
