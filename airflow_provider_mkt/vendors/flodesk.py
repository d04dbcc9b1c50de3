# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Flodesk: e-mail subscribers, segments and workflows.

Vendor document: Flodesk API reference and OpenAPI description, version 1.0.0.
"""

from __future__ import annotations

from airflow_provider_mkt.client.durations import DAY
from airflow_provider_mkt.client.endpoint import Endpoint, Limit, Safety
from airflow_provider_mkt.vendors.base import Extra, Vendor, Webhooks

USER_AGENT = "airflow-provider-mkt (Apache Airflow)"
EVENTS = ("subscriber.created", "subscriber.added_to_segment", "subscriber.unsubscribed")
"""Events that a webhook may subscribe to."""

VENDOR = Vendor(
    conn_type="flodesk",
    name="Flodesk",
    summary="e-mail audiences",
    base_url="https://api.flodesk.com/v1",
    docs_url="https://developers.flodesk.com",
    hook="FlodeskHook",
    login="OAuth client ID (leave empty for an API key)",
    password="API key, or OAuth client secret",
    extras={
        "refresh_token": Extra(
            "OAuth refresh token (fd_rt_…)",
            secret=True,
            description="for OAuth without `airflow mkt authorize`: the first refresh token; later ones are in the "
            "shared store",
        ),
        "user_agent": Extra(
            "How your app introduces itself: App Name (app site)",
            description=f"how your app introduces itself, `App Name (app site)`; without it `{USER_AGENT}`",
        ),
        "webhook_token": Extra(
            "Token in the webhook address",
            secret=True,
            limits=(16.0, 255.0),
            description="end of the webhook's address; 16 characters or more",
        ),
    },
    limits={"default": Limit(100), "batch": Limit(20)},
    rate_headers="x-fd-ratelimit-",
    webhooks=Webhooks(
        EVENTS,
        event=("event_name",),
        identity=("webhook_id", "event_name", "subscriber.id", "event_time"),
        subject=("subscriber.id",),
    ),
    sources=("Common SQL",),
    targets=("Common IO",),
    color="#fff3c9",
)

TOKEN = Endpoint(
    "POST",
    "/oauth2/token",
    Safety.ONCE,
    answer={"access_token": str, "refresh_token": str},
    base="oauth",
    authenticated=False,
    form=True,
)
"""A refresh token is single-use, so an exchange is never repeated blindly."""
AUTHORIZE = Endpoint(
    "GET", "/oauth2/authorize", Safety.READ, budgets=(), base="oauth", authenticated=False, redirect=True
)
"""Opened in a browser, by a person who consents."""
GET_USERINFO = Endpoint("GET", "/oauth2/userinfo", Safety.READ, answer={"id": str}, base="oauth")

OBJECT = {"id": str}
ROWS = ("data",)

LIST_SUBSCRIBERS = Endpoint("GET", "/subscribers", Safety.READ, rows=ROWS)
UPSERT_SUBSCRIBER = Endpoint("POST", "/subscribers", Safety.IDEMPOTENT, answer=OBJECT)
UPSERT_SUBSCRIBERS = Endpoint(
    "POST", "/subscribers/batch", Safety.IDEMPOTENT, budgets=("batch",), answer={"successes": list, "failures": list}
)
GET_SUBSCRIBER = Endpoint("GET", "/subscribers/{id_or_email}", Safety.READ, answer=OBJECT)
ADD_TO_SEGMENTS = Endpoint("POST", "/subscribers/{id_or_email}/segments", Safety.IDEMPOTENT, answer=OBJECT)
REMOVE_FROM_SEGMENTS = Endpoint("DELETE", "/subscribers/{id_or_email}/segments", Safety.IDEMPOTENT, answer=OBJECT)
UNSUBSCRIBE = Endpoint("POST", "/subscribers/{id_or_email}/unsubscribe", Safety.IDEMPOTENT, answer=OBJECT)

LIST_SEGMENTS = Endpoint("GET", "/segments", Safety.READ, rows=ROWS)
CREATE_SEGMENT = Endpoint("POST", "/segments", Safety.ONCE, answer=OBJECT)
LIST_SEGMENT_COLORS = Endpoint("GET", "/segments/colors", Safety.READ, rows=(), row=str)
GET_SEGMENT = Endpoint("GET", "/segments/{segment_id}", Safety.READ, answer=OBJECT)

LIST_WORKFLOWS = Endpoint("GET", "/workflows", Safety.READ, rows=ROWS)
ADD_TO_WORKFLOW = Endpoint("POST", "/workflows/{workflow_id}/subscribers", Safety.ONCE, answer=None)
"""A subscriber who has completed a workflow may enter it again, so a repetition is no harmless one."""
REMOVE_FROM_WORKFLOW = Endpoint(
    "DELETE",
    "/workflows/{workflow_id}/subscribers/{id_or_email}",
    Safety.IDEMPOTENT,
    answer=None,
    gone_is_done=True,
)

LIST_CUSTOM_FIELDS = Endpoint("GET", "/custom-fields", Safety.READ, rows=ROWS)
CREATE_CUSTOM_FIELD = Endpoint("POST", "/custom-fields", Safety.ONCE, answer={"key": str})
LIST_ALL_CUSTOM_FIELDS = Endpoint("GET", "/custom-fields/all", Safety.READ, rows=())

LIST_WEBHOOKS = Endpoint("GET", "/webhooks", Safety.READ, rows=ROWS)
CREATE_WEBHOOK = Endpoint("POST", "/webhooks", Safety.ONCE, answer=OBJECT)
GET_WEBHOOK = Endpoint("GET", "/webhooks/{webhook_id}", Safety.READ, answer=OBJECT)
UPDATE_WEBHOOK = Endpoint("PUT", "/webhooks/{webhook_id}", Safety.IDEMPOTENT, answer=OBJECT)
DELETE_WEBHOOK = Endpoint("DELETE", "/webhooks/{webhook_id}", Safety.IDEMPOTENT, answer=None, gone_is_done=True)

LIST_CAMPAIGNS = Endpoint("GET", "/campaigns", Safety.READ, rows=ROWS)
PUBLISH_CANVA_DESIGN = Endpoint("POST", "/campaigns/canva", Safety.ONCE, answer=OBJECT, final_429=True)
GET_CANVA_DESIGN_STATE = Endpoint("GET", "/campaigns/canva/design-state", Safety.READ, answer=dict)
PUBLISH_STUDIO_DESIGN = Endpoint("POST", "/campaigns/studio", Safety.ONCE, answer=OBJECT, final_429=True)

SUBSCRIBER_STATUSES = ("active", "unsubscribed", "unconfirmed", "bounced", "complained", "cleaned")
"""What subscribers can be filtered by; answers may hold others."""
SHOWN_STATUSES = (*SUBSCRIBER_STATUSES, "archived")
"""What an answer may show."""
MAILED_STATUSES = frozenset({"active", "unconfirmed"})
"""Statuses in which somebody gets mail, or soon may; others may follow. All others are final for mailing (assumed)."""
WORKFLOW_STATUSES = ("active", "paused", "draft")
CAMPAIGN_STATUSES = ("draft", "pending", "scheduled", "composing", "sending", "done", "failed")
CANVA_FIELDS = ("bundle_url", "title", "design_token", "page_id", "campaign_id")
STUDIO_FIELDS = ("html", "title", "campaign_id", "asset_id")

TOKEN_LIFETIME = DAY
MAX_IN_BATCH = 50
MAX_SEGMENTS = 50
SUBSCRIBER_FIELDS = frozenset(
    {
        "id",
        "email",
        "first_name",
        "last_name",
        "custom_fields",
        "segment_ids",
        "double_optin",
        "optin_ip",
        "optin_timestamp",
    }
)
