# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Flow Social: scheduled posts on social networks.

Vendor document: Flow developer documentation, "API Reference". Success answers are wrapped in ``data``.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_mkt.client.endpoint import Endpoint, Limit, Safety
from airflow_provider_mkt.vendors.base import WEBHOOK_SECRET, Extra, Signature, Vendor, Webhooks

EVENTS = (
    "post.created",
    "post.delivered",
    "post.failed",
    "post.blocked",
    "channel.created",
    "channel.updated",
    "webhook.test",
)
"""Events that a webhook may subscribe to."""

VENDOR = Vendor(
    conn_type="flow_social",
    name="Flow Social",
    summary="scheduled posts",
    base_url="https://api.flowsocial.app/v1",
    docs_url="https://flow-docs-bjx.pages.dev/docs/api-reference/overview",
    hook="FlowSocialHook",
    password="API key (flow_sk_…)",
    extras={"webhook_secret": Extra("Webhook secret (whsec_…)", secret=True, description=WEBHOOK_SECRET)},
    limits={"default": Limit(100), "post_creation": Limit(30), "webhook_creation": Limit(10), "key_creation": Limit(5)},
    webhooks=Webhooks(
        EVENTS,
        Signature("Flow-Signature", timed=True),
        event=("event", "type"),
        identity=("event", "data.post_id", "timestamp"),
        subject=("data.post_id", "data.postId", "data.channel_id"),
    ),
    sources=("Common SQL",),
    color="#d6e4f5",
)

OBJECT = {"id": str}
POST = {"id": str, "status": str}
BATCH = {"results": list, "summary": dict}


def _list(path: str) -> Endpoint:
    return Endpoint("GET", path, Safety.READ, rows=("data",))


def _one(method: str, path: str, safety: Safety, answer: Any, *budgets: str, decides: bool = True) -> Endpoint:
    return Endpoint(
        method, path, safety, budgets=("default", *budgets), answer=answer, envelope="data", decides=decides
    )


def _delete(path: str) -> Endpoint:
    return Endpoint("DELETE", path, Safety.IDEMPOTENT, answer=None, gone_is_done=True)


LIST_CHANNELS = _list("/channels")
CREATE_CHANNEL = _one("POST", "/channels", Safety.KEYED, OBJECT)
GET_CHANNEL = _one("GET", "/channels/{channel_id}", Safety.READ, OBJECT)
UPDATE_CHANNEL = _one("PATCH", "/channels/{channel_id}", Safety.IDEMPOTENT, OBJECT)
DELETE_CHANNEL = _delete("/channels/{channel_id}")

LIST_POSTS = _list("/posts")
CREATE_POST = _one("POST", "/posts", Safety.KEYED, POST, "post_creation")
GET_POST = _one("GET", "/posts/{post_id}", Safety.READ, POST)
UPDATE_POST = _one("PATCH", "/posts/{post_id}", Safety.IDEMPOTENT, POST)
DELETE_POST = _delete("/posts/{post_id}")
CREATE_POSTS = _one("POST", "/posts/batch", Safety.KEYED, BATCH, "post_creation", decides=False)
UPDATE_POSTS = _one("PATCH", "/posts/batch", Safety.IDEMPOTENT, BATCH)
DELETE_POSTS = _one("DELETE", "/posts/batch", Safety.IDEMPOTENT, BATCH)
PREFLIGHT_POST = _one("POST", "/posts/preflight", Safety.READ, dict)
"""A check without effect. Named in the vendor's FAQ only; its answer is not described."""

