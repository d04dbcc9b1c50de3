# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Flodesk: 21 operations and 3 OAuth routes of its reference page, and 5 operations of its OpenAPI description.

Each operation declares its own error statuses; 401 and 429 can occur anywhere.
"""

from __future__ import annotations

from http.client import HTTPConnection
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.vendors import flodesk as table
from tests.vendors.case import Case, Rows

BACK = "https://app.example.com/oauth/callback"
HOOK = ("Sync", "https://hooks.example.com/flodesk/t0ken", ["subscriber.created", "subscriber.unsubscribed"])
HOOK_BODY = {"name": HOOK[0], "post_url": HOOK[1], "events": HOOK[2]}
PAGE = {"page": "1", "per_page": "100"}
_numbers = count(1)


def person(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    """Somebody whose address needs encoding in a path."""
    email = f"given+{next(_numbers)}@example.com"
    return {"email": email, "id": hook.upsert_subscriber({"email": email})["id"]}


def grouped(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    made = person(hook, sandbox)
    hook.add_subscriber_to_segments(made["id"], ["seg_vips"])
    return made


def walking(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    made = person(hook, sandbox)
    hook.add_subscriber_to_workflow("wf_welcome", made["id"])
    return made


def webhook(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    return {"webhook": hook.create_webhook(*HOOK)["id"]}


def campaign(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    return {"campaign": hook.publish_canva_design({"title": "Spring letter"})["id"]}


def consent(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    """What the owner's browser comes back with."""
    url = urlsplit(hook.authorize_url(BACK, "st4te"))
    connection = HTTPConnection(str(url.hostname), url.port)
    connection.request("GET", f"{url.path}?{url.query}")
    answer = connection.getresponse()
    back = answer.getheader("Location") or ""
    connection.close()
    found = parse_qs(urlsplit(back).query)
    assert answer.status == 302
    assert back.startswith(BACK)
    assert found["state"] == ["st4te"]
    return {"code": found["code"][0]}


def _case(endpoint: Any, method: str, sends: str, safety: str, declared: tuple[int, ...], **rest: Any) -> Case:
    verb, path = sends.split(" ")
    return Case(endpoint, method, f"{verb} /flodesk{path}", safety, errors=(401, 429, *declared), **rest)


OAUTH = (
    _case(
        table.TOKEN,
        "exchange_code",
        "POST /oauth2/token",
        "ONCE",
        (400,),
        args=("{code}", BACK),
        body=...,
        answer={"access_token": str, "refresh_token": str, "expires_in": 86400, "scopes": "all"},
        given=consent,
        connection="first_consent",
        hidden_effect=True,
    ),
    _case(
        table.GET_USERINFO,
        "get_userinfo",
        "GET /oauth2/userinfo",
        "READ",
        (),
        answer={"id": str, "full_name": "Harbour Homes"},
        connection="oauth",
        renewed_on=(401,),
    ),
)

