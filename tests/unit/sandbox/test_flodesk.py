# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Flodesk: both kinds of credentials, rotation, subscribers, segments, workflows, the rest."""

from __future__ import annotations

import pytest

from airflow_provider_mkt.sandbox.engine.ledger import digest
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.sandbox.vendors import Caller, basic

BASE = "/flodesk/v1"


def test_basic_key_must_be_encoded_exactly(call: Caller) -> None:
    key = call.sandbox.connections["flodesk_default"]["password"]
    assert call("GET", f"{BASE}/segments").status_code == 200
    for wrong in (basic(key, "\n"), basic(key + "\n", ""), basic("x", ""), "Basic %%%", "Basic", f"Bearer {key}"):
        answer = call("GET", f"{BASE}/segments", headers={"Authorization": wrong})
        assert answer.status_code == 401
        assert answer.json() == {"code": "unauthorized", "message": "Unauthorized access is denied!"}


def test_refresh_token_works_once(sandbox: Sandbox, call: Caller) -> None:
    first = sandbox.credentials()["flodesk"]["refresh_token"]
    tokens = call.refresh(first).json()
    assert (tokens["token_type"], tokens["expires_in"], tokens["scopes"]) == ("Bearer", 86400, "all")
    again = call.refresh(first)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert call("GET", f"{BASE}/segments", headers=bearer).status_code == 200
    assert call("GET", "/flodesk/oauth2/userinfo", headers=bearer).json()["full_name"] == "Harbour Homes"
    assert call.refresh(tokens["refresh_token"]).status_code == 200
    assert len(sandbox.ledger("flodesk", "token.issued", "refresh_token")) == 2
    sandbox.advance(86401)
    assert call("GET", f"{BASE}/segments", headers=bearer).status_code == 401


def test_grace_yields_the_same_successor(sandbox: Sandbox, call: Caller) -> None:
    sandbox.switch(flodesk__refresh_grace=60)
    first = sandbox.credentials()["flodesk"]["refresh_token"]
    tokens = call.refresh(first).json()
    assert call.refresh(first).json() == tokens
    sandbox.advance(61)
    assert call.refresh(first).status_code == 400


def test_authorization_code(call: Caller) -> None:
    known = call.sandbox.credentials()["flodesk"]
    query = {
        "client_id": known["client_id"],
        "redirect_uri": known["redirect_uri"],
        "response_type": "code",
        "state": "s&1",
    }
    sent = call("GET", "/flodesk/oauth2/authorize", params=query)
    assert sent.status_code == 302
    assert sent.headers["Location"].startswith(known["redirect_uri"])
    assert sent.headers["Location"].endswith("state=s%261")
    code = sent.headers["Location"].partition("code=")[2].partition("&")[0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": known["redirect_uri"]}
    who = {"Authorization": basic(known["client_id"], known["client_secret"])}
    assert call("POST", "/flodesk/oauth2/token", data=form).status_code == 401
    assert call("POST", "/flodesk/oauth2/token", json=form, headers=who).json()["error"] == "invalid_request"
    assert call("POST", "/flodesk/oauth2/token", data=form, headers=who).status_code == 200
    assert call("POST", "/flodesk/oauth2/token", data=form, headers=who).json()["error"] == "invalid_grant"
    wrong = call("GET", "/flodesk/oauth2/authorize", params={**query, "redirect_uri": "https://evil.example"})
    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_request")


def test_upsert_merges_and_never_reactivates(sandbox: Sandbox, call: Caller) -> None:
    email = "a+b@example.com"
    new = {"email": email, "first_name": "A", "segment_ids": ["seg_buyers"], "custom_fields": {"city": "Kiel"}}
    created = call("POST", f"{BASE}/subscribers", json=new)
    assert created.status_code == 200
    assert created.json()["segments"] == [{"id": "seg_buyers", "name": "Buyers"}]
    path = f"{BASE}/subscribers/a%2Bb%40example.com"
    assert call("POST", f"{path}/unsubscribe").json()["status"] == "unsubscribed"
    assert call("POST", f"{path}/unsubscribe").status_code == 200
    again = call("POST", f"{BASE}/subscribers", json={"email": email.upper(), "last_name": "B"}).json()
    assert (again["first_name"], again["last_name"], again["status"]) == ("A", "B", "unsubscribed")
    assert again["custom_fields"] == {"city": "Kiel"}
    reference = digest(email)
    effects = [entry["effect"] for entry in sandbox.ledger("flodesk", reference=reference)]
    assert effects == ["subscriber.created", "subscriber.unsubscribed", "subscriber.updated"]


def test_double_optin(sandbox: Sandbox, call: Caller) -> None:
    created = call("POST", f"{BASE}/subscribers", json={"email": "x@example.com", "double_optin": True}).json()
    assert created["status"] == "unconfirmed"
    sandbox.advance(601)
    assert call("GET", f"{BASE}/subscribers/{created['id']}").json()["status"] == "active"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"first_name": "x"},
        {"email": "bad"},
        {"id": "sub_999"},
        {"email": "x@example.com", "custom_fields": {"nope": "x"}},
        {"email": "x@example.com", "custom_fields": {"city": 5}},
        {"email": "x@example.com", "segment_ids": ["nope"]},
        {"email": "x@example.com", "segment_ids": ["seg_vips"] * 51},
        {"email": "x@example.com", "double_optin": "yes"},
        {"email": "x@example.com", "optin_timestamp": "yesterday"},
        {"email": "x@example.com", "status": "active"},
        [],
        None,
    ],
)
def test_bad_upserts_are_refused(sandbox: Sandbox, call: Caller, body: object) -> None:
    answer = call("POST", f"{BASE}/subscribers", json=body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"code", "message"}
    assert sandbox.ledger("flodesk") == []