LIST_CONNECTIONS = _list("/connections")
DELETE_CONNECTION = _delete("/connections/{connection_id}")
ADD_CONNECTION_TO_CHANNEL = _one(
    "POST", "/connections/{connection_id}/add-to-channel", Safety.KEYED, dict, decides=False
)
REFRESH_CONNECTION = _one("POST", "/connections/{connection_id}/refresh", Safety.ONCE, dict, decides=False)
"""It may rotate the network's own token."""
VERIFY_CONNECTION = _one("POST", "/connections/{connection_id}/verify", Safety.READ, dict)
VERIFY_CHANNEL_CONNECTIONS = Endpoint(
    "POST", "/connections/verify-channel/{channel_id}", Safety.READ, envelope="data", rows=("data",)
)
CONNECTION_AUTH = Endpoint(
    "GET", "/connections/{platform}/auth", Safety.READ, answer={"location": str}, envelope="data", redirect=True
)
COMPLETE_CONNECTION_AUTH = Endpoint("GET", "/connections/{platform}/callback", Safety.ONCE, answer=None, redirect=True)
"""It spends the code. The answer, usually a redirect, is not needed."""

UPLOAD_MEDIA = _one("POST", "/media/upload", Safety.KEYED, {"key": str})
GET_MEDIA = Endpoint("GET", "/media/{key}", Safety.READ)
DELETE_MEDIA = _delete("/media/{key}")

LIST_WEBHOOKS = _list("/webhooks")
CREATE_WEBHOOK = _one("POST", "/webhooks", Safety.KEYED, OBJECT, "webhook_creation")
GET_WEBHOOK = _one("GET", "/webhooks/{webhook_id}", Safety.READ, OBJECT)
UPDATE_WEBHOOK = _one("PATCH", "/webhooks/{webhook_id}", Safety.IDEMPOTENT, OBJECT)
DELETE_WEBHOOK = _delete("/webhooks/{webhook_id}")
LIST_WEBHOOK_DELIVERIES = _list("/webhooks/{webhook_id}/deliveries")
TEST_WEBHOOK = _one("POST", "/webhooks/{webhook_id}/test", Safety.ONCE, dict, decides=False)

LIST_API_KEYS = _list("/api-keys")
CREATE_API_KEY = _one("POST", "/api-keys", Safety.KEYED, {"apiKey": str}, "key_creation")
GET_API_KEY = _one("GET", "/api-keys/{key_id}", Safety.READ, dict)
UPDATE_API_KEY = _one("PATCH", "/api-keys/{key_id}", Safety.IDEMPOTENT, dict)
DELETE_API_KEY = _delete("/api-keys/{key_id}")

GET_USAGE = _one("GET", "/usage", Safety.READ, dict)
GET_USAGE_HISTORY = Endpoint("GET", "/usage/history", Safety.READ, envelope="data", rows=("data",))
GET_USAGE_DAY = _one("GET", "/usage/day", Safety.READ, dict)

PLATFORMS = ("twitter", "linkedin", "meta", "tiktok")
DELIVERY_STATUSES = ("pending", "delivered", "failed")
PERMISSIONS = (
    "analytics:read",
    *(
        f"{resource}:{right}"
        for resource in ("posts", "channels", "connections", "webhooks", "api-keys", "media")
        for right in ("read", "write")
    ),
)
OPERATORS = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "contains")
"""Comparisons that a filter may name."""
POST_FIELDS = frozenset({"channelId", "content", "scheduledFor", "mediaKeys", "enableOptimization"})
POST_CHANGES = frozenset({"content", "scheduledFor", "mediaKeys"})
POST_SHOWN = POST_FIELDS - {"enableOptimization"}
"""What an answer shows of a post."""
MAX_IN_BATCH = 100
MAX_MEDIA_BYTES = 10 * 1024**2
"""Bytes of one media file."""
MEDIA_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
}
"""File name endings of the formats that the vendor takes."""
MAX_CONTENT = 10_000
"""Characters; single networks allow less (Twitter 280)."""
NETWORK_LENGTHS = {"twitter": 280}
"""Characters that single networks take, as far as the vendor documents them."""
MAX_MEDIA = 10

PENDING = frozenset({"queued", "flowing"})
FAILED = frozenset({"blocked"})
DELIVERED = ("done",)
POST_STATUSES = ("queued", "flowing", "done", "blocked")