SUBSCRIBERS = (
    _case(
        table.LIST_SUBSCRIBERS,
        "list_subscribers",
        "GET /v1/subscribers",
        "READ",
        (400,),
        kwargs={"status": "bounced", "segment_id": "seg_news"},
        query={**PAGE, "status": "bounced", "segment_id": "seg_news"},
        answer=Rows(1, {"email": "di@example.com", "status": "bounced"}),
    ),
    _case(
        table.UPSERT_SUBSCRIBER,
        "upsert_subscriber",
        "POST /v1/subscribers",
        "IDEMPOTENT",
        (400,),
        args=({"email": "eve@example.com", "custom_fields": {"city": "Kiel"}, "segment_ids": ["seg_vips"]},),
        body={"email": "eve@example.com", "custom_fields": {"city": "Kiel"}, "segment_ids": ["seg_vips"]},
        answer={"id": str, "email": "eve@example.com", "custom_fields": {"city": "Kiel"}},
    ),
    _case(
        table.UPSERT_SUBSCRIBERS,
        "upsert_subscribers",
        "POST /v1/subscribers/batch",
        "IDEMPOTENT",
        (400,),
        args=([{"email": "fay@example.com"}, {"email": "gil@example.com", "custom_fields": {"nope": "x"}}],),
        body={
            "subscribers": [{"email": "fay@example.com"}, {"email": "gil@example.com", "custom_fields": {"nope": "x"}}]
        },
        answer={"successes": list, "failures": list},
    ),
    _case(
        table.GET_SUBSCRIBER,
        "get_subscriber",
        "GET /v1/subscribers/{email}",
        "READ",
        (404,),
        args=("{email}",),
        answer={"id": "{id}", "email": "{email}"},
        given=person,
    ),
    _case(
        table.ADD_TO_SEGMENTS,
        "add_subscriber_to_segments",
        "POST /v1/subscribers/{email}/segments",
        "IDEMPOTENT",
        (404,),
        args=("{email}", ["seg_buyers", "seg_vips"]),
        body={"segment_ids": ["seg_buyers", "seg_vips"]},
        answer={"id": "{id}", "segments": [{"id": "seg_buyers", "name": "Buyers"}, {"id": "seg_vips", "name": "VIPs"}]},
        given=person,
    ),
    _case(
        table.REMOVE_FROM_SEGMENTS,
        "remove_subscriber_from_segments",
        "DELETE /v1/subscribers/{id}/segments",
        "IDEMPOTENT",
        (404,),
        args=("{id}", ["seg_vips"]),
        body={"segment_ids": ["seg_vips"]},
        answer={"id": "{id}", "segments": []},
        given=grouped,
    ),
    _case(
        table.UNSUBSCRIBE,
        "unsubscribe",
        "POST /v1/subscribers/{email}/unsubscribe",
        "IDEMPOTENT",
        (404,),
        args=("{email}",),
        answer={"id": "{id}", "status": "unsubscribed"},
        given=person,
    ),
)

SEGMENTS = (
    _case(
        table.LIST_SEGMENTS,
        "list_segments",
        "GET /v1/segments",
        "READ",
        (400,),
        query=PAGE,
        answer=Rows(None, {"id": "seg_buyers", "name": "Buyers"}),
    ),
    _case(
        table.CREATE_SEGMENT,
        "create_segment",
        "POST /v1/segments",
        "ONCE",
        (400,),
        args=("Garden lovers", "#C2F4D0"),
        body={"name": "Garden lovers", "color": "#C2F4D0"},
        answer={"id": str, "name": "Garden lovers", "color": "#C2F4D0"},
    ),
    _case(
        table.LIST_SEGMENT_COLORS,
        "list_segment_colors",
        "GET /v1/segments/colors",
        "READ",
        (401,),
        answer=Rows(6, "#AABBCC"),
    ),
    _case(
        table.GET_SEGMENT,
        "get_segment",
        "GET /v1/segments/seg_news",
        "READ",
        (404,),
        args=("seg_news",),
        answer={"id": "seg_news", "total_active_subscribers": int},
    ),
)

WORKFLOWS = (
    _case(
        table.LIST_WORKFLOWS,
        "list_workflows",
        "GET /v1/workflows",
        "READ",
        (404,),
        kwargs={"statuses": ["active", "paused"]},
        query={"page": "1", "perPage": "100", "statuses": "active,paused"},
        answer=Rows(4, {"id": "wf_welcome", "name": "Welcome"}),
    ),
    _case(
        table.ADD_TO_WORKFLOW,
        "add_subscriber_to_workflow",
        "POST /v1/workflows/wf_viewing/subscribers",
        "ONCE",
        (400, 404),
        args=("wf_viewing", "{email}"),
        body={"email": "{email}"},
        given=person,
    ),
    _case(
        table.REMOVE_FROM_WORKFLOW,
        "remove_subscriber_from_workflow",
        "DELETE /v1/workflows/wf_welcome/subscribers/{email}",
        "IDEMPOTENT",
        (400, 404),
        args=("wf_welcome", "{email}"),
        given=walking,
    ),
)

