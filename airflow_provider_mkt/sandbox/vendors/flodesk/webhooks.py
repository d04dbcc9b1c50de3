# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Webhook subscriptions."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from airflow_provider_mkt.sandbox.engine.clock import iso
from airflow_provider_mkt.sandbox.engine.fields import Body, HttpsAddress, Instant, Name, address_problem
from airflow_provider_mkt.sandbox.engine.vendor import TheCall, VendorError
from airflow_provider_mkt.sandbox.vendors.flodesk.account import ERRORS, Desk, Flodesk, Id, Meta, Page, PerPage, paged

router = APIRouter(prefix="/flodesk/v1/webhooks", tags=["Flodesk"], responses=ERRORS)

Event = Literal["subscriber.created", "subscriber.added_to_segment", "subscriber.unsubscribed"]
Events = Annotated[list[Event], Field(min_length=1, max_length=10)]


class NewWebhook(Body):
    """A subscription to create; the name is not shown again."""

    name: Name
    post_url: HttpsAddress
    events: Events


class WebhookChanges(Body):
    """Changes of a subscription."""

    name: Name | None = None
    post_url: HttpsAddress | None = None
    events: Events | None = None


class WebhookView(BaseModel):
    """A subscription."""

    id: str
    post_url: str
    events: list[Event]
    created_at: Instant


class Webhooks(BaseModel):
    """A page of subscriptions."""

    meta: Meta
    data: list[WebhookView]


def _find(desk: Flodesk, webhook_id: str) -> dict[str, Any]:
    if webhook_id not in desk.webhooks:
        raise VendorError(404, "Webhook not found")
    return desk.webhooks[webhook_id]


def _check(desk: Flodesk, url: str) -> None:
    problem = address_problem(url, https_only=not desk.switch("allow_http_webhooks"))
    if problem:
        raise VendorError(400, f"post_url {problem}")


@router.get("", response_model=Webhooks)
async def list_webhooks(desk: Desk, page: Page = 1, per_page: PerPage = 20) -> Any:
    """A page of subscriptions."""
    return paged(list(desk.webhooks.values()), page, per_page)


@router.post("", status_code=201, response_model=WebhookView)
async def create_webhook(desk: Desk, call: TheCall, new: NewWebhook) -> Any:
    """Subscribe."""
    _check(desk, new.post_url)
    webhook_id = f"hook_{desk.number('webhook')}"
    desk.webhooks[webhook_id] = {
        "id": webhook_id,
        "post_url": new.post_url,
        "events": list(new.events),
        "created_at": iso(desk.world.clock.now()),
    }
    desk.record(call, "webhook.created", new.post_url, [webhook_id])
    return desk.webhooks[webhook_id]


@router.get("/{id}", response_model=WebhookView)
async def get_webhook(desk: Desk, webhook_id: Id) -> Any:
    """One subscription."""
    return _find(desk, webhook_id)


@router.put("/{id}", response_model=WebhookView)
async def update_webhook(desk: Desk, call: TheCall, webhook_id: Id, changes: WebhookChanges) -> Any:
    """Change a subscription; omitted fields stay as they are (assumed)."""
    webhook = _find(desk, webhook_id)
    if changes.post_url is not None:
        _check(desk, changes.post_url)
    webhook.update(changes.model_dump(exclude_none=True, exclude={"name"}))
    desk.record(call, "webhook.updated", webhook_id, [webhook_id])
    return webhook


@router.delete("/{id}", status_code=204)
async def delete_webhook(desk: Desk, call: TheCall, webhook_id: Id) -> None:
    """Unsubscribe."""
    _find(desk, webhook_id)
    del desk.webhooks[webhook_id]
    desk.record(call, "webhook.deleted", webhook_id, [webhook_id])
