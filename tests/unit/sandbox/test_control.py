# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The control API, the request log, and the switches."""

from __future__ import annotations

import json
from urllib.error import HTTPError

import pytest

from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.vendors import VENDORS
from tests.unit.sandbox.vendors import POST, Caller, basic


def test_health_and_reset(sandbox: Sandbox, call: Caller) -> None:
    health = sandbox.order("GET", "health")
    assert (health["status"], set(health["vendors"])) == ("ok", {vendor.conn_type for vendor in VENDORS})
    sandbox.fault("* *", "status", status=500, count=None)
    sandbox.switch(flow_social__scopes=True)
    call("POST", "/flow-social/v1/posts", json=POST)
    sandbox.reset()
    assert call("POST", "/flow-social/v1/posts", json=POST).json()["data"]["id"] == "post_1"
    assert [entry["value"] for entry in sandbox.order("GET", "switches") if entry["name"] == "flow_social.scopes"] == [
        False
    ]
    assert len(sandbox.requests()) == 1


def test_summary_counts(sandbox: Sandbox, call: Caller) -> None:
    for _ in range(3):
        call("POST", "/flow-social/v1/posts", json=POST)
    expected = {"vendor": "flow_social", "effect": "post.created", "reference": POST["content"], "times": 3}
    assert expected in sandbox.order("GET", "ledger/summary")


def test_request_log_shows_everything_but_secrets(sandbox: Sandbox, call: Caller) -> None:
    call.publish()
    call.flinque_token()
    tokens = call.flodesk_tokens()
    call("GET", "/flodesk/v1/segments")
    call("POST", "/flow-social/v1/posts?x=1&x=2", json=POST, headers={"X-Note": "seen"})
    known = sandbox.credentials()
    text = json.dumps(sandbox.requests())
    secrets = [
        call.living_token(),
        call.flinque_token(),
        tokens["access_token"],
        tokens["refresh_token"],
        known["flow_living"]["api_key"],
        known["flinque"]["clients"][0]["client_secret"],
        known["flow_social"]["api_key"],
        known["flodesk"]["api_key"],
        basic(known["flodesk"]["api_key"], ""),
        known["flodesk"]["client_secret"],
    ]
    for secret in secrets:
        assert f'{secret}"' not in text
        assert f" {secret}" not in text
    entry = sandbox.requests("flow_social")[0]
    assert (entry["method"], entry["path"], entry["status"]) == ("POST", "/flow-social/v1/posts", 201)
    assert (entry["body"], entry["headers"]["x-note"]) == (POST, "seen")
    assert entry["headers"]["authorization"].startswith("sha256:")
    assert sandbox.requests("flow_social", since=entry["seq"]) == []


def test_ledger_hides_addresses(sandbox: Sandbox, call: Caller) -> None:
    call("POST", "/flodesk/v1/subscribers", json={"email": "secret.person@example.com"})
    assert "secret.person" not in json.dumps(sandbox.ledger())


@pytest.mark.parametrize(
    ("path", "order"),
    [
        ("seed", {"nope": {}}),
        ("seed", {"flinque": {"attribution_orders": -1}}),
        ("seed", {"flinque": {"nope": 1}}),
        ("seed", {"flodesk": {"segments": ["nope"]}}),
        ("seed", {"flow_living": {"listings": 5}}),
        ("switches", {"nope": 1}),
        ("switches", {"flow_social.scopes": 1}),
        ("switches", {"flow_living.token_lifetime": "x"}),
        ("clock", {}),
        ("clock", {"advance": -1}),
        ("outcomes", {"vendor": "nope", "outcome": "failed"}),
        ("outcomes", {"vendor": "flokit", "outcome": "failed", "x": 1}),
        ("faults", []),
    ],
)
def test_bad_orders_are_refused(sandbox: Sandbox, path: str, order: object) -> None:
    with pytest.raises(HTTPError) as refusal:
        sandbox.order("POST", path, order)
    assert refusal.value.code == 400
    assert json.load(refusal.value)["error"]
    refusal.value.close()


def test_a_bad_switch_changes_none(sandbox: Sandbox) -> None:
    with pytest.raises(HTTPError) as refusal:
        sandbox.switch({"flow_social.scopes": True, "nope": 1})
    refusal.value.close()
    values = {entry["name"]: entry["value"] for entry in sandbox.order("GET", "switches")}
    assert values["flow_social.scopes"] is False


def test_what_has_happened_since(sandbox: Sandbox, call: Caller) -> None:
    assert sandbox.latest()[0] == len(sandbox.ledger())
    call("POST", "/flinque/v1/campaigns", json={"name": "Spring"})
    effects, seq = sandbox.latest()
    assert sandbox.ledger(since=effects) == sandbox.requests(since=seq) == []
    call("POST", "/flinque/v1/campaigns", json={"name": "Summer"})
    assert [each["reference"] for each in sandbox.ledger(since=effects)] == ["Summer"]
    assert [each["path"] for each in sandbox.requests(since=seq)] == ["/flinque/v1/campaigns"]
    assert sandbox.ledger(effect="campaign.created", since=effects + 1) == []
