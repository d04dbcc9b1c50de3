# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Connections to platforms, and the browser's way to make them."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from airflow_provider_mkt.sandbox.engine.clock import DAY
from airflow_provider_mkt.sandbox.engine.fields import Body
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
from airflow_provider_mkt.sandbox.vendors.flow_social.channels import find_channel
from airflow_provider_mkt.sandbox.vendors.flow_social.objects import Connection
from airflow_provider_mkt.sandbox.vendors.flow_social.querying import Page, PerPage

TOKEN_LIFE = 60 * DAY
DASHBOARD = "https://flowsocial.app/connections"
AUTHORIZE = {
    "twitter": "https://twitter.com/i/oauth2/authorize",
    "linkedin": "https://www.linkedin.com/oauth/v2/authorization",
    "meta": "https://www.facebook.com/dialog/oauth",
    "tiktok": "https://www.tiktok.com/v2/auth/authorize/",
}
Platform = Literal["twitter", "linkedin", "meta", "tiktok"]

router = APIRouter(prefix="/flow-social/v1/connections", tags=["Flow Social"], responses=ERRORS)
_REDIRECT: dict[int | str, dict[str, Any]] = {302: {"description": "Onward to the platform or back"}}


class ConnectionView(BaseModel):
    """A connection (shape assumed)."""

    id: str
    platform: str
    username: str
    status: str
    expiresAt: int | None


class Verification(BaseModel):
    """Outcome of a check (shape assumed)."""

    id: str
    platform: str
    valid: bool
    status: str


class Target(Body):
    """The channel that gets a connection (name assumed)."""

    channelId: Annotated[str, Field(min_length=1)]


def _view(connection: Connection) -> dict[str, Any]:
    return {
        "id": connection.id,
        "platform": connection.platform,
        "username": connection.username,
        "status": connection.status,
        "expiresAt": None if connection.expires_at is None else stamp(connection.expires_at),
    }


def _verification(connection: Connection) -> dict[str, Any]:
    valid = connection.status == "active"
    return {"id": connection.id, "platform": connection.platform, "valid": valid, "status": connection.status}


def _find(social: FlowSocial, connection_id: str) -> Connection:
    if connection_id not in social.connections:
        raise VendorError(404, "Connection not found")
    return social.connections[connection_id]


@router.get("", response_model=Envelope[list[ConnectionView]])
async def list_connections(social: Social, page: Page = 1, per_page: PerPage = 20) -> Any:
    """A page of connections."""
    return {"data": [_view(row) for row in page_of(list(social.connections.values()), page, per_page)]}


@router.get("/{platform}/auth", status_code=302, responses=_REDIRECT, response_class=RedirectResponse)
async def start_authorization(social: Social, platform: Platform) -> Any:
    """Send the browser to the platform."""
    state = f"state_{social.number('state')}"
    social.states[state] = platform
    query = urlencode({"client_id": "sandbox", "response_type": "code", "state": state})
    return RedirectResponse(f"{AUTHORIZE[platform]}?{query}", status_code=302)


@router.get(
    "/{platform}/callback",
    status_code=302,
    responses=_REDIRECT,
    response_class=RedirectResponse,
    openapi_extra={"security": []},
)
async def finish_authorization(
    social: Social,
    call: TheCall,
    platform: Platform,
    code: Annotated[str, Query(min_length=1)],
    state: Annotated[str, Query(min_length=1)],
) -> Any:
    """Take the browser back from the platform; a state works once. Any code is accepted."""
    if not code or social.states.get(state) != platform:
        raise VendorError(400, "Invalid request", details=[("state", "is unknown or used")])
    del social.states[state]
    expires = social.world.clock.now() + TOKEN_LIFE
    number = social.number("connection")
    connection = Connection(f"conn_{number}", platform, f"@sandbox{number}", "active", expires)
    social.connections[connection.id] = connection
    social.record(call, "connection.created", platform, [connection.id])
    return RedirectResponse(f"{DASHBOARD}?{urlencode({'connected': connection.id})}", status_code=302)


@router.post("/verify-channel/{channel_id}", response_model=Envelope[list[Verification]])
async def verify_channel(social: Social, channel_id: str) -> Any:
    """Check all connections of a channel."""
    channel = find_channel(social, channel_id)
    return {"data": [_verification(social.connections[name]) for name in channel.connections]}


@router.delete("/{connection_id}", response_model=Envelope[Message])
async def delete_connection(social: Social, call: TheCall, connection_id: str) -> Any:
    """Delete a connection, also from its channels."""
    _find(social, connection_id)
    for channel in social.channels.values():
        channel.connections = [name for name in channel.connections if name != connection_id]
    del social.connections[connection_id]
    social.record(call, "connection.deleted", connection_id, [connection_id])
    return {"data": {"message": "Connection deleted"}}


@router.post("/{connection_id}/add-to-channel", response_model=Envelope[ConnectionView])
async def add_to_channel(
    social: Social, call: TheCall, connection_id: str, target: Target, _key: IdempotencyKey = None
) -> Any:
    """Add a connection to a channel; twice is harmless (assumed)."""
    connection = _find(social, connection_id)
    channel = find_channel(social, target.channelId)
    if connection_id not in channel.connections:
        channel.connections.append(connection_id)
        social.record(call, "connection.added_to_channel", connection_id, [connection_id, channel.id])
    return {"data": _view(connection)}


@router.post("/{connection_id}/refresh", response_model=Envelope[ConnectionView])
async def refresh_connection(social: Social, call: TheCall, connection_id: str) -> Any:
    """Renew the platform's token."""
    connection = _find(social, connection_id)
    connection.status, connection.expires_at = "active", social.world.clock.now() + TOKEN_LIFE
    social.record(call, "connection.refreshed", connection_id, [connection_id])
    return {"data": _view(connection)}


@router.post("/{connection_id}/verify", response_model=Envelope[Verification])
async def verify_connection(social: Social, connection_id: str) -> Any:
    """Check a connection."""
    return {"data": _verification(_find(social, connection_id))}
