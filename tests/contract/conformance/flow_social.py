# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Flow Social: 45 routes of its overview and ``preflight``. One list of statuses is documented for all of them."""

from __future__ import annotations

import tempfile
from itertools import count
from pathlib import Path
from typing import Any

from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.vendors import flow_social as table
from tests.contract.conformance.case import Case, Rows

ERRORS = (400, 401, 403, 404, 429, 503)
EVENTS = ["post.delivered", "post.blocked"]
LATER, LATER_ANSWERED = "2100-01-01T09:00:00.000Z", 4102477200000
POST = {"channelId": "channel_1", "content": "Open house", "scheduledFor": LATER}
HOOK = "https://hooks.example.com/social"
PAGE = {"page": "1", "per_page": "100"}
SORTED = {**PAGE, "sort": "createdAt"}
_numbers = count(1)
_folder = tempfile.TemporaryDirectory(prefix="mkt-media-")


def picture(size: int = 200_000) -> Path:
    """A new file that is called a picture."""
    file = Path(_folder.name) / f"picture {next(_numbers)}.PNG"
    file.write_bytes(b"\x89PNG" + bytes(range(256)) * (size // 256))
    return file


def channel(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    return {"channel": hook.create_channel(f"Given {next(_numbers)}")["id"]}


def post(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    return {"post": hook.create_post(POST)["id"]}


def connection(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    state = hook.connection_auth_url("twitter").split("state=")[1]
    made = hook.complete_connection_auth("twitter", {"code": "given", "state": state})
    return {"connection": made.split("connected=")[1]}


def connection_and_channel(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    return {**connection(hook, sandbox), **channel(hook, sandbox)}


def state(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    return {"state": hook.connection_auth_url("meta").split("state=")[1]}


def file(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    return {"file": str(picture())}


def media(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    return {"media": hook.upload_media(picture())["key"]}


def webhook(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    return {"webhook": hook.create_webhook(HOOK, EVENTS)["id"]}


def tested_webhook(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    made = webhook(hook, sandbox)
    hook.test_webhook(made["webhook"])
    return made


def key(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    return {"key": hook.create_api_key(f"Given {next(_numbers)}", ["posts:read"])["id"]}


def _case(endpoint: Any, method: str, sends: str, safety: str, **rest: Any) -> Case:
    verb, path = sends.split(" ")
    return Case(endpoint, method, f"{verb} /flow-social/v1{path}", safety, errors=ERRORS, **rest)


def _deletion(endpoint: Any, method: str, path: str, name: str, given: Any) -> Case:
    return _case(endpoint, method, f"DELETE {path}/{{{name}}}", "IDEMPOTENT", args=(f"{{{name}}}",), given=given)


CHANNELS = (
    _case(
        table.LIST_CHANNELS,
        "list_channels",
        "GET /channels",
        "READ",
        kwargs={"filters": {"name": "Harbour Homes"}},
        query={**SORTED, "filter[name]": "Harbour Homes"},
        answer=Rows(1, {"id": "channel_1", "color": "#3B82F6"}),
    ),
    _case(
        table.CREATE_CHANNEL,
        "create_channel",
        "POST /channels",
        "KEYED",
        args=("Spring", "#112233"),
        body={"name": "Spring", "color": "#112233"},
        answer={"id": str, "name": "Spring", "color": "#112233"},
    ),
    _case(
        table.GET_CHANNEL,
        "get_channel",
        "GET /channels/channel_2",
        "READ",
        args=("channel_2",),
        answer={"id": "channel_2", "name": "Harbour Homes News"},
    ),
    _case(
        table.UPDATE_CHANNEL,
        "update_channel",
        "PATCH /channels/{channel}",
        "IDEMPOTENT",
        args=("{channel}",),
        kwargs={"color": "#445566"},
        body={"color": "#445566"},
        answer={"id": "{channel}", "color": "#445566"},
        given=channel,
    ),
    _deletion(table.DELETE_CHANNEL, "delete_channel", "/channels", "channel", channel),
)

POSTS = (
    _case(
        table.LIST_POSTS,
        "list_posts",
        "GET /posts",
        "READ",
        args=({"status": "queued", "scheduledFor": {"gte": 1750000000000}, "channelId": {"in": ["channel_1", "x"]}},),
        kwargs={"sort": "-createdAt,content"},
        query={
            **PAGE,
            "sort": "-createdAt,content",
            "filter[status]": "queued",
            "filter[scheduledFor][gte]": "1750000000000",
            "filter[channelId][in]": "channel_1,x",
        },
        answer=Rows(None, {"id": str, "status": "queued"}),
        given=post,
    ),
    _case(
        table.CREATE_POST,
        "create_post",
        "POST /posts",
        "KEYED",
        args=({**POST, "scheduledFor": "2100-01-01T10:00:00+01:00"},),
        body=POST,
        answer={"id": str, "status": "queued", "scheduledFor": LATER_ANSWERED},
    ),
    _case(
        table.GET_POST,
        "get_post",
        "GET /posts/{post}",
        "READ",
        args=("{post}",),
        answer={"id": "{post}", "content": "Open house"},
        given=post,
    ),
    _case(
        table.UPDATE_POST,
        "update_post",
        "PATCH /posts/{post}",
        "IDEMPOTENT",
        args=("{post}", {"content": "Open house, 3 pm"}),
        body={"content": "Open house, 3 pm"},
        answer={"id": "{post}", "content": "Open house, 3 pm"},
        given=post,
    ),
    _deletion(table.DELETE_POST, "delete_post", "/posts", "post", post),
    _case(
        table.CREATE_POSTS,
        "create_posts",
        "POST /posts/batch",
        "KEYED",
        args=([POST, {**POST, "channelId": "channel_99"}],),
        body={"posts": [POST, {**POST, "channelId": "channel_99"}]},
        answer={"results": list, "summary": {"total": 2, "successful": 1, "failed": 1}},
    ),
    _case(
        table.UPDATE_POSTS,
        "update_posts",
        "PATCH /posts/batch",
        "IDEMPOTENT",
        args=([{"id": "{post}", "content": "Sold"}],),
        body={"posts": [{"id": "{post}", "content": "Sold"}]},
        answer={"results": list, "summary": {"total": 1, "successful": 1, "failed": 0}},
        given=post,
    ),
    _case(
        table.DELETE_POSTS,
        "delete_posts",
        "DELETE /posts/batch",
        "IDEMPOTENT",
        args=(["{post}"],),
        body={"postIds": ["{post}"]},
        answer={"results": list, "summary": {"total": 1}},
        given=post,
    ),
    _case(
        table.PREFLIGHT_POST,
        "preflight_post",
        "POST /posts/preflight",
        "READ",
        args=(POST,),
        body=POST,
        answer={"valid": True},
    ),
)

CONNECTIONS = (
    _case(
        table.LIST_CONNECTIONS,
        "list_connections",
        "GET /connections",
        "READ",
        query=PAGE,
        answer=Rows(None, {"id": "conn_1", "platform": "meta"}),
    ),
    _deletion(table.DELETE_CONNECTION, "delete_connection", "/connections", "connection", connection),
    _case(
        table.ADD_CONNECTION_TO_CHANNEL,
        "add_connection_to_channel",
        "POST /connections/{connection}/add-to-channel",
        "KEYED",
        args=("{connection}", "{channel}"),
        body={"channelId": "{channel}"},
        answer={"id": "{connection}"},
        given=connection_and_channel,
    ),
    _case(
        table.REFRESH_CONNECTION,
        "refresh_connection",
        "POST /connections/conn_4/refresh",
        "ONCE",
        args=("conn_4",),
        answer={"id": "conn_4", "status": "active"},
    ),
    _case(
        table.VERIFY_CONNECTION,
        "verify_connection",
        "POST /connections/conn_1/verify",
        "READ",
        args=("conn_1",),
        answer={"id": "conn_1", "valid": True},
    ),
    _case(
        table.VERIFY_CHANNEL_CONNECTIONS,
        "verify_channel_connections",
        "POST /connections/verify-channel/channel_2",
        "READ",
        args=("channel_2",),
        answer=[{"id": "conn_2", "platform": "twitter", "valid": True, "status": "active"}],
    ),
    *(
        _case(
            table.CONNECTION_AUTH,
            "connection_auth_url",
            f"GET /connections/{platform}/auth",
            "READ",
            args=(platform,),
            answer=str,
        )
        for platform in table.PLATFORMS
    ),
    _case(
        table.COMPLETE_CONNECTION_AUTH,
        "complete_connection_auth",
        "GET /connections/meta/callback",
        "ONCE",
        args=("meta", {"code": "c0de", "state": "{state}"}),
        query={"code": str, "state": "{state}"},
        answer=str,
        given=state,
    ),
)

MEDIA = (
    _case(
        table.UPLOAD_MEDIA,
        "upload_media",
        "POST /media/upload",
        "KEYED",
        args=("{file}",),
        body=...,
        answer={"key": str},
        given=file,
    ),
    _case(
        table.GET_MEDIA,
        "get_media",
        "GET /media/{media}",
        "READ",
        args=("{media}",),
        answer=Rows(None, bytes),
        given=media,
    ),
    _deletion(table.DELETE_MEDIA, "delete_media", "/media", "media", media),
)

SETTINGS = (
    _case(
        table.LIST_WEBHOOKS,
        "list_webhooks",
        "GET /webhooks",
        "READ",
        query=PAGE,
        answer=Rows(None, {"id": str, "url": HOOK}),
        given=webhook,
    ),
    _case(
        table.CREATE_WEBHOOK,
        "create_webhook",
        "POST /webhooks",
        "KEYED",
        args=(HOOK, EVENTS),
        body={"url": HOOK, "events": EVENTS},
        answer={"id": str, "secret": str, "active": True},
    ),
    _case(
        table.GET_WEBHOOK,
        "get_webhook",
        "GET /webhooks/{webhook}",
        "READ",
        args=("{webhook}",),
        answer={"id": "{webhook}", "events": EVENTS},
        given=webhook,
    ),
    _case(
        table.UPDATE_WEBHOOK,
        "update_webhook",
        "PATCH /webhooks/{webhook}",
        "IDEMPOTENT",
        args=("{webhook}",),
        kwargs={"active": False, "events": ["post.failed"]},
        body={"events": ["post.failed"], "active": False},
        answer={"id": "{webhook}", "active": False, "events": ["post.failed"]},
        given=webhook,
    ),
    _deletion(table.DELETE_WEBHOOK, "delete_webhook", "/webhooks", "webhook", webhook),
    _case(
        table.LIST_WEBHOOK_DELIVERIES,
        "list_webhook_deliveries",
        "GET /webhooks/{webhook}/deliveries",
        "READ",
        args=("{webhook}", "pending"),
        query={**PAGE, "status": "pending"},
        answer=Rows(1, {"webhookId": "{webhook}", "eventType": "webhook.test"}),
        given=tested_webhook,
    ),
    _case(
        table.TEST_WEBHOOK,
        "test_webhook",
        "POST /webhooks/{webhook}/test",
        "ONCE",
        args=("{webhook}",),
        answer={"webhookId": "{webhook}", "status": "pending"},
        given=webhook,
    ),
    _case(
        table.LIST_API_KEYS, "list_api_keys", "GET /api-keys", "READ", query=PAGE, answer=Rows(None, {"id": "key_1"})
    ),
    _case(
        table.CREATE_API_KEY,
        "create_api_key",
        "POST /api-keys",
        "KEYED",
        args=("CI", ["posts:read", "analytics:read"]),
        body={"name": "CI", "permissions": ["posts:read", "analytics:read"]},
        answer={"id": str, "apiKey": str},
    ),
    _case(
        table.GET_API_KEY, "get_api_key", "GET /api-keys/key_2", "READ", args=("key_2",), answer={"name": "Read only"}
    ),
    _case(
        table.UPDATE_API_KEY,
        "update_api_key",
        "PATCH /api-keys/{key}",
        "IDEMPOTENT",
        args=("{key}", "Renamed"),
        body={"name": "Renamed"},
        answer={"id": "{key}", "name": "Renamed"},
        given=key,
    ),
    _deletion(table.DELETE_API_KEY, "delete_api_key", "/api-keys", "key", key),
    _case(table.GET_USAGE, "get_usage", "GET /usage", "READ", answer={"requests": int, "posts": int}),
    _case(
        table.GET_USAGE_HISTORY,
        "get_usage_history",
        "GET /usage/history",
        "READ",
        args=("2026-05-01", "2026-05-03"),
        query={"from": "2026-05-01", "to": "2026-05-03"},
        answer=[{"date": f"2026-05-0{day}", "requests": 0, "posts": 0} for day in (1, 2, 3)],
    ),
    _case(
        table.GET_USAGE_DAY,
        "get_usage_day",
        "GET /usage/day",
        "READ",
        args=("2026-05-01",),
        query={"date": "2026-05-01"},
        answer={"date": "2026-05-01", "requests": 0},
    ),
)
CASES = (*CHANNELS, *POSTS, *CONNECTIONS, *MEDIA, *SETTINGS)
