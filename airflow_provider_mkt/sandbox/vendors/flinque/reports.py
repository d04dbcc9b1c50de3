# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Reports: pending, then processing, then ready to be exported."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, Literal

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from airflow_provider_mkt.sandbox.engine.clock import iso
from airflow_provider_mkt.sandbox.engine.fields import Loose, Name
from airflow_provider_mkt.sandbox.engine.timeline import plan
from airflow_provider_mkt.sandbox.engine.vendor import TheCall, VendorError
from airflow_provider_mkt.sandbox.vendors.flinque.account import (
    ERRORS,
    UNFINISHED,
    Flinq,
    Flinque,
    Meta,
    Page,
    PerPage,
    Report,
    listing,
)
from airflow_provider_mkt.sandbox.vendors.flinque.attribution import From, To
from airflow_provider_mkt.sandbox.vendors.flinque.campaigns import Date, find

PENDING_FOR = 60.0
READY_AFTER = PENDING_FOR + 240.0
COLUMNS = ("date", "campaign_id", "creator_id", "impressions", "clicks", "orders", "revenue", "currency")
CHUNK = 1000
"""Rows that are sent at a time."""

router = APIRouter(prefix="/flinque/v1/reports", tags=["Flinque"], responses=ERRORS)


class ReportOrder(Loose):
    """A report to generate; all fields are assumed, others are let through."""

    type: Literal["campaign", "creator_scorecard", "dashboard"] = "campaign"
    name: Name | None = None
    campaign_id: Name | None = None
    start_date: Date | None = None
    end_date: Date | None = None
    format: Literal["csv", "json"] = "csv"


class ReportView(BaseModel):
    """A report."""

    id: str
    type: str
    name: str | None
    status: str
    campaign_id: str | None
    created_at: str
    ready_at: str | None


class ReportPage(BaseModel):
    """A page of reports."""

    data: list[ReportView]
    meta: Meta


def _view(flinque: Flinque, report: Report) -> dict[str, Any]:
    clock = flinque.world.clock
    stage = report.timeline.at(clock.ticks())
    ready = stage.state == "ready"
    return {
        "id": report.id,
        "type": report.type,
        "name": report.name if flinque.switch("report_names") else None,
        "status": stage.state,
        "campaign_id": report.campaign_id,
        "created_at": iso(report.created_at),
        "ready_at": iso(clock.real_at(report.timeline.began(stage))) if ready else None,
    }


@router.get("", response_model=ReportPage)
async def list_reports(  # noqa: PLR0917 - the parameters of the route
    flinque: Flinq, call: TheCall, page: Page = 1, per_page: PerPage = 20, start: From = None, end: To = None
) -> Any:
    """A page of reports, newest first."""
    rows = [
        report
        for report in flinque.room(call).reports.values()
        if (start is None or report.created_at >= start.timestamp())
        and (end is None or report.created_at < end.timestamp())
    ]
    answer = listing(rows, page, per_page)
    answer["data"] = [_view(flinque, report) for report in answer["data"]]
    return answer


@router.post("/generate", response_model=ReportView)
async def generate(flinque: Flinq, call: TheCall, order: ReportOrder) -> Any:
    """Start a report."""
    if order.campaign_id is not None:
        find(flinque, call, order.campaign_id)
    number = flinque.number("report")
    reference = order.name or f"{order.type}:{order.campaign_id or 'all'}"
    outcome = flinque.world.forced_outcomes.draw(flinque.name, reference)
    clock = flinque.world.clock
    steps = [(0.0, "pending"), (PENDING_FOR, "processing"), (READY_AFTER, "ready")]
    report = Report(
        f"re_{number}",
        order.type,
        order.name,
        order.campaign_id,
        order.format,
        clock.now(),
        flinque.report_rows,
        plan(clock.ticks(), steps, outcome.outcome if outcome else None),
    )
    room = flinque.room(call)
    room.reports[report.id] = report
    flinque.unfinished.append((room, report))
    flinque.record(call, "report.generated", reference, [report.id])
    return _view(flinque, report)


@router.get(
    "/{report_id}/export",
    response_class=StreamingResponse,
    responses={
        200: {"description": "The report", "content": {"text/csv": {}, "application/json": {}}},
        202: {"description": "Not ready, by switch"},
    },
)
async def export(flinque: Flinq, call: TheCall, report_id: str) -> Any:
    """The finished report as CSV or JSON, sent in chunks."""
    report = flinque.room(call).reports.get(report_id)
    if report is None:
        raise VendorError(404, "Report not found")
    status = _view(flinque, report)["status"]
    if status in UNFINISHED:
        raise VendorError(flinque.switch("export_not_ready_status"), "The report is not ready", code="not_ready")
    if status != "ready":
        raise VendorError(409, f"The report cannot be exported; its status is {status}")
    kind = "text/csv; charset=utf-8" if report.format == "csv" else "application/json"
    headers = {"Content-Disposition": f'attachment; filename="{report.id}.{report.format}"'}
    lines = _csv(report) if report.format == "csv" else _json(report)
    return StreamingResponse(lines, media_type=kind, headers=headers)


def _values(report: Report, number: int) -> tuple[str, ...]:
    cents = 100 * (number % 900) + 50
    return (
        iso(report.created_at)[:10],
        report.campaign_id or f"ca_{number % 3 + 1}",
        f"cr_{number % 25 + 1}",
        str(1000 + number % 5000),
        str(10 + number % 50),
        str(number % 5),
        f"{cents // 100}.{cents % 100:02d}",
        "USD",
    )


async def _csv(report: Report) -> AsyncIterator[bytes]:
    yield (",".join(COLUMNS) + "\r\n").encode()
    for begin in range(0, report.rows, CHUNK):
        numbers = range(begin, min(begin + CHUNK, report.rows))
        yield "".join(",".join(_values(report, number)) + "\r\n" for number in numbers).encode()


async def _json(report: Report) -> AsyncIterator[bytes]:
    yield b'{"data": ['
    for begin in range(0, report.rows, CHUNK):
        numbers = range(begin, min(begin + CHUNK, report.rows))
        rows = (json.dumps(dict(zip(COLUMNS, _values(report, number), strict=True))) for number in numbers)
        yield (", " if begin else "").encode() + ", ".join(rows).encode()
    yield b"]}"
