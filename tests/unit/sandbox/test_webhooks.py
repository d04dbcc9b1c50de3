# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Webhooks that the simulated vendors send, held to their documents: who signs how, who repeats, who does not."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError

import pytest

from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.sandbox.catcher import Catcher, until
from tests.unit.sandbox.vendors import ORDER, POST, Caller

PUBLIC = "https://airflow.example.com/mkt/webhooks"
TOKEN = "a-token-that-nobody-guesses"
QUICK = {f"{vendor}.webhook_pause": 0.05 for vendor in ("flinque", "flow_social", "flodesk", "flokit", "flow_living")}


@pytest.fixture
def catcher(sandbox: Sandbox) -> Iterator[Catcher]:
    with Catcher() as catcher:
        sandbox.webhooks(target=catcher.url)
        sandbox.switch(QUICK)
        yield catcher


def flinque(call: Caller, *events: str, url: str = f"{PUBLIC}/flinque_default") -> dict[str, Any]:
    made: dict[str, Any] = call("POST", "/flinque/v1/webhooks", json={"url": url, "events": list(events)}).json()
    return made


def social(call: Caller, *events: str) -> dict[str, Any]:
    body = {"url": f"{PUBLIC}/flow_social_default", "events": list(events)}
    made: dict[str, Any] = call("POST", "/flow-social/v1/webhooks", json=body).json()["data"]
    return made


def report(call: Caller) -> str:
    return str(call("POST", "/flinque/v1/reports/generate", json={"name": "Spring"}).json()["id"])


def test_flinque_signs_the_body_and_tells_of_a_report(sandbox: Sandbox, call: Caller, catcher: Catcher) -> None:
    early = report(call)
    sandbox.advance(300)
    secret = flinque(call, "report.ready", "campaign.created")["secret"]
    report_id = report(call)
    call("POST", "/flinque/v1/campaigns", json={"name": "Open house"})
    sandbox.advance(300)
    campaign, ready = sorted(catcher.wait(2), key=lambda each: str(each.json["type"]))
    assert (campaign.json["type"], campaign.json["data"]["name"]) == ("campaign.created", "Open house")
    assert ready.path == "/mkt/webhooks/flinque_default"
    assert {**ready.json, "id": "", "created_at": ""} == {
        "id": "",
        "type": "report.ready",
        "created_at": "",
        "workspace_id": "ws_1",
        "data": {"id": report_id, "type": "campaign", "status": "ready"},
    }
    for each in (campaign, ready):
        assert each.headers["content-type"] == "application/json"
        signature = hmac.new(secret.encode(), each.body, hashlib.sha256).hexdigest()
        assert each.headers["x-flinque-signature"] == signature
    assert early not in ready.body.decode(), "it was ready before anybody subscribed"


def test_flow_social_signs_time_and_body(sandbox: Sandbox, call: Caller, catcher: Catcher) -> None:
    secret = social(call, "post.created", "post.delivered")["secret"]
    post_id = call("POST", "/flow-social/v1/posts", json=POST).json()["data"]["id"]
    sandbox.advance(60)
    created, delivered = sorted(catcher.wait(2), key=lambda each: str(each.json["event"]))
    assert created.json["event"] == "post.created"
    data = delivered.json["data"]
    assert (delivered.json["event"], data["post_id"], data["channel_id"]) == ("post.delivered", post_id, "channel_1")
    assert delivered.headers["flow-event-type"] == "post.delivered"
    moment, signature = (part.partition("=")[2] for part in delivered.headers["flow-signature"].split(","))
    assert abs(int(moment) - time.time()) < 60
    text = moment.encode() + b"." + delivered.body
    assert signature == hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(("outcome", "event"), [("failed", "post.failed"), ("blocked", "post.blocked")])
def test_flow_social_tells_of_other_ends(
    sandbox: Sandbox, call: Caller, catcher: Catcher, outcome: str, event: str
) -> None:
    social(call, "post.failed", "post.blocked", "post.delivered")
    sandbox.outcome("flow_social", outcome)
    call("POST", "/flow-social/v1/posts", json=POST)
    sandbox.advance(60)
    assert [each.json["event"] for each in catcher.wait(1)] == [event]


