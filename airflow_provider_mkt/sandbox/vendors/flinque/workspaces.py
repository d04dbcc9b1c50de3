# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Tokens, workspaces, members and webhook subscriptions."""

from __future__ import annotations

import secrets
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from airflow_provider_mkt.sandbox.engine.clock import iso
from airflow_provider_mkt.sandbox.engine.fields import HttpsAddress, Loose, address_problem
from airflow_provider_mkt.sandbox.engine.vendor import TheCall, VendorError
from airflow_provider_mkt.sandbox.vendors.flinque.account import (
    ERRORS,
    TOKEN_ROUTE,
    WORKSPACES,
    Flinq,
    Meta,
    Page,
    PerPage,
    listing,
)

router = APIRouter(prefix="/flinque/v1", tags=["Flinque"], responses=ERRORS)


class Credentials(Loose):
    """Body of the token call."""

    grant_type: Literal["client_credentials"]
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: Annotated[str, Field(min_length=1)]


class Token(BaseModel):
    """An access token (shape after RFC 6749, assumed)."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int


class WorkspaceView(BaseModel):
    """A workspace."""

    id: str
    name: str
    plan: str


class WorkspacePage(BaseModel):
    """A page of workspaces."""

    data: list[WorkspaceView]
    meta: Meta


class Member(BaseModel):
    """A member of a workspace."""

    id: str
    email: str
    role: str


class MemberPage(BaseModel):
    """A page of members."""

    data: list[Member]
    meta: Meta


class NewWebhook(Loose):
    """A subscription to create."""

    url: HttpsAddress
    events: Annotated[
        list[Literal["campaign.created", "campaign.updated", "order.attributed", "creator.added", "report.ready"]],
        Field(min_length=1, max_length=50),
    ]


class WebhookView(BaseModel):
    """A subscription."""

    id: str
    url: str
    events: list[str]
    created_at: str


class CreatedWebhook(WebhookView):
    """A new subscription, with its secret, shown this once."""

    secret: str


class WebhookPage(BaseModel):
    """A page of subscriptions."""

    data: list[WebhookView]
    meta: Meta


class Nothing(BaseModel):
    """An empty object."""


@router.post(TOKEN_ROUTE, response_model=Token, openapi_extra={"security": []})
async def get_token(flinque: Flinq, call: TheCall, credentials: Credentials) -> Any:
    """Issue an access token for a workspace."""
    token, life = flinque.issue(credentials.client_id, credentials.client_secret)
    flinque.record(call, "token.issued", credentials.client_id)
    return {"access_token": token, "token_type": "Bearer", "expires_in": life}


def _workspace(workspace_id: str) -> dict[str, str]:
    name, plan = WORKSPACES[workspace_id]
    return {"id": workspace_id, "name": name, "plan": plan}


def _own(call: TheCall, workspace_id: str) -> None:
    """A token opens its own workspace only."""
    if workspace_id != call.caller:
        raise VendorError(404, "Workspace not found")


@router.get("/workspaces", response_model=WorkspacePage)
async def list_workspaces(call: TheCall, page: Page = 1, per_page: PerPage = 20) -> Any:
    """The workspace of the token, as a list."""
    return listing([_workspace(call.caller)], page, per_page)


@router.get("/workspaces/{workspace_id}", response_model=WorkspaceView)
async def get_workspace(call: TheCall, workspace_id: str) -> Any:
    """One workspace."""
    _own(call, workspace_id)
    return _workspace(workspace_id)


@router.get("/workspaces/{workspace_id}/members", response_model=MemberPage)
async def list_members(call: TheCall, workspace_id: str, page: Page = 1, per_page: PerPage = 20) -> Any:
    """Members of a workspace."""
    _own(call, workspace_id)
    rows = [
        {"id": f"me_{number}", "email": f"member{number}@harbour-homes.example", "role": role}
        for number, role in enumerate(("member", "member", "admin"), 1)
    ]
    return listing(rows, page, per_page)


@router.get("/webhooks", response_model=WebhookPage)
async def list_webhooks(flinque: Flinq, call: TheCall, page: Page = 1, per_page: PerPage = 20) -> Any:
    """Subscriptions, without secrets."""
    return listing(list(flinque.room(call).webhooks.values()), page, per_page)


@router.post("/webhooks", response_model=CreatedWebhook)
async def create_webhook(flinque: Flinq, call: TheCall, new: NewWebhook) -> Any:
    """Subscribe."""
    problem = address_problem(new.url, https_only=not flinque.switch("allow_http_webhooks"))
    if problem:
        raise VendorError(400, f"url: {problem}", details=[("url", problem)])
    webhook_id = f"wh_{flinque.number('webhook')}"
    row = {
        "id": webhook_id,
        "url": new.url,
        "events": list(new.events),
        "created_at": iso(flinque.world.clock.now()),
    }
    # What is over by now is told to nobody.
    flinque.look()
    room, secret = flinque.room(call), secrets.token_hex(24)
    room.webhooks[webhook_id], room.secrets[webhook_id] = row, secret
    flinque.record(call, "webhook.created", new.url, [webhook_id])
    return {**row, "secret": secret}


@router.delete("/webhooks/{webhook_id}", response_model=Nothing)
async def delete_webhook(flinque: Flinq, call: TheCall, webhook_id: str) -> Any:
    """Unsubscribe."""
    room = flinque.room(call)
    if webhook_id not in room.webhooks:
        raise VendorError(404, "Webhook not found")
    del room.webhooks[webhook_id]
    flinque.record(call, "webhook.deleted", webhook_id, [webhook_id])
    return {}
