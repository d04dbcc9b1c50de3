# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Channels: groups of platform connections that posts go to."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from airflow_provider_mkt.sandbox.engine.fields import Body, Name
from airflow_provider_mkt.sandbox.engine.vendor import TheCall, VendorError
from airflow_provider_mkt.sandbox.vendors.flow_social.account import (
    ERRORS,
    Envelope,
    FlowSocial,
    IdempotencyKey,
    Message,
    Social,
    stamp,
)
from airflow_provider_mkt.sandbox.vendors.flow_social.objects import Channel
from airflow_provider_mkt.sandbox.vendors.flow_social.querying import (
    Page,
    PerPage,
    milliseconds,
    query_parameters,
    select,
    text,
)

FIELDS = {"name": text, "createdAt": milliseconds}
Color = Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")]

router = APIRouter(prefix="/flow-social/v1/channels", tags=["Flow Social"], responses=ERRORS)


class NewChannel(Body):
    """A channel to create."""

    name: Name
    color: Color | None = None


class ChannelChanges(Body):
    """Changes of a channel."""

    name: Name | None = None
    color: Color | None = None


class ChannelView(BaseModel):
    """A channel; ``createdAt`` is in milliseconds."""

    id: str
    name: str
    color: str | None
    createdAt: int


def _view(channel: Channel) -> dict[str, Any]:
    created = stamp(channel.created_at)
    return {"id": channel.id, "name": channel.name, "color": channel.color, "createdAt": created}


def find_channel(social: FlowSocial, channel_id: str) -> Channel:
    """A channel by id.

    :raises VendorError: 404
    """
    if channel_id not in social.channels:
        raise VendorError(404, "Channel not found")
    return social.channels[channel_id]


@router.get("", response_model=Envelope[list[ChannelView]], openapi_extra=query_parameters(FIELDS))
async def list_channels(social: Social, call: TheCall, page: Page = 1, per_page: PerPage = 20) -> Any:
    """A page of channels."""
    return {"data": select(call, [_view(row) for row in social.channels.values()], FIELDS, page, per_page)}


@router.post("", status_code=201, response_model=Envelope[ChannelView])
async def create_channel(social: Social, call: TheCall, new: NewChannel, _key: IdempotencyKey = None) -> Any:
    """Create a channel."""
    channel = Channel(f"channel_{social.number('channel')}", new.name, new.color, social.world.clock.now())
    social.channels[channel.id] = channel
    social.record(call, "channel.created", new.name, [channel.id])
    social.emit("channel.created", {"channel_id": channel.id})
    return {"data": _view(channel)}


@router.get("/{channel_id}", response_model=Envelope[ChannelView])
async def get_channel(social: Social, channel_id: str) -> Any:
    """One channel."""
    return {"data": _view(find_channel(social, channel_id))}


@router.patch("/{channel_id}", response_model=Envelope[ChannelView])
async def update_channel(social: Social, call: TheCall, channel_id: str, changes: ChannelChanges) -> Any:
    """Change a channel."""
    channel = find_channel(social, channel_id)
    channel.name = changes.name or channel.name
    channel.color = changes.color or channel.color
    social.record(call, "channel.updated", channel_id, [channel_id])
    social.emit("channel.updated", {"channel_id": channel.id})
    return {"data": _view(channel)}


@router.delete("/{channel_id}", response_model=Envelope[Message])
async def delete_channel(social: Social, call: TheCall, channel_id: str) -> Any:
    """Delete a channel; posts that still wait for it are blocked (assumed)."""
    find_channel(social, channel_id)
    clock = social.world.clock
    for post in social.posts.values():
        if post.channel_id == channel_id and post.status(clock) == "queued":
            post.blocked = True
    del social.channels[channel_id]
    social.record(call, "channel.deleted", channel_id, [channel_id])
    return {"data": {"message": "Channel deleted"}}
