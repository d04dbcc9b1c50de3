# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Flinque: 20 resource routes and the token route. The vendor documents one list of statuses for all of them."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.vendors import flinque as table
from tests.vendors.case import Case, Rows
from tests.vendors.facts import MINUTE, RECEIVER, Facts, Walk

ERRORS = (400, 401, 403, 404, 429)
EVENTS = ["campaign.created", "report.ready"]
PERIOD = {"start": "2026-05-01", "end": "2026-06-01T12:00:00+02:00"}
PERIOD_QUERY = {"from": "2026-05-01T00:00:00.000Z", "to": "2026-06-01T10:00:00.000Z"}
_numbers = count(1)


def campaign(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    return {"campaign": hook.create_campaign({"name": f"Given {next(_numbers)}"})["id"]}


def report(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    made = hook.generate_report({"type": "campaign", "campaign_id": "ca_1"})["id"]
    sandbox.advance(400)
    return {"report": made}


def webhook(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    return {"webhook": hook.create_webhook("https://hooks.example.com/given", EVENTS)["id"]}


def exported(chunks: Any) -> bytes:
    return b"".join(chunks)


_CASES = (
    Case(
        table.TOKEN,
        "_fetch_token",
        "POST /flinque/v1/oauth/token",
        "READ",
        body={"grant_type": "client_credentials", "client_id": "sandbox-flinque-client", "client_secret": str},
        answer=object,
    ),
    Case(table.LIST_CREATORS, "list_creators", "GET /flinque/v1/creators", "READ", answer=Rows(25, {"id": "cr_25"})),
    Case(
        table.GET_CREATOR,
        "get_creator",
        "GET /flinque/v1/creators/cr_7",
        "READ",
        args=("cr_7",),
        answer={"id": "cr_7", "handle": "@creator7"},
    ),
    Case(
        table.GET_CREATOR_AUDIENCE,
        "get_creator_audience",
        "GET /flinque/v1/creators/cr_7/audience",
        "READ",
        args=("cr_7",),
        answer={"creator_id": "cr_7", "age": list, "countries": list},
    ),
    Case(
        table.LIST_CREATOR_POSTS,
        "list_creator_posts",
        "GET /flinque/v1/creators/cr_7/posts",
        "READ",
        args=("cr_7",),
        answer=Rows(5, {"creator_id": "cr_7", "likes": int}),
    ),
    Case(table.LIST_CAMPAIGNS, "list_campaigns", "GET /flinque/v1/campaigns", "READ", answer=Rows(None, {"id": str})),
    Case(
        table.CREATE_CAMPAIGN,
        "create_campaign",
        "POST /flinque/v1/campaigns",
        "ONCE",
        args=({"name": "Garden days", "budget": "250.00", "currency": "EUR", "creator_ids": ["cr_1"]},),
        body={"name": "Garden days", "budget": "250.00", "currency": "EUR", "creator_ids": ["cr_1"]},
        answer={"id": str, "name": "Garden days", "status": "draft", "budget": "250.00"},
    ),
    Case(
        table.GET_CAMPAIGN,
        "get_campaign",
        "GET /flinque/v1/campaigns/ca_2",
        "READ",
        args=("ca_2",),
        answer={"id": "ca_2", "name": "Harbour launch"},
    ),
    Case(
        table.UPDATE_CAMPAIGN,
        "update_campaign",
        "PATCH /flinque/v1/campaigns/{campaign}",
        "IDEMPOTENT",
        args=("{campaign}", {"budget": "99.50"}),
        body={"budget": "99.50"},
        answer={"id": "{campaign}", "budget": "99.50"},
        given=campaign,
    ),
    Case(
        table.LIST_ATTRIBUTION_ORDERS,
        "list_attribution_orders",
        "GET /flinque/v1/attribution/orders",
        "READ",
        kwargs={"end": "2100-01-01"},
        query={"to": "2100-01-01T00:00:00.000Z"},
        answer=Rows(500, {"id": str, "amount": str, "currency": "USD"}),
    ),
    Case(
        table.GET_ATTRIBUTION_REVENUE,
        "get_attribution_revenue",
        "GET /flinque/v1/attribution/revenue",
        "READ",
        kwargs=PERIOD,
        query=PERIOD_QUERY,
        answer={"currency": "USD", "total": str, "orders": int, "from": PERIOD_QUERY["from"]},
    ),
    Case(
        table.LIST_ATTRIBUTION_EVENTS,
        "list_attribution_events",
        "GET /flinque/v1/attribution/events",
        "READ",
        kwargs={"start": "2020-01-01"},
        query={"from": "2020-01-01T00:00:00.000Z"},
        answer=Rows(None, {"id": str, "type": str}),
    ),
    Case(
        table.LIST_REPORTS,
        "list_reports",
        "GET /flinque/v1/reports",
        "READ",
        kwargs={"start": "2020-01-01"},
        query={"from": "2020-01-01T00:00:00.000Z"},
        answer=Rows(None, {"id": "{report}", "status": "ready"}),
        given=report,
    ),
    Case(
        table.GENERATE_REPORT,
        "generate_report",
        "POST /flinque/v1/reports/generate",
        "ONCE",
        args=({"type": "campaign", "campaign_id": "ca_1"},),
        body={"type": "campaign", "campaign_id": "ca_1"},
        answer={"id": str, "status": "pending", "campaign_id": "ca_1"},
    ),
    Case(
        table.EXPORT_REPORT,
        "export_report",
        "GET /flinque/v1/reports/{report}/export",
        "READ",
        args=("{report}",),
        answer=Rows(None, bytes),
        given=report,
    ),
    Case(
        table.LIST_WORKSPACES,
        "list_workspaces",
        "GET /flinque/v1/workspaces",
        "READ",
        answer=Rows(1, {"id": "ws_1", "plan": "starter"}),
    ),
    Case(
        table.GET_WORKSPACE,
        "get_workspace",
        "GET /flinque/v1/workspaces/ws_1",
        "READ",
        args=("ws_1",),
        answer={"id": "ws_1", "name": "Harbour Homes"},
    ),
    Case(
        table.LIST_WORKSPACE_MEMBERS,
        "list_workspace_members",
        "GET /flinque/v1/workspaces/ws_1/members",
        "READ",
        args=("ws_1",),
        answer=Rows(3, {"id": str, "role": str}),
    ),
    Case(
        table.LIST_WEBHOOKS,
        "list_webhooks",
        "GET /flinque/v1/webhooks",
        "READ",
        answer=Rows(None, {"id": "{webhook}", "events": EVENTS}),
        given=webhook,
    ),
    Case(
        table.CREATE_WEBHOOK,
        "create_webhook",
        "POST /flinque/v1/webhooks",
        "ONCE",
        args=("https://hooks.example.com/flinque", EVENTS),
        body={"url": "https://hooks.example.com/flinque", "events": EVENTS},
        answer={"id": str, "url": "https://hooks.example.com/flinque", "secret": str},
    ),
    Case(
        table.DELETE_WEBHOOK,
        "delete_webhook",
        "DELETE /flinque/v1/webhooks/{webhook}",
        "IDEMPOTENT",
        args=("{webhook}",),
        given=webhook,
    ),
)
CASES = tuple(replace(case, errors=ERRORS) for case in _CASES)

FACTS = Facts(
    base_url="https://api.flinque.com/v1",
    routes=21,
    limits={
        "free": {"default": (30, MINUTE)},
        "starter": {"default": (100, MINUTE)},
        "enterprise": {"default": (500, MINUTE)},
        None: {"default": (100, MINUTE)},
    },
    counted={
        # One limit for a workspace. Whether the token call counts is not stated; it is assumed to.
        ("default",): """
            POST /oauth/token
            GET /creators
            GET /creators/{}
            GET /creators/{}/audience
            GET /creators/{}/posts
            GET /campaigns
            POST /campaigns
            GET /campaigns/{}
            PATCH /campaigns/{}
            GET /attribution/orders
            GET /attribution/revenue
            GET /attribution/events
            GET /reports
            POST /reports/generate
            GET /reports/{}/export
            GET /workspaces
            GET /workspaces/{}
            GET /workspaces/{}/members
            GET /webhooks
            POST /webhooks
            DELETE /webhooks/{}
        """,
    },
    cases=CASES,
    envelope=frozenset({"error"}),
    tasks={
        "FlinqueCreateCampaignOperator": ({"campaign": {"name": "Spring"}}, "campaign"),
        "FlinqueUpdateCampaignOperator": ({"campaign_id": "ca_1", "changes": {"status": "paused"}}, "changes"),
        "FlinqueGenerateReportOperator": ({"report": {"type": "campaign"}}, "report"),
        "FlinqueEnsureWebhookOperator": ({"url": RECEIVER, "events": ["report.ready"]}, "url"),
        "FlinqueAttributionToObjectStorageOperator": ({"path": "a.jsonl"}, "path"),
        "FlinqueReportToObjectStorageOperator": ({"report_id": "re_1", "path": "a.csv"}, "report_id"),
        "FlinqueCampaignStatusSensor": ({"campaign_id": "ca_1"}, "campaign_id"),
        "FlinqueReportReadySensor": ({"report_id": "re_1"}, "report_id"),
    },
    spends={"GENERATE_REPORT": "ONCE"},
    walks=(Walk("list_creators", "/flinque/v1/creators", 25, ("page", (None, "2"))),),
    renewed_on=(401,),
    open_routes=frozenset({"/flinque/v1/oauth/token"}),
)
