# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Webhook subscriptions, and the log of their deliveries."""

from __future__ import annotations

import secrets
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from airflow_provider_mkt.sandbox.engine.fields import Body, HttpsAddress, address_problem
from airflow_provider_mkt.sandbox.engine.outbox import Delivery
from airflow_provider_mkt.sandbox.engine.vendor import TheCall, VendorError, page_of
from airflow_provider_mkt.sandbox.vendors.flow_social.account import (
    ERRORS,
    Envelope,
    FlowSocial,
    IdempotencyKey,
    Message,
    Social,
    stamp,
)
from airflow_provider_mkt.sandbox.vendors.flow_social.querying import Page, PerPage

router = APIRouter(prefix="/flow-social/v1/webhooks", tags=["Flow Social"], responses=ERRORS)

Event = Literal[
    "post.created",
    "post.delivered",
    "post.failed",
    "post.blocked",
    "channel.created",
    "channel.updated",
    "webhook.test",
]
Events = Annotated[list[Event], Field(min_length=1, max_length=50)]


class NewWebhook(Body):
    """A subscription to create."""

    url: HttpsAddress
    events: Events


class WebhookChanges(Body):
    """Changes of a subscription."""

    url: HttpsAddress | None = None
    events: Events | None = None
    active: bool | None = None


class WebhookView(BaseModel):
    """A subscription."""

    id: str
    userId: str
    url: str
    events: list[str]
    active: bool
    createdAt: int


class CreatedWebhook(WebhookView):
    """A new subscription, with its secret, shown this once."""

    secret: str


class DeliveryView(BaseModel):
    """An entry of the delivery log."""

    id: str
    webhookId: str
    eventId: str
    eventType: str
    status: Literal["pending", "delivered", "failed"]
    attemptCount: int
    responseCode: int | None
    createdAt: int
    deliveredAt: int | None


def _find(social: FlowSocial, webhook_id: str) -> dict[str, Any]:
    if webhook_id not in social.webhooks:
        raise VendorError(404, "Webhook not found")
    return social.webhooks[webhook_id]


def _check(social: FlowSocial, url: str) -> None:
    problem = address_problem(url, https_only=not social.switch("allow_http_webhooks"))
    if problem:
        raise VendorError(400, "Invalid request", details=[("url", problem)])


@router.get("", response_model=Envelope[list[WebhookView]])
async def list_webhooks(social: Social, page: Page = 1, per_page: PerPage = 20) -> Any:
    """A page of subscriptions, without secrets."""
    return {"data": page_of(list(social.webhooks.values()), page, per_page)}


@router.post("", status_code=201, response_model=Envelope[CreatedWebhook])
async def create_webhook(social: Social, call: TheCall, new: NewWebhook, _key: IdempotencyKey = None) -> Any:
    """Subscribe."""
    _check(social, new.url)
    webhook = {
        "id": f"webhook_{social.number('webhook')}",
        "userId": "user_1",
        "url": new.url,
        "events": list(new.events),
        "active": True,
        "createdAt": stamp(social.world.clock.now()),
    }
    # What is over by now is told to nobody.
    social.look()
    webhook_id, secret = str(webhook["id"]), f"whsec_{secrets.token_hex(24)}"
    social.webhooks[webhook_id], social.webhook_secrets[webhook_id] = webhook, secret
    social.record(call, "webhook.created", new.url, [webhook_id])
    return {"data": {**webhook, "secret": secret}}


@router.get("/{webhook_id}", response_model=Envelope[WebhookView])
async def get_webhook(social: Social, webhook_id: str) -> Any:
    """One subscription."""
    return {"data": _find(social, webhook_id)}


@router.patch("/{webhook_id}", response_model=Envelope[WebhookView])
async def update_webhook(social: Social, call: TheCall, webhook_id: str, changes: WebhookChanges) -> Any:
    """Change a subscription."""
    webhook = _find(social, webhook_id)
    if changes.url is not None:
        _check(social, changes.url)
    webhook.update(changes.model_dump(exclude_none=True))
    social.record(call, "webhook.updated", webhook_id, [webhook_id])
    return {"data": webhook}


@router.delete("/{webhook_id}", response_model=Envelope[Message])
async def delete_webhook(social: Social, call: TheCall, webhook_id: str) -> Any:
    """Unsubscribe."""
    _find(social, webhook_id)
    del social.webhooks[webhook_id]
    social.record(call, "webhook.deleted", webhook_id, [webhook_id])
    return {"data": {"message": "Webhook deleted"}}


@router.get("/{webhook_id}/deliveries", response_model=Envelope[list[DeliveryView]])
async def list_deliveries(
    social: Social,
    webhook_id: str,
    page: Page = 1,
    per_page: PerPage = 20,
    status: Literal["pending", "delivered", "failed"] | None = None,
) -> Any:
    """The delivery log."""
    _find(social, webhook_id)
    found = social.world.outbox.deliveries(social.name, webhook_id)
    rows = [_row(each) for each in found if status in (None, each.status)]
    return {"data": page_of(rows, page, per_page)}


@router.post("/{webhook_id}/test", response_model=Envelope[DeliveryView])
async def test_webhook(social: Social, call: TheCall, webhook_id: str) -> Any:
    """Order a test event."""
    webhook = _find(social, webhook_id)
    payload = {"event": "webhook.test", "data": {}, "timestamp": stamp(social.world.clock.now())}
    delivery = social.deliver(webhook, payload)
    social.record(call, "webhook.tested", webhook_id, [f"delivery_{delivery.number}"])
    return {"data": _row(delivery)}


def _row(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": f"delivery_{delivery.number}",
        "webhookId": delivery.webhook_id,
        "eventId": f"event_{delivery.number}",
        "eventType": delivery.event,
        "status": delivery.status,
        "attemptCount": delivery.attempts,
        "responseCode": delivery.response,
        "createdAt": stamp(delivery.created_at),
        "deliveredAt": None if delivery.delivered_at is None else stamp(delivery.delivered_at),
    }