def test_batch_reports_each_failure(sandbox: Sandbox, call: Caller) -> None:
    items = [{"email": "a@example.com"}, {"email": "bad"}, 5, {"email": "a@example.com", "first_name": "A"}]
    assert call("POST", f"{BASE}/subscribers/batch", json={"subscribers": items}).status_code == 400
    items[2] = {"email": "c@example.com", "first_name": 5}
    result = call("POST", f"{BASE}/subscribers/batch", json={"subscribers": items}).json()
    assert [row["email"] for row in result["successes"]] == ["a@example.com"]
    assert [(row["index"], row["email"], row["id"]) for row in result["failures"]] == [
        (1, "bad", ""),
        (2, "c@example.com", ""),
    ]
    assert [entry["effect"] for entry in sandbox.ledger("flodesk")] == ["subscriber.created", "subscriber.updated"]
    for size in (0, 51):
        many = {"subscribers": [{"email": f"p{index}@example.com"} for index in range(size)]}
        assert call("POST", f"{BASE}/subscribers/batch", json=many).status_code == 400


def test_segments_of_a_subscriber(sandbox: Sandbox, call: Caller) -> None:
    path = f"{BASE}/subscribers/ada%40example.com/segments"
    body = {"segment_ids": ["seg_vips", "seg_buyers"]}
    assert len(call("POST", path, json=body).json()["segments"]) == 3
    assert len(call("POST", path, json=body).json()["segments"]) == 3
    assert call("GET", f"{BASE}/segments/seg_vips").json()["total_active_subscribers"] == 1
    removed = call("DELETE", path, json={"segment_ids": ["seg_vips"]})
    assert [segment["id"] for segment in removed.json()["segments"]] == ["seg_news", "seg_buyers"]
    assert call("DELETE", path, json={"segment_ids": ["nope"]}).status_code == 404
    assert call("DELETE", path).status_code == 400
    assert call("POST", f"{BASE}/subscribers/nobody/segments", json=body).status_code == 404
    assert len(sandbox.ledger(effect="subscriber.added_to_segments")) == 1


def test_lists_and_filters(sandbox: Sandbox, call: Caller) -> None:
    sandbox.seed(flodesk={"subscribers": 250, "segments": ["seg_buyers"]})
    first = call("GET", f"{BASE}/subscribers?per_page=100&segment_id=seg_buyers").json()
    assert first["meta"] == {"page": 1, "total_pages": 3, "per_page": 100, "total_items": 250}
    last = call("GET", f"{BASE}/subscribers?per_page=100&segment_id=seg_buyers&page=3").json()
    assert len(last["data"]) == 50
    assert call("GET", f"{BASE}/subscribers?status=bounced").json()["meta"]["total_items"] == 1
    assert call("GET", f"{BASE}/subscribers?status=archived").status_code == 400
    assert call("GET", f"{BASE}/subscribers?per_page=101").status_code == 400
    assert call("GET", f"{BASE}/segments/seg_buyers").json()["total_active_subscribers"] == 250