def test_flodesk_tells_of_people_at_the_address_with_the_token(
    sandbox: Sandbox, call: Caller, catcher: Catcher
) -> None:
    events = ["subscriber.created", "subscriber.added_to_segment", "subscriber.unsubscribed"]
    body = {"name": "Airflow", "post_url": f"{PUBLIC}/flodesk_default/{TOKEN}", "events": events}
    hook_id = call("POST", "/flodesk/v1/webhooks", json=body).json()["id"]
    call("POST", "/flodesk/v1/subscribers", json={"email": "eve@example.com", "segment_ids": ["seg_vips"]})
    call("POST", "/flodesk/v1/subscribers/eve@example.com/unsubscribe")
    caught = sorted(catcher.wait(3), key=lambda each: events.index(each.json["event_name"]))
    assert [each.json["event_name"] for each in caught] == events
    assert {each.path for each in caught} == {f"/mkt/webhooks/flodesk_default/{TOKEN}"}
    assert {each.json["webhook_id"] for each in caught} == {hook_id}
    assert {each.json["subscriber"]["email"] for each in caught} == {"eve@example.com"}
    assert caught[1].json["segment"] == {"id": "seg_vips", "name": "VIPs"}
    shown = json.dumps(until(lambda: [each for each in sandbox.deliveries() if each["status"] == "delivered"]))
    assert TOKEN not in shown
    assert "eve@example.com" not in shown


def test_vendors_without_subscriptions_call_what_their_staff_set_up(
    sandbox: Sandbox, call: Caller, catcher: Catcher
) -> None:
    sandbox.webhooks(callbacks={name: f"{PUBLIC}/{name}_default/{TOKEN}" for name in ("flow_living", "flokit")})
    sandbox.outcome("flokit", "failed")
    call("POST", "/flokit/v1/integrations/int_adjust/sync")
    call("POST", "/flow-living/campaigns/publish?clientId=sandbox-organisation", json=ORDER)
    (first, *_) = [each.json for each in catcher.wait(2) if "campaign_tracking_id" in each.json]
    assert (first["event"], first["status"], first["order_ref"]) == ("campaign.created", "queued", "PO-1")
    sandbox.advance(600)
    caught = [each.json for each in catcher.wait(5)]
    (error,) = [each for each in caught if each.get("type") == "integration.error"]
    assert error["data"]["integration"]["id"] == "int_adjust"
    published = [each for each in caught if each.get("event") == "campaign.published"]
    assert {each["status"] for each in published} == {"published"}


@pytest.mark.parametrize(("answer", "tries"), [(500, 3), (302, 3), (401, 3)])
def test_a_signed_delivery_is_repeated_three_times_and_no_more(
    sandbox: Sandbox, call: Caller, catcher: Catcher, answer: int, tries: int
) -> None:
    catcher.answers = [answer] * 10
    catcher.location = f"{catcher.url}/elsewhere"
    social(call, "post.created")
    call("POST", "/flow-social/v1/posts", json=POST)
    (delivery,) = until(lambda: [each for each in sandbox.deliveries() if each["status"] == "failed"])
    assert (delivery["attempts"], delivery["response"]) == (tries, answer)
    caught = catcher.wait(tries)
    assert {each.path for each in caught} == {"/mkt/webhooks/flow_social_default"}, "redirects are not followed"
    assert len({each.body for each in caught}) == 1
    first, second, third = (each.at for each in caught)
    assert third - second > second - first > 0.04, "the pause doubles"


def test_flodesk_repeats_nothing_unless_told(sandbox: Sandbox, call: Caller, catcher: Catcher) -> None:
    body = {"name": "A", "post_url": f"{PUBLIC}/flodesk_default/{TOKEN}", "events": ["subscriber.unsubscribed"]}
    call("POST", "/flodesk/v1/webhooks", json=body)
    catcher.answers = [503, 503, 200]
    sandbox.emit("flodesk", "subscriber.unsubscribed", {"subscriber": {"id": "s1"}})
    (failed,) = until(lambda: [each for each in sandbox.deliveries() if each["status"] == "failed"])
    assert failed["attempts"] == 1
    sandbox.switch({"flodesk.webhook_attempts": 2})
    sandbox.emit("flodesk", "subscriber.unsubscribed", {"subscriber": {"id": "s2"}})
    assert until(lambda: [each for each in sandbox.deliveries() if each["status"] == "delivered"])[0]["attempts"] == 2


