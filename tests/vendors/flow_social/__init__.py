# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Flow Social, as its API reference describes it: 45 routes of the overview, and ``preflight``.

The two routes of a browser count once for each of four platforms there; here they have the platform in their path.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_mkt.sandbox.engine.ledger import digest
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.sandbox.vendors.flow_social.account import API_KEY
from tests.vendors.facts import MINUTE, RECEIVER, Facts, Walk
from tests.vendors.flow_social import account, posts

CHANNELS = 103


def channels(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    sandbox.seed(flow_social={"channels": CHANNELS - len(list(hook.list_channels()))})
    return {}


FACTS = Facts(
    base_url="https://api.flowsocial.app/v1",
    routes=40,
    limits={
        None: {
            "default": (100, MINUTE),
            "post_creation": (30, MINUTE),
            "webhook_creation": (10, MINUTE),
            "key_creation": (5, MINUTE),
        }
    },
    counted={
        # What creates counts in its own budget and in the main one (assumed). A batch is one request, and one creation.
        ("default", "post_creation"): """
            POST /posts
            POST /posts/batch
        """,
        ("default", "webhook_creation"): "POST /webhooks",
        ("default", "key_creation"): "POST /api-keys",
        ("default",): """
            GET /channels
            POST /channels
            GET /channels/{}
            PATCH /channels/{}
            DELETE /channels/{}
            GET /posts
            GET /posts/{}
            PATCH /posts/{}
            DELETE /posts/{}
            PATCH /posts/batch
            DELETE /posts/batch
            POST /posts/preflight
            GET /connections
            DELETE /connections/{}
            POST /connections/{}/add-to-channel
            POST /connections/{}/refresh
            POST /connections/{}/verify
            POST /connections/verify-channel/{}
            GET /connections/{}/auth
            GET /connections/{}/callback
            POST /media/upload
            GET /media/{}
            DELETE /media/{}
            GET /webhooks
            GET /webhooks/{}
            PATCH /webhooks/{}
            DELETE /webhooks/{}
            GET /webhooks/{}/deliveries
            POST /webhooks/{}/test
            GET /api-keys
            GET /api-keys/{}
            PATCH /api-keys/{}
            DELETE /api-keys/{}
            GET /usage
            GET /usage/history
            GET /usage/day
        """,
    },
    cases=(*posts.CASES, *account.CASES),
    envelope=frozenset({"error"}),
    tasks={
        "FlowSocialSchedulePostOperator": ({"channel_id": "channel_1", "content": "a"}, "content"),
        "FlowSocialSchedulePostsOperator": ({"posts": [{"channelId": "channel_1"}]}, "posts"),
        "FlowSocialUpdatePostOperator": ({"post_id": "post_1", "content": "a"}, "post_id"),
        "FlowSocialDeletePostOperator": ({"post_id": "post_1"}, "post_id"),
        "FlowSocialUploadMediaOperator": ({"path": "a.png"}, "path"),
        "FlowSocialEnsureWebhookOperator": ({"url": RECEIVER, "events": ["post.failed"]}, "url"),
        "SqlToFlowSocialPostsOperator": ({"sql": "SELECT 1", "sql_conn_id": "db"}, "sql"),
        "FlowSocialPostStatusSensor": ({"post_id": "post_1"}, "post_id"),
    },
    spends={"CREATE_POST": "KEYED"},
    walks=(Walk("list_channels", "/flow-social/v1/channels", CHANNELS, ("page", ("1", "2")), given=channels),),
    headers=lambda _: {"authorization": digest(f"Bearer {API_KEY}")},
    open_routes=frozenset({"/flow-social/v1/connections/{platform}/callback"}),
)
