# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Payback and cohort reports; their figures are invented, but the same for the same question."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, BeforeValidator, Field

from airflow_provider_mkt.sandbox.engine.clock import iso
from airflow_provider_mkt.sandbox.engine.fields import day
from airflow_provider_mkt.sandbox.engine.vendor import VendorError
from airflow_provider_mkt.sandbox.vendors.flokit.routes import ERRORS, Kit

MAX_DAYS = 366
"""Days that a report may span (assumed)."""

FRESHNESS = 6 * 3600
GROUPS = {
    "campaign": ("DE_Web_Search_May", "US_Video_May", "UK_Social_May"),
    "creative": ("harbour_view", "garden_tour"),
    "country": ("DE", "US", "GB"),
    "offer": ("annual_trial", "monthly"),
    "paywall": ("paywall_a", "paywall_b"),
}

router = APIRouter(prefix="/flokit/v1/reports", tags=["FloKit"], responses=ERRORS)

Day = Annotated[date, BeforeValidator(day), Field(json_schema_extra={"type": "string", "format": "date"})]
Group = Literal["campaign", "creative", "country", "offer", "paywall"]


class PaybackRow(BaseModel):
    """Figures of one cohort; ``payback_days`` is null while it has not paid back."""

    cohort: str
    spend: float
    cac: float
    trials: int
    trial_conversion_rate: float
    subscriptions: int
    roas_30d: float
    payback_days: int | None
    ltv_projected: float


class ReportMeta(BaseModel):
    """What the figures mean."""

    currency: str
    generated_at: str
    cohort_window_days: int


class Payback(BaseModel):
    """The payback report."""

    data: list[PaybackRow]
    meta: ReportMeta


class CohortRow(BaseModel):
    """Weekly curves of one cohort (shape assumed)."""

    cohort: str
    retention: list[float]
    ltv: list[float]


class Cohorts(BaseModel):
    """The cohort report (shape assumed)."""

    data: list[CohortRow]
    meta: ReportMeta


def _span(start: date, end: date) -> int:
    if end < start:
        raise VendorError(400, "the end date must not be before the start date")
    if (end - start).days >= MAX_DAYS:
        raise VendorError(400, f"a report spans at most {MAX_DAYS} days")
    return (end - start).days + 1


def _meta(kit: Kit, window: int) -> dict[str, Any]:
    now = kit.world.clock.now()
    return {"currency": "USD", "generated_at": iso(now - now % FRESHNESS), "cohort_window_days": window}


@router.get("/payback", response_model=Payback)
async def payback(
    kit: Kit,
    start_date: Annotated[Day, Query()],
    end_date: Annotated[Day, Query()],
    group_by: Group = "campaign",
    cohort_window_days: Annotated[int, Query(ge=1, le=366)] = 30,
) -> Any:
    """Spend and payback by group."""
    days = _span(start_date, end_date)
    rows = []
    for index, cohort in enumerate(GROUPS[group_by]):
        trials = 5 * days * (index + 1)
        rows.append(
            {
                "cohort": cohort,
                "spend": 100.0 * days * (index + 1),
                "cac": 40.0,
                "trials": trials,
                "trial_conversion_rate": 0.5,
                "subscriptions": trials // 2,
                "roas_30d": round(1.1 - index * 0.3, 2),
                "payback_days": 28 if index == 0 else None,
                "ltv_projected": 40.0,
            }
        )
    return {"data": rows, "meta": _meta(kit, cohort_window_days)}


@router.get("/cohorts", response_model=Cohorts)
async def cohorts(
    kit: Kit,
    cohort_start: Annotated[Day, Query()],
    cohort_end: Annotated[Day, Query()],
    group_by: Group = "campaign",
) -> Any:
    """Weekly retention and lifetime value by group."""
    weeks = max(_span(cohort_start, cohort_end) // 7, 1)
    rows = [
        {
            "cohort": cohort,
            "retention": [round(0.9**week, 4) for week in range(weeks)],
            "ltv": [round(4.0 * (week + 1), 2) for week in range(weeks)],
        }
        for cohort in GROUPS[group_by]
    ]
    return {"data": rows, "meta": _meta(kit, 30)}
