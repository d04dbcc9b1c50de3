# Licensed under the Apache License, Version 2.0; see LICENSE.
"""API keys. A new key works at once; a deleted one yields 401."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from airflow_provider_mkt.sandbox.engine.fields import Body, Name
from airflow_provider_mkt.sandbox.engine.vendor import TheCall, VendorError
from airflow_provider_mkt.sandbox.vendors.flow_social.account import (
    ERRORS,
    PERMISSIONS,
    Envelope,
    FlowSocial,
    IdempotencyKey,
    Message,
    Permission,
    Social,
    stamp,
)
from airflow_provider_mkt.sandbox.vendors.flow_social.objects import Key

router = APIRouter(prefix="/flow-social/v1/api-keys", tags=["Flow Social"], responses=ERRORS)


class NewKey(Body):
    """A key to create; without permissions it gets all."""

    name: Name
    permissions: Annotated[list[Permission], Field(max_length=50)] | None = None


class KeyChanges(Body):
    """The new name of a key."""

    name: Name


class KeyView(BaseModel):
    """A key without its secret part (shape assumed)."""

    id: str
    name: str
    prefix: str
    permissions: list[str]
    lastUsedAt: int | None
    createdAt: int


class CreatedKey(KeyView):
    """A new key, shown in full this once."""

    apiKey: str


def _view(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.secret.split("_")[3],
        "permissions": key.permissions,
        "lastUsedAt": None if key.last_used_at is None else stamp(key.last_used_at),
        "createdAt": stamp(key.created_at),
    }


def _find(social: FlowSocial, key_id: str) -> Key:
    if key_id not in social.keys:
        raise VendorError(404, "API key not found")
    return social.keys[key_id]


@router.get("", response_model=Envelope[list[KeyView]])
async def list_keys(social: Social) -> Any:
    """All keys."""
    return {"data": [_view(key) for key in social.keys.values()]}


@router.post("", status_code=201, response_model=Envelope[CreatedKey])
async def create_key(social: Social, call: TheCall, new: NewKey, _key: IdempotencyKey = None) -> Any:
    """Create a key."""
    secret = f"flow_sk_live_{secrets.token_hex(4)}_{secrets.token_hex(16)}"
    permissions: list[str] = [*(PERMISSIONS if new.permissions is None else new.permissions)]
    key = Key(f"key_{social.number('key')}", new.name, secret, permissions, social.world.clock.now())
    social.keys[key.id] = key
    social.record(call, "api_key.created", new.name, [key.id])
    return {"data": {**_view(key), "apiKey": secret}}


@router.get("/{key_id}", response_model=Envelope[KeyView])
async def get_key(social: Social, key_id: str) -> Any:
    """One key."""
    return {"data": _view(_find(social, key_id))}


@router.patch("/{key_id}", response_model=Envelope[KeyView])
async def update_key(social: Social, call: TheCall, key_id: str, changes: KeyChanges) -> Any:
    """Rename a key."""
    key = _find(social, key_id)
    key.name = changes.name
    social.record(call, "api_key.updated", key_id, [key_id])
    return {"data": _view(key)}


@router.delete("/{key_id}", response_model=Envelope[Message])
async def delete_key(social: Social, call: TheCall, key_id: str) -> Any:
    """Revoke a key."""
    _find(social, key_id)
    del social.keys[key_id]
    social.record(call, "api_key.deleted", key_id, [key_id])
    return {"data": {"message": "API key deleted"}}