FIELDS = (
    _case(
        table.LIST_CUSTOM_FIELDS,
        "list_custom_fields",
        "GET /v1/custom-fields",
        "READ",
        (400,),
        query=PAGE,
        answer=Rows(None, {"key": "city", "label": "City"}),
    ),
    _case(
        table.CREATE_CUSTOM_FIELD,
        "create_custom_field",
        "POST /v1/custom-fields",
        "ONCE",
        (400,),
        args=("Move-in date",),
        body={"label": "Move-in date"},
        answer={"key": str, "label": "Move-in date"},
    ),
    _case(
        table.LIST_ALL_CUSTOM_FIELDS,
        "list_all_custom_fields",
        "GET /v1/custom-fields/all",
        "READ",
        (400,),
        answer=Rows(None, {"key": "city", "label": "City"}),
    ),
)

WEBHOOKS = (
    _case(
        table.LIST_WEBHOOKS,
        "list_webhooks",
        "GET /v1/webhooks",
        "READ",
        (400,),
        query=PAGE,
        answer=Rows(None, {"id": str, "post_url": HOOK[1]}),
        given=webhook,
    ),
    _case(
        table.CREATE_WEBHOOK,
        "create_webhook",
        "POST /v1/webhooks",
        "ONCE",
        (400,),
        args=HOOK,
        body=HOOK_BODY,
        answer={"id": str, "post_url": HOOK[1], "events": HOOK[2]},
    ),
    _case(
        table.GET_WEBHOOK,
        "get_webhook",
        "GET /v1/webhooks/{webhook}",
        "READ",
        (404,),
        args=("{webhook}",),
        answer={"id": "{webhook}", "post_url": HOOK[1]},
        given=webhook,
    ),
    _case(
        table.UPDATE_WEBHOOK,
        "update_webhook",
        "PUT /v1/webhooks/{webhook}",
        "IDEMPOTENT",
        (404,),
        args=("{webhook}", "Renamed", HOOK[1], ["subscriber.added_to_segment"]),
        body={"name": "Renamed", "post_url": HOOK[1], "events": ["subscriber.added_to_segment"]},
        answer={"id": "{webhook}", "events": ["subscriber.added_to_segment"]},
        given=webhook,
    ),
    _case(
        table.DELETE_WEBHOOK,
        "delete_webhook",
        "DELETE /v1/webhooks/{webhook}",
        "IDEMPOTENT",
        (404,),
        args=("{webhook}",),
        given=webhook,
    ),
)

CAMPAIGNS = (
    _case(
        table.LIST_CAMPAIGNS,
        "list_campaigns",
        "GET /v1/campaigns",
        "READ",
        (400,),
        kwargs={"search": "letter", "status": "draft", "shared_as_template": False, "order_by": "name", "sort": "asc"},
        query={
            **PAGE,
            "Search": "letter",
            "Status": "draft",
            "SharedAsTemplate": "false",
            "OrderBy": "name",
            "Sort": "asc",
        },
        answer=Rows(None, {"name": "Spring letter", "status": "draft"}),
        given=campaign,
    ),
    _case(
        table.PUBLISH_CANVA_DESIGN,
        "publish_canva_design",
        "POST /v1/campaigns/canva",
        "ONCE",
        (400,),
        args=({"title": "Autumn letter", "page_id": "p1"},),
        body={"title": "Autumn letter", "page_id": "p1"},
        answer={"id": str, "url": str},
        final_429=True,
    ),
    _case(
        table.GET_CANVA_DESIGN_STATE,
        "get_canva_design_state",
        "GET /v1/campaigns/canva/design-state",
        "READ",
        (404,),
        answer={"design_id": str, "campaign_id": "{campaign}"},
        given=campaign,
    ),
    _case(
        table.PUBLISH_STUDIO_DESIGN,
        "publish_studio_design",
        "POST /v1/campaigns/studio",
        "ONCE",
        (400,),
        args=({"title": "Winter letter", "html": "<p>Hello</p>"},),
        body={"title": "Winter letter", "html": "<p>Hello</p>"},
        answer={"id": str, "url": str},
        final_429=True,
    ),
)
CASES = (*OAUTH, *SUBSCRIBERS, *SEGMENTS, *WORKFLOWS, *FIELDS, *WEBHOOKS, *CAMPAIGNS)
