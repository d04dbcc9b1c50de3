# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Integrations and their syncs."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from airflow_provider_mkt.sandbox.engine.clock import iso
from airflow_provider_mkt.sandbox.engine.timeline import plan
from airflow_provider_mkt.sandbox.engine.vendor import TheCall, VendorError
from airflow_provider_mkt.sandbox.vendors.flokit.routes import ERRORS, SYNC_FAILED, Flokit, Integration, Kit

SYNC_TAKES = 300.0

router = APIRouter(prefix="/flokit/v1", tags=["FloKit"], responses=ERRORS)


class IntegrationRow(BaseModel):
    """An integration; ``last_synced_at`` is the last successful sync."""

    id: str
    type: Literal[
        "revenuecat", "adapty", "appsflyer", "adjust", "stripe", "app_store_connect", "google_play", "warehouse"
    ]
    status: str
    last_synced_at: str | None
    error_message: str | None


class SyncStats(BaseModel):
    """Figures of the single read."""

    events_last_24h: int
    events_total: int
    earliest_event_at: str


class IntegrationDetail(IntegrationRow):
    """An integration with its figures."""

    sync_stats: SyncStats


class Integrations(BaseModel):
    """All integrations, unpaged."""

    integrations: list[IntegrationRow]


class SingleIntegration(BaseModel):
    """One integration."""

    integration: IntegrationDetail


class SyncStarted(BaseModel):
    """A sync was accepted."""

    status: Literal["ok"]
    sync_id: str


def _row(kit: Flokit, integration: Integration) -> dict[str, Any]:
    status, error, synced_at = integration.status, integration.error_message, integration.synced_at
    if integration.sync is not None:
        stage = integration.sync.at(kit.world.clock.ticks())
        status = stage.state
        error = SYNC_FAILED if status == "error" else None
        if status == "connected":
            synced_at = kit.world.clock.real_at(integration.sync.began(stage))
    return {
        "id": integration.id,
        "type": integration.type,
        "status": status,
        "last_synced_at": None if synced_at is None else iso(synced_at),
        "error_message": error,
    }


def _find(kit: Flokit, integration_id: str) -> Integration:
    if integration_id not in kit.integrations:
        raise VendorError(404, "No such integration")
    return kit.integrations[integration_id]


@router.get("/integrations", response_model=Integrations)
async def list_integrations(kit: Kit) -> Any:
    """All integrations of the workspace."""
    return {"integrations": [_row(kit, integration) for integration in kit.integrations.values()]}


@router.get("/integrations/{integration_id}", response_model=SingleIntegration)
async def get_integration(kit: Kit, integration_id: str) -> Any:
    """One integration."""
    integration = _find(kit, integration_id)
    stats = {
        "events_last_24h": 12,
        "events_total": integration.events,
        "earliest_event_at": "2025-01-01T00:00:00Z",
    }
    return {"integration": {**_row(kit, integration), "sync_stats": stats}}


@router.post(
    "/integrations/{integration_id}/sync",
    response_model=SyncStarted,
    responses={202: {"model": SyncStarted, "description": "Accepted, by switch"}},
)
async def trigger_sync(kit: Kit, call: TheCall, integration_id: str) -> Any:
    """Start a sync."""
    integration = _find(kit, integration_id)
    row = _row(kit, integration)
    if row["status"] == "disconnected":
        raise VendorError(409, "The integration is disconnected")
    if row["status"] == "syncing":
        raise VendorError(409, "A sync is running already")
    clock = kit.world.clock
    if integration.sync is not None and row["status"] == "connected":
        stage = integration.sync.at(clock.ticks())
        integration.synced_at = clock.real_at(integration.sync.began(stage))
        integration.events += 12
    outcome = kit.world.forced_outcomes.draw(kit.name, integration_id)
    steps = [(0.0, "syncing"), (SYNC_TAKES, "connected")]
    integration.sync = plan(clock.ticks(), steps, None if outcome is None else _final(outcome.outcome))
    sync_id = f"sync_{kit.number('sync')}"
    kit.record(call, "sync.started", integration_id, [sync_id])
    return JSONResponse({"status": "ok", "sync_id": sync_id}, status_code=kit.switch("sync_success_status"))


def _final(outcome: str) -> str:
    return "error" if outcome == "failed" else outcome
