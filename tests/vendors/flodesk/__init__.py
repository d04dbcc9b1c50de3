# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Flodesk, as its reference page and OpenAPI description 1.0.0 describe it."""

from __future__ import annotations

import base64
from typing import Any

from airflow_provider_mkt.sandbox.engine.ledger import digest
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.sandbox.vendors.flodesk.account import API_KEY
from airflow_provider_mkt.sandbox.vendors.flodesk.tokens import CLIENT_ID, CLIENT_SECRET, FIRST_REFRESH_TOKEN
from tests.vendors.case import Case
from tests.vendors.facts import MINUTE, RECEIVER, Facts, Walk
from tests.vendors.flodesk.cases import CASES

APP = {"login": CLIENT_ID, "password": CLIENT_SECRET}


def _basic(name: str, password: str) -> str:
    return digest(f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}")


def headers(case: Case) -> dict[str, str | None]:
    """A name everywhere; Basic with the API key, or with the app's credentials where tokens are fetched."""
    named: dict[str, str | None] = {"user-agent": "airflow-provider-mkt (sandbox.example)"}
    if case.connection == "first_consent":
        return {
            **named,
            "authorization": _basic(CLIENT_ID, CLIENT_SECRET),
            "content-type": "application/x-www-form-urlencoded",
        }
    return named if case.connection else {**named, "authorization": _basic(API_KEY, "")}


def people(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    sandbox.seed(flodesk={"subscribers": 100, "segments": ["seg_sellers"]})
    return {}


FACTS = Facts(
    base_url="https://api.flodesk.com/v1",
    routes=29,
    limits={None: {"default": (100, MINUTE), "batch": (20, MINUTE)}},
    counted={
        # A bucket of its own: 20 batches do not take from the 100 others.
        ("batch",): "POST /subscribers/batch",
        # Opened in a person's browser: no request of ours.
        (): "GET /oauth2/authorize",
        ("default",): """
            POST /oauth2/token
            GET /oauth2/userinfo
            GET /subscribers
            POST /subscribers
            GET /subscribers/{}
            POST /subscribers/{}/segments
            DELETE /subscribers/{}/segments
            POST /subscribers/{}/unsubscribe
            GET /segments
            POST /segments
            GET /segments/colors
            GET /segments/{}
            GET /workflows
            POST /workflows/{}/subscribers
            DELETE /workflows/{}/subscribers/{}
            GET /custom-fields
            POST /custom-fields
            GET /custom-fields/all
            GET /webhooks
            POST /webhooks
            GET /webhooks/{}
            PUT /webhooks/{}
            DELETE /webhooks/{}
            GET /campaigns
            POST /campaigns/canva
            GET /campaigns/canva/design-state
            POST /campaigns/studio
        """,
    },
    cases=CASES,
    envelope=frozenset({"code", "message"}),
    tasks={
        "FlodeskUpsertSubscribersOperator": ({"path": "buyers.csv"}, "path"),
        "FlodeskAddToSegmentsOperator": ({"id_or_email": "sub_1", "segment_ids": ["seg_1"]}, "segment_ids"),
        "FlodeskUnsubscribeOperator": ({"id_or_email": "sub_1"}, "id_or_email"),
        "FlodeskCreateSegmentOperator": ({"name": "Buyers"}, "name"),
        "FlodeskAddToWorkflowOperator": ({"workflow_id": "wf_1", "id_or_email": "sub_1"}, "workflow_id"),
        "FlodeskEnsureWebhookOperator": ({"url": RECEIVER, "events": ["subscriber.created"]}, "url"),
        "FlodeskSubscribersToObjectStorageOperator": ({"path": "a.jsonl"}, "path"),
        "SqlToFlodeskSubscribersOperator": ({"sql": "SELECT 1", "sql_conn_id": "db"}, "sql"),
        "FlodeskSegmentSizeSensor": ({"segment_id": "seg_1", "minimum": 5}, "segment_id"),
        "FlodeskSubscriberStatusSensor": (
            {"id_or_email": "sub_1", "target_statuses": ["active"]},
            "target_statuses",
        ),
    },
    spends={"UPSERT_SUBSCRIBERS": "IDEMPOTENT", "TOKEN": "ONCE"},
    walks=(
        Walk(
            "list_subscribers",
            "/flodesk/v1/subscribers",
            100,
            ("page", ("1", "2", "3")),
            kwargs={"segment_id": "seg_sellers", "per_page": 40},
            given=people,
        ),
        Walk("list_workflows", "/flodesk/v1/workflows", 5, ("page", ("1", "2", "3")), kwargs={"per_page": 2}),
    ),
    headers=headers,
    connections={
        "oauth": {**APP, "extra": {"refresh_token": FIRST_REFRESH_TOKEN}},
        "first_consent": APP,
    },
    without_case={"AUTHORIZE": "a person opens it; authorize_url() only builds the address"},
    without_endpoint={"authorize_url": "builds an address for a browser"},
    # Token calls judge their own credentials; the owner's browser has none.
    open_routes=frozenset({"/flodesk/oauth2/authorize"}),
)
