# Licensed under the Apache License, Version 2.0; see LICENSE.
"""FloKit and Flinque: syncs, events, reports, actions; tokens, campaigns, attribution, exports."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.sandbox.vendors import Caller

KIT = "/flokit/v1"
FLINQUE = "/flinque/v1"
EVENT = {"event": "trial_started", "user_id": "u1", "timestamp": "2026-01-01T00:00:00Z", "properties": {"plan_id": "p"}}


def integration(call: Caller, name: str) -> dict[str, object]:
    found: dict[str, object] = call("GET", f"{KIT}/integrations/{name}").json()["integration"]
    return found


def test_sync_succeeds_and_stamps_its_end(sandbox: Sandbox, call: Caller) -> None:
    before = datetime.now(timezone.utc).isoformat()
    started = call("POST", f"{KIT}/integrations/int_adjust/sync")
    assert started.json() == {"status": "ok", "sync_id": "sync_1"}
    assert integration(call, "int_adjust")["status"] == "syncing"
    assert str(integration(call, "int_adjust")["last_synced_at"]) < before
    assert call("POST", f"{KIT}/integrations/int_adjust/sync").status_code == 409
    sandbox.advance(301)
    after = integration(call, "int_adjust")
    assert after["status"] == "connected"
    assert str(after["last_synced_at"]) > before
    assert "sync_stats" not in call("GET", f"{KIT}/integrations").json()["integrations"][0]
    assert len(sandbox.ledger("flokit", "sync.started", "int_adjust")) == 1


def test_failed_sync_and_a_new_try(sandbox: Sandbox, call: Caller) -> None:
    sandbox.outcome("flokit", "failed", match="int_stripe")
    call("POST", f"{KIT}/integrations/int_stripe/sync")
    sandbox.advance(301)
    failed = integration(call, "int_stripe")
    assert (failed["status"], failed["last_synced_at"]) == ("error", "2025-04-30T08:00:00.000Z")
    assert failed["error_message"]
    assert call("POST", f"{KIT}/integrations/int_stripe/sync").status_code == 200
    sandbox.advance(301)
    assert integration(call, "int_stripe")["error_message"] is None
    assert call("POST", f"{KIT}/integrations/int_appsflyer/sync").json()["error"] == "conflict"
    assert call("POST", f"{KIT}/integrations/nope/sync").json()["error"] == "not_found"


def test_read_only_key(sandbox: Sandbox, call: Caller) -> None:
    reader = {"Authorization": f"Bearer {sandbox.credentials()['flokit']['read_only_api_key']}"}
    assert call("GET", f"{KIT}/integrations", headers=reader).status_code == 200
    refused = call("POST", f"{KIT}/integrations/int_adjust/sync", headers=reader)
    assert (refused.status_code, refused.json()["error"]) == (403, "forbidden")
    assert sandbox.ledger() == []


def test_events(sandbox: Sandbox, call: Caller) -> None:
    key = {"Idempotency-Key": "e1"}
    first = call("POST", f"{KIT}/events", json=EVENT, headers=key).json()
    assert call("POST", f"{KIT}/events", json=EVENT, headers=key).json() == first
    assert call("POST", f"{KIT}/events", json={**EVENT, "event": "x"}, headers=key).status_code == 409
    nobody = {name: value for name, value in EVENT.items() if name != "user_id"}
    batch = call("POST", f"{KIT}/batch/events", json={"events": [EVENT, nobody, {**EVENT, "timestamp": "now"}]}).json()
    assert (batch["accepted"], batch["rejected"], len(batch["event_ids"])) == (1, 2, 1)
    assert [error["index"] for error in batch["errors"]] == [1, 2]
    assert call("POST", f"{KIT}/batch/events", json={"events": []}).status_code == 400
    assert len(sandbox.ledger(effect="event.stored")) == 2


def test_reports_actions_workspace(sandbox: Sandbox, call: Caller) -> None:
    report = call("GET", f"{KIT}/reports/payback?start_date=2026-01-01&end_date=2026-01-31&group_by=country").json()
    assert report["meta"]["cohort_window_days"] == 30
    assert report["data"][1]["payback_days"] is None
    for query in (
        "start_date=2026-01-01",
        "start_date=x&end_date=2026-01-01",
        "start_date=2026-02-01&end_date=2026-01-01",
    ):
        assert call("GET", f"{KIT}/reports/payback?{query}").status_code == 400
    cohorts = call("GET", f"{KIT}/reports/cohorts?cohort_start=2026-01-01&cohort_end=2026-01-31").json()
    assert len(cohorts["data"][0]["retention"]) == 4
    page = call("GET", f"{KIT}/actions?limit=2&offset=4").json()
    assert (len(page["actions"]), page["total"], page["limit"], page["offset"]) == (1, 5, 2, 4)
    assert call("POST", f"{KIT}/actions/act_01/approve").json()["status"] == "approved"
    assert call("POST", f"{KIT}/actions/act_01/approve").status_code == 409
    assert call("POST", f"{KIT}/actions/act_02/reject").status_code == 200
    assert call("GET", f"{KIT}/actions/act_02").status_code == 404
    assert call("GET", f"{KIT}/workspace").json()["id"] == "ws_sandbox"
    assert len(sandbox.ledger(effect="action.approved")) == 1


def test_flinque_token(sandbox: Sandbox, call: Caller) -> None:
    body = {"grant_type": "client_credentials", "client_id": "x", "client_secret": "y"}
    wrong = call("POST", f"{FLINQUE}/oauth/token", json=body)
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "invalid_client")
    assert call("POST", f"{FLINQUE}/oauth/token", json={**body, "grant_type": "password"}).status_code == 400
    assert call("GET", f"{FLINQUE}/campaigns").status_code == 200
    sandbox.advance(86401)
    assert call("GET", f"{FLINQUE}/campaigns").status_code == 401


def test_flinque_workspaces_are_apart(sandbox: Sandbox, call: Caller) -> None:
    free = sandbox.credentials()["flinque"]["clients"][2]
    token = {"Authorization": f"Bearer {call.new_flinque_token(free['client_id'], free['client_secret'])}"}
    call("POST", f"{FLINQUE}/campaigns", json={"name": "Mine"})
    assert call("GET", f"{FLINQUE}/campaigns", headers=token).json()["meta"]["total"] == 0
    assert call("GET", f"{FLINQUE}/campaigns/ca_1", headers=token).status_code == 404
    assert call("GET", f"{FLINQUE}/workspaces", headers=token).json()["data"][0]["plan"] == "free"
    assert call("GET", f"{FLINQUE}/workspaces/ws_1/members", headers=token).status_code == 404


def test_flinque_campaigns(sandbox: Sandbox, call: Caller) -> None:
    created = call(
        "POST", f"{FLINQUE}/campaigns", json={"name": "Summer", "budget": 12.5, "currency": "EUR", "tags": []}
    )
    assert (created.status_code, created.json()["budget"], created.json()["status"]) == (200, "12.50", "draft")
    path = f"{FLINQUE}/campaigns/{created.json()['id']}"
    assert call("PATCH", path, json={"status": "active", "creator_ids": ["cr_1"]}).json()["status"] == "active"
    assert call("PATCH", path, json={"status": "draft"}).status_code == 400
    assert call("PATCH", path, json={"creator_ids": ["cr_99"]}).status_code == 400
    assert call("PATCH", path, json={"start_date": "2030-02-01", "end_date": "2030-01-01"}).status_code == 400
    newest = call("GET", f"{FLINQUE}/campaigns?per_page=1").json()
    assert (newest["data"][0]["id"], newest["meta"]["total"]) == (created.json()["id"], 4)
    refused = call("POST", f"{FLINQUE}/campaigns", json={}).json()["error"]
    assert (refused["code"], refused["details"][0]["field"]) == ("invalid_request", "name")
    assert len(sandbox.ledger(effect="campaign.created", reference="Summer")) == 1


def test_flinque_creators(call: Caller) -> None:
    assert call("GET", f"{FLINQUE}/creators").json()["meta"]["total"] == 25
    assert call("GET", f"{FLINQUE}/creators/cr_3").json()["id"] == "cr_3"
    assert call("GET", f"{FLINQUE}/creators/cr_3/audience").json()["countries"][0]["code"] == "US"
    assert len(call("GET", f"{FLINQUE}/creators/cr_3/posts").json()["data"]) == 5
    assert call("GET", f"{FLINQUE}/creators/cr_99").status_code == 404


def test_a_million_orders(sandbox: Sandbox, call: Caller) -> None:
    sandbox.seed(flinque={"attribution_orders": 1_000_000})
    path = f"{FLINQUE}/attribution/orders"
    newest = call("GET", f"{path}?per_page=100").json()
    assert newest["meta"]["total"] == 1_000_000
    assert newest["data"][0]["id"] == "or_1000000"
    oldest = call("GET", f"{path}?per_page=100&page=10000").json()["data"]
    assert oldest[-1]["id"] == "or_1"
    middle = oldest[50]["attributed_at"]
    parts = [call("GET", f"{path}?{bound}={middle}").json()["meta"]["total"] for bound in ("from", "to")]
    assert sum(parts) == 1_000_000
    assert parts[1] == 49
    chosen = call("GET", f"{path}?to={middle}&per_page=100").json()["data"]
    revenue = call("GET", f"{FLINQUE}/attribution/revenue?to={middle}").json()
    assert revenue["orders"] == 49
    assert round(sum(float(order["amount"]) for order in chosen), 2) == float(revenue["total"])
    events = call("GET", f"{FLINQUE}/attribution/events?to={middle}").json()
    assert events["meta"]["total"] == 147
    assert call("GET", f"{path}?from=2026-02-01&to=2026-01-01").status_code == 400


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_report_until_export(sandbox: Sandbox, call: Caller, kind: str) -> None:
    sandbox.seed(flinque={"report_rows": 2500})
    order = {"type": "campaign", "campaign_id": "ca_1", "format": kind}
    created = call("POST", f"{FLINQUE}/reports/generate", json=order).json()
    assert (created["status"], created["ready_at"]) == ("pending", None)
    export = f"{FLINQUE}/reports/{created['id']}/export"
    assert call("GET", export).status_code == 409
    sandbox.advance(61)
    assert call("GET", f"{FLINQUE}/reports").json()["data"][0]["status"] == "processing"
    sandbox.advance(240)
    assert call("GET", f"{FLINQUE}/reports").json()["data"][0]["ready_at"] > created["created_at"]
    answer = call("GET", export)
    rows = len(answer.json()["data"]) if kind == "json" else answer.text.count("\r\n") - 1
    assert rows == 2500
    assert "X-RateLimit-Remaining" in answer.headers
    assert len(sandbox.ledger("flinque", "report.generated", "campaign:ca_1")) == 1


def test_failed_report(sandbox: Sandbox, call: Caller) -> None:
    sandbox.outcome("flinque", "failed")
    created = call("POST", f"{FLINQUE}/reports/generate", json={}).json()
    sandbox.advance(301)
    assert call("GET", f"{FLINQUE}/reports").json()["data"][0]["status"] == "failed"
    assert call("GET", f"{FLINQUE}/reports/{created['id']}/export").status_code == 409


def test_flinque_webhooks(call: Caller) -> None:
    new = {"url": "https://hooks.example.com", "events": ["report.ready"]}
    created = call("POST", f"{FLINQUE}/webhooks", json=new).json()
    assert created["secret"]
    assert "secret" not in call("GET", f"{FLINQUE}/webhooks").json()["data"][0]
    assert call("DELETE", f"{FLINQUE}/webhooks/{created['id']}").json() == {}
    assert call("DELETE", f"{FLINQUE}/webhooks/{created['id']}").status_code == 404
