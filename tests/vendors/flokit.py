# Licensed under the Apache License, Version 2.0; see LICENSE.
"""FloKit: 3 routes of its integrations page and 7 of its other pages. 404 and 409 are assumed."""

from __future__ import annotations

from itertools import count
from typing import Any

from airflow_provider_mkt.sandbox.engine.ledger import digest
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.sandbox.vendors.flokit.routes import WRITE_KEY
from airflow_provider_mkt.vendors import flokit as table
from tests.vendors.case import Case, Rows
from tests.vendors.facts import MINUTE, Facts, Walk

READS = (401, 403, 429)
BATCH: list[dict[str, Any]] = [
    {
        "event": "trial_started",
        "user_id": "u1",
        "timestamp": "2026-05-02T10:30:00.000Z",
        "properties": {"plan_id": "p"},
    },
    {"event": "user_created", "anonymous_id": "a1", "timestamp": "2026-05-02T10:31:00.000Z"},
]
_numbers = count(1)


def synced(hook: Any, sandbox: Sandbox) -> dict[str, str]:
    """Every sync has ended."""
    sandbox.advance(400)
    return {}


SPAN = ("2026-05-01", "2026-05-31")
CASES = (
    Case(
        table.LIST_INTEGRATIONS,
        "list_integrations",
        "GET /flokit/v1/integrations",
        "READ",
        answer=Rows(5, {"id": "int_adjust", "type": "adjust"}),
        errors=READS,
    ),
    Case(
        table.GET_INTEGRATION,
        "get_integration",
        "GET /flokit/v1/integrations/int_stripe",
        "READ",
        args=("int_stripe",),
        answer={"id": "int_stripe", "status": "connected", "sync_stats": dict},
        errors=(*READS, 404),
    ),
    Case(
        table.TRIGGER_SYNC,
        "trigger_sync",
        "POST /flokit/v1/integrations/int_adjust/sync",
        "ONCE",
        args=("int_adjust",),
        answer={"status": "ok", "sync_id": str},
        errors=(*READS, 404, 409),
        given=synced,
        sends_key=True,
    ),
    Case(
        table.SEND_EVENT,
        "send_event",
        "POST /flokit/v1/events",
        "KEYED",
        args=({**BATCH[0], "timestamp": "2026-05-02T12:30:00+02:00"},),
        body=BATCH[0],
        answer={"event_id": str},
        errors=(*READS, 400),
    ),
    Case(
        table.SEND_EVENTS,
        "send_events",
        "POST /flokit/v1/batch/events",
        "ONCE",
        args=(BATCH,),
        body={"events": BATCH},
        answer={"accepted": 2, "rejected": 0, "event_ids": list, "errors": []},
        errors=(*READS, 400),
        sends_key=True,
    ),
    Case(
        table.GET_PAYBACK_REPORT,
        "get_payback_report",
        "GET /flokit/v1/reports/payback",
        "READ",
        args=SPAN,
        kwargs={"group_by": "country"},
        query={"start_date": SPAN[0], "end_date": SPAN[1], "group_by": "country", "cohort_window_days": "30"},
        answer={"data": list, "meta": {"currency": "USD", "cohort_window_days": 30}},
        errors=READS,
    ),
    Case(
        table.GET_COHORT_REPORT,
        "get_cohort_report",
        "GET /flokit/v1/reports/cohorts",
        "READ",
        args=SPAN,
        query={"cohort_start": SPAN[0], "cohort_end": SPAN[1], "group_by": "campaign"},
        answer=dict,
        errors=READS,
    ),
    Case(
        table.LIST_ACTIONS,
        "list_actions",
        "GET /flokit/v1/actions",
        "READ",
        args=("ready",),
        query={"status": "ready", "limit": "100", "offset": "0"},
        answer=Rows(2, {"id": "act_01", "status": "ready"}),
        errors=READS,
    ),
    Case(
        table.GET_ACTION,
        "get_action",
        "GET /flokit/v1/actions/act_03",
        "READ",
        args=("act_03",),
        answer={"id": "act_03", "status": "running"},
        errors=(*READS, 404),
    ),
    Case(table.GET_WORKSPACE, "get_workspace", "GET /flokit/v1/workspace", "READ", answer={"id": str}, errors=READS),
)

FACTS = Facts(
    base_url="https://api.flokit.ai/v1",
    routes=10,
    # Stated for the event routes; assumed to be shared by all.
    limits={None: {"default": (100, MINUTE)}},
    counted={
        ("default",): """
            GET /integrations
            GET /integrations/{}
            POST /integrations/{}/sync
            POST /events
            POST /batch/events
            GET /reports/payback
            GET /reports/cohorts
            GET /actions
            GET /actions/{}
            GET /workspace
        """,
    },
    cases=CASES,
    envelope=frozenset({"error", "message"}),
    tasks={
        "FlokitTriggerSyncOperator": ({"integration_id": "int_adjust"}, "integration_id"),
        "FlokitIntegrationSyncSensor": ({"integration_id": "int_adjust"}, "integration_id"),
    },
    spends={"TRIGGER_SYNC": "ONCE"},
    walks=(Walk("list_actions", "/flokit/v1/actions", 5, ("offset", ("0", "2", "4")), kwargs={"per_page": 2}),),
    headers=lambda _: {"authorization": digest(f"Bearer {WRITE_KEY}")},
    assumed_routes={
        "POST /flokit/v1/actions/{}/approve": "the vendor names approving, but no page gives its path",
        "POST /flokit/v1/actions/{}/reject": "the vendor names rejecting, but no page gives its path",
    },
)