def test_workflows(sandbox: Sandbox, call: Caller) -> None:
    listed = call("GET", f"{BASE}/workflows?statuses=active,draft&perPage=2").json()
    assert (len(listed["data"]), listed["meta"]["per_page"], listed["meta"]["total_items"]) == (2, 2, 4)
    assert call("GET", f"{BASE}/workflows?statuses=nope").status_code == 400
    for workflow, after_completion in (("wf_welcome", 400), ("wf_viewing", 204)):
        path = f"{BASE}/workflows/{workflow}/subscribers"
        entered = call("POST", path, json={"email": "ada@example.com"})
        assert (entered.status_code, entered.content) == (204, b"")
        assert call("POST", path, json={"email": "ada@example.com"}).status_code == 400
        sandbox.advance(601)
        assert call("POST", path, json={"email": "ada@example.com"}).status_code == after_completion
        assert call("DELETE", f"{path}/ada%40example.com").status_code == 204
        assert call("DELETE", f"{path}/ada%40example.com").status_code == 404
    for workflow, code in (("wf_cart", 400), ("wf_paused", 400), ("nope", 404)):
        body = {"email": "ada@example.com"}
        assert call("POST", f"{BASE}/workflows/{workflow}/subscribers", json=body).status_code == code
    assert call("POST", f"{BASE}/workflows/wf_welcome/subscribers", json={}).status_code == 400


def test_segments_fields_webhooks(call: Caller) -> None:
    colors = call("GET", f"{BASE}/segments/colors").json()
    created = call("POST", f"{BASE}/segments", json={"name": "New", "color": colors[1]})
    assert (created.status_code, created.json()["color"]) == (201, colors[1])
    assert call("POST", f"{BASE}/segments", json={"name": "New", "color": "#000000"}).status_code == 400
    field = call("POST", f"{BASE}/custom-fields", json={"label": "Favourite Color"})
    assert (field.status_code, field.json()) == (201, {"key": "favourite_color", "label": "Favourite Color"})
    assert field.json() in call("GET", f"{BASE}/custom-fields/all").json()
    assert call("GET", f"{BASE}/custom-fields").json()["meta"]["total_items"] == 5
    new = {"name": "n", "post_url": "https://hooks.example.com", "events": ["subscriber.created"]}
    hook = call("POST", f"{BASE}/webhooks", json=new)
    assert (hook.status_code, "name" in hook.json()) == (201, False)
    path = f"{BASE}/webhooks/{hook.json()['id']}"
    assert call("PUT", path, json={"events": ["subscriber.unsubscribed"]}).json()["post_url"] == new["post_url"]
    assert call("DELETE", path).status_code == 204
    assert call("DELETE", path).status_code == 404
    assert call("POST", f"{BASE}/webhooks", json={**new, "events": ["x"]}).status_code == 400


def test_campaigns_have_no_meta(call: Caller) -> None:
    assert call("GET", f"{BASE}/campaigns/canva/design-state").status_code == 404
    canva = call("POST", f"{BASE}/campaigns/canva", json={"title": "Spring"})
    assert (canva.status_code, set(canva.json())) == (201, {"id", "url"})
    assert call("POST", f"{BASE}/campaigns/studio", json={"html": "<p/>"}).status_code == 201
    assert call("GET", f"{BASE}/campaigns/canva/design-state").json()["campaign_id"] == canva.json()["id"]
    assert list(call("GET", f"{BASE}/campaigns").json()) == ["data"]
    assert len(call("GET", f"{BASE}/campaigns?Search=spring&Status=draft").json()["data"]) == 1
    assert call("GET", f"{BASE}/campaigns?Status=nope").status_code == 400


def test_any_media_type_is_taken_for_json(call: Caller) -> None:
    text = {"Content-Type": "text/plain"}
    answer = call("POST", f"{BASE}/subscribers", data='{"email": "t@example.com"}', headers=text)
    assert answer.status_code == 200