def test_flow_social_shows_its_deliveries(sandbox: Sandbox, call: Caller, catcher: Catcher) -> None:
    webhook = social(call, "post.created")
    place = f"/flow-social/v1/webhooks/{webhook['id']}"
    assert call("POST", f"{place}/test").json()["data"]["status"] == "pending"
    rows = until(lambda: call("GET", f"{place}/deliveries?status=delivered").json()["data"])
    assert (rows[0]["eventType"], rows[0]["attemptCount"], rows[0]["responseCode"]) == ("webhook.test", 1, 200)
    assert catcher.wait(1)[0].json["event"] == "webhook.test"
    call("PATCH", place, json={"active": False})
    call("POST", "/flow-social/v1/posts", json=POST)
    assert len(sandbox.deliveries()) == 1, "an inactive subscription is sent nothing"


def test_other_machines_are_left_alone(sandbox: Sandbox, call: Caller) -> None:
    flinque(call, "creator.added")
    sandbox.emit("flinque", "creator.added", {"id": "cr_1"})
    (delivery,) = sandbox.deliveries()
    assert (delivery["status"], delivery["attempts"]) == ("pending", 0)
    assert "another machine" in delivery["error"]


def test_an_address_of_this_machine_needs_no_target(sandbox: Sandbox, call: Caller, catcher: Catcher) -> None:
    sandbox.webhooks(target=None)
    sandbox.switch(flinque__allow_http_webhooks=True)
    flinque(call, "creator.added", url=f"{catcher.url}/here")
    sandbox.emit("flinque", "creator.added", {"id": "cr_1"})
    assert catcher.wait(1)[0].path == "/here"


def test_a_receiver_that_hangs_is_given_up(
    sandbox: Sandbox, call: Caller, catcher: Catcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_mkt.sandbox.engine.outbox.DEADLINE", 0.1)
    catcher.hang.clear()
    sandbox.switch({"flinque.webhook_attempts": 1})
    flinque(call, "creator.added")
    sandbox.emit("flinque", "creator.added", {"id": "cr_1"})
    (failed,) = until(lambda: [each for each in sandbox.deliveries() if each["status"] == "failed"])
    assert (failed["response"], failed["error"]) == (None, "TimeoutError")


def test_a_full_queue_refuses(
    sandbox: Sandbox, call: Caller, catcher: Catcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_mkt.sandbox.engine.outbox.MAX_WAITING", 0)
    flinque(call, "creator.added")
    sandbox.emit("flinque", "creator.added", {"id": "cr_1"})
    assert [each["status"] for each in sandbox.deliveries()] == ["failed"]


def test_a_reset_forgets_targets_and_deliveries(sandbox: Sandbox, call: Caller, catcher: Catcher) -> None:
    flinque(call, "creator.added")
    sandbox.emit("flinque", "creator.added", {"id": "cr_1"})
    catcher.wait(1)
    sandbox.reset()
    assert sandbox.deliveries() == []
    assert sandbox.order("POST", "webhooks", {}) == {"target": None, "callbacks": []}


@pytest.mark.parametrize(
    ("path", "order"),
    [
        ("webhooks", {"target": "ftp://host"}),
        ("webhooks", {"target": 5}),
        ("webhooks", {"callbacks": {"flinque": PUBLIC}}),
        ("webhooks", {"callbacks": {"flokit": "nowhere"}}),
        ("webhooks", {"callbacks": []}),
        ("events", {"vendor": "nope", "event": "x"}),
        ("events", {"vendor": ["flinque"], "event": "x"}),
        ("events", {"vendor": "flinque", "event": 1}),
        ("events", {"vendor": "flinque", "event": "x", "data": []}),
    ],
)
def test_bad_orders_are_refused(sandbox: Sandbox, path: str, order: object) -> None:
    with pytest.raises(HTTPError) as refusal:
        sandbox.order("POST", path, order)
    assert refusal.value.code == 400
    refusal.value.close()
