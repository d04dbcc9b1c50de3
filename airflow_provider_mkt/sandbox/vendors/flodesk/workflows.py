# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Workflows and who walks through them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from airflow_provider_mkt.sandbox.engine.fields import Body, any_of
from airflow_provider_mkt.sandbox.engine.ledger import digest
from airflow_provider_mkt.sandbox.engine.vendor import TheCall, VendorError
from airflow_provider_mkt.sandbox.vendors.flodesk.account import ERRORS, Desk, Flodesk, Meta, Page, Workflow, paged

router = APIRouter(prefix="/flodesk/v1/workflows", tags=["Flodesk"], responses=ERRORS)

STATUSES = ("active", "paused", "draft")


class Entrant(Body):
    """Who is added."""

    model_config = ConfigDict(json_schema_extra=any_of("id", "email"))

    id: Annotated[str, Field(max_length=255)] | None = None
    email: Annotated[str, Field(max_length=255)] | None = None

    @model_validator(mode="after")
    def _names_somebody(self) -> Entrant:
        if not self.id and not self.email:
            raise ValueError("either email or id is required")
        return self


class WorkflowView(BaseModel):
    """A workflow; its status is not shown."""

    id: str
    name: str


class Workflows(BaseModel):
    """A page of workflows."""

    data: list[WorkflowView]
    meta: Meta


def _find(desk: Flodesk, workflow_id: str) -> Workflow:
    if workflow_id not in desk.workflows:
        raise VendorError(404, "Workflow not found")
    return desk.workflows[workflow_id]


@router.get("", response_model=Workflows)
async def list_workflows(
    desk: Desk,
    statuses: Annotated[
        str | None, Query(pattern=r"^(active|paused|draft)(,(active|paused|draft))*$", description="comma-separated")
    ] = None,
    page: Page = 1,
    per_page: Annotated[int, Query(alias="perPage", ge=1, le=100)] = 10,
) -> Any:
    """A page of workflows; this list alone spells perPage in camel case."""
    wanted: tuple[str, ...] | list[str] = STATUSES if statuses is None else statuses.split(",")
    rows = [{"id": row.id, "name": row.name} for row in desk.workflows.values() if row.status in wanted]
    return paged(rows, page, per_page)


@router.post("/{workflow_id}/subscribers", status_code=204)
async def add_subscriber(desk: Desk, call: TheCall, workflow_id: str, entrant: Entrant) -> None:
    """Let a subscriber enter; again only after completion, and where repeats are allowed."""
    workflow = _find(desk, workflow_id)
    subscriber = desk.require(entrant.id or entrant.email or "")
    if workflow.status != "active" or workflow.abandoned_cart:
        raise VendorError(400, "subscribers cannot be added to this workflow")
    entered = workflow.entries.get(subscriber.id, None)
    if subscriber.id in workflow.entries and entered is not None:
        if desk.world.clock.ticks() - entered < desk.switch("workflow_duration"):
            raise VendorError(400, "the subscriber is active in this workflow")
        if not workflow.repeats:
            raise VendorError(400, "the workflow does not allow repeat subscribers")
    workflow.entries[subscriber.id] = desk.world.clock.ticks()
    reference = f"{workflow_id}:{digest(subscriber.email.lower())}"
    desk.record(call, "workflow.entered", reference, [workflow_id, subscriber.id])


@router.delete("/{workflow_id}/subscribers/{id_or_email}", status_code=204)
async def remove_subscriber(desk: Desk, call: TheCall, workflow_id: str, id_or_email: str) -> None:
    """Take a subscriber out of a workflow."""
    workflow = _find(desk, workflow_id)
    subscriber = desk.require(id_or_email)
    if workflow.entries.get(subscriber.id) is None:
        raise VendorError(404, "Subscriber not found in this workflow")
    workflow.entries[subscriber.id] = None
    reference = f"{workflow_id}:{digest(subscriber.email.lower())}"
    desk.record(call, "workflow.left", reference, [workflow_id, subscriber.id])
