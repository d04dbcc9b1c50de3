# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Connections, webhooks, keys and usage of Flow Social."""

from __future__ import annotations

from itertools import count
from typing import Any

from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.vendors import flow_social as table
from tests.vendors.case import Rows
from tests.vendors.flow_social.posts import PAGE, case, channel, deletion

EVENTS = ["post.delivered", "post.blocked"]
HOOK = "https://hooks.example.com/social"
_numbers = count(1)


def connection(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    state = hook.connection_auth_url("twitter").split("state=")[1]
    made = hook.complete_connection_auth("twitter", {"code": "given", "state": state})
    return {"connection": made.split("connected=")[1]}


def connection_and_channel(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    return {**connection(hook, sandbox), **channel(hook, sandbox)}


def state(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    return {"state": hook.connection_auth_url("meta").split("state=")[1]}


def webhook(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    return {"webhook": hook.create_webhook(HOOK, EVENTS)["id"]}


def tested_webhook(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    made = webhook(hook, sandbox)
    hook.test_webhook(made["webhook"])
    return made


def key(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    return {"key": hook.create_api_key(f"Given {next(_numbers)}", ["posts:read"])["id"]}


CONNECTIONS = (
    case(
        table.LIST_CONNECTIONS,
        "list_connections",
        "GET /connections",
        "READ",
        query=PAGE,
        answer=Rows(None, {"id": "conn_1", "platform": "meta"}),
    ),
    deletion(table.DELETE_CONNECTION, "delete_connection", "/connections", "connection", connection),
    case(
        table.ADD_CONNECTION_TO_CHANNEL,
        "add_connection_to_channel",
        "POST /connections/{connection}/add-to-channel",
        "KEYED",
        args=("{connection}", "{channel}"),
        body={"channelId": "{channel}"},
        answer={"id": "{connection}"},
        given=connection_and_channel,
    ),
    case(
        table.REFRESH_CONNECTION,
        "refresh_connection",
        "POST /connections/conn_4/refresh",
        "ONCE",
        args=("conn_4",),
        answer={"id": "conn_4", "status": "active"},
    ),
    case(
        table.VERIFY_CONNECTION,
        "verify_connection",
        "POST /connections/conn_1/verify",
        "READ",
        args=("conn_1",),
        answer={"id": "conn_1", "valid": True},
    ),
    case(
        table.VERIFY_CHANNEL_CONNECTIONS,
        "verify_channel_connections",
        "POST /connections/verify-channel/channel_2",
        "READ",
        args=("channel_2",),
        answer=[{"id": "conn_2", "platform": "twitter", "valid": True, "status": "active"}],
    ),
    *(
        case(
            table.CONNECTION_AUTH,
            "connection_auth_url",
            f"GET /connections/{platform}/auth",
            "READ",
            args=(platform,),
            answer=str,
        )
        for platform in table.PLATFORMS
    ),
    case(
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

SETTINGS = (
    case(
        table.LIST_WEBHOOKS,
        "list_webhooks",
        "GET /webhooks",
        "READ",
        query=PAGE,
        answer=Rows(None, {"id": str, "url": HOOK}),
        given=webhook,
    ),
    case(
        table.CREATE_WEBHOOK,
        "create_webhook",
        "POST /webhooks",
        "KEYED",
        args=(HOOK, EVENTS),
        body={"url": HOOK, "events": EVENTS},
        answer={"id": str, "secret": str, "active": True},
    ),
    case(
        table.GET_WEBHOOK,
        "get_webhook",
        "GET /webhooks/{webhook}",
        "READ",
        args=("{webhook}",),
        answer={"id": "{webhook}", "events": EVENTS},
        given=webhook,
    ),
    case(
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
    deletion(table.DELETE_WEBHOOK, "delete_webhook", "/webhooks", "webhook", webhook),
    case(
        table.LIST_WEBHOOK_DELIVERIES,
        "list_webhook_deliveries",
        "GET /webhooks/{webhook}/deliveries",
        "READ",
        args=("{webhook}", "pending"),
        query={**PAGE, "status": "pending"},
        answer=Rows(1, {"webhookId": "{webhook}", "eventType": "webhook.test"}),
        given=tested_webhook,
    ),
    case(
        table.TEST_WEBHOOK,
        "test_webhook",
        "POST /webhooks/{webhook}/test",
        "ONCE",
        args=("{webhook}",),
        answer={"webhookId": "{webhook}", "status": "pending"},
        given=webhook,
    ),
    case(table.LIST_API_KEYS, "list_api_keys", "GET /api-keys", "READ", query=PAGE, answer=Rows(None, {"id": "key_1"})),
    case(
        table.CREATE_API_KEY,
        "create_api_key",
        "POST /api-keys",
        "KEYED",
        args=("CI", ["posts:read", "analytics:read"]),
        body={"name": "CI", "permissions": ["posts:read", "analytics:read"]},
        answer={"id": str, "apiKey": str},
    ),
    case(
        table.GET_API_KEY, "get_api_key", "GET /api-keys/key_2", "READ", args=("key_2",), answer={"name": "Read only"}
    ),
    case(
        table.UPDATE_API_KEY,
        "update_api_key",
        "PATCH /api-keys/{key}",
        "IDEMPOTENT",
        args=("{key}", "Renamed"),
        body={"name": "Renamed"},
        answer={"id": "{key}", "name": "Renamed"},
        given=key,
    ),
    deletion(table.DELETE_API_KEY, "delete_api_key", "/api-keys", "key", key),
    case(table.GET_USAGE, "get_usage", "GET /usage", "READ", answer={"requests": int, "posts": int}),
    case(
        table.GET_USAGE_HISTORY,
        "get_usage_history",
        "GET /usage/history",
        "READ",
        args=("2026-05-01", "2026-05-03"),
        query={"from": "2026-05-01", "to": "2026-05-03"},
        answer=[{"date": f"2026-05-0{day}", "requests": 0, "posts": 0} for day in (1, 2, 3)],
    ),
    case(
        table.GET_USAGE_DAY,
        "get_usage_day",
        "GET /usage/day",
        "READ",
        args=("2026-05-01",),
        query={"date": "2026-05-01"},
        answer={"date": "2026-05-01", "requests": 0},
    ),
)

CASES = (*CONNECTIONS, *SETTINGS)
