# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Flow Social: posts and their course, batches, idempotency, querying, the other resources."""

from __future__ import annotations

import time
from typing import Any

import pytest

from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.sandbox.vendors import POST, Caller, later

BASE = "/flow-social/v1"


def data(call: Caller, method: str, path: str, **options: Any) -> Any:
    answer = call(method, BASE + path, **options)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()["data"]


def statuses(call: Caller) -> list[str]:
    return [post["status"] for post in call("GET", f"{BASE}/posts").json()["data"]]


def test_course_of_posts(sandbox: Sandbox, call: Caller) -> None:
    created = call("POST", f"{BASE}/posts", json=POST)
    assert created.status_code == 201
    assert created.json()["data"]["status"] == "queued"
    call("POST", f"{BASE}/posts", json={**POST, "scheduledFor": later(600)})
    assert statuses(call) == ["flowing", "queued"]
    sandbox.advance(61)
    assert statuses(call) == ["done", "queued"]
    sandbox.advance(540)
    assert statuses(call) == ["done", "flowing"]
    sandbox.advance(60)
    assert statuses(call) == ["done", "done"]


def test_milliseconds_and_iso_mean_the_same(call: Caller) -> None:
    moment = int((time.time() + 3600) * 1000)
    number = data(call, "POST", "/posts", json={**POST, "scheduledFor": moment})
    text = data(call, "POST", "/posts", json={**POST, "scheduledFor": "2030-01-01T00:00:00.000Z"})
    assert number["scheduledFor"] == moment
    assert text["scheduledFor"] == 1893456000000


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"channelId": "channel_9"}, "channelId"),
        ({"channelId": None}, "channelId"),
        ({"content": ""}, "content"),
        ({"content": "x" * 10_001}, "content"),
        ({"content": None}, "content"),
        ({"channelId": "channel_2", "content": "x" * 281}, "content"),
        ({"scheduledFor": "2020-01-01T00:00:00Z"}, "scheduledFor"),
        ({"scheduledFor": "tomorrow"}, "scheduledFor"),
        ({"scheduledFor": "2030-01-01T00:00:00"}, "scheduledFor"),
        ({"mediaKeys": ["nope"]}, "mediaKeys"),
        ({"mediaKeys": ["x"] * 11}, "mediaKeys"),
        ({"schedule": 1}, "schedule"),
    ],
)
def test_bad_posts_are_refused(sandbox: Sandbox, call: Caller, changes: dict[str, object], field: str) -> None:
    answer = call("POST", f"{BASE}/posts", json={**POST, **changes})
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["code"]) == (400, "validation_error", "VALIDATION_ERROR")
    assert field in [problem["field"] for problem in error["details"]]
    assert sandbox.ledger(effect="post.created") == []


def test_same_key_same_body_creates_once(sandbox: Sandbox, call: Caller) -> None:
    key = {"Idempotency-Key": "k-1"}
    first = call("POST", f"{BASE}/posts", json=POST, headers=key)
    second = call("POST", f"{BASE}/posts", json=dict(reversed(POST.items())), headers=key)
    assert (first.status_code, first.content) == (second.status_code, second.content)
    other = call("POST", f"{BASE}/posts", json={**POST, "content": "other"}, headers=key)
    assert other.status_code == 409
    created = sandbox.ledger("flow_social", "post.created")
    assert [(entry["reference"], entry["idempotency_key"]) for entry in created] == [(POST["content"], "k-1")]
    assert [entry["reference"] for entry in sandbox.ledger(effect="idempotency_conflict")] == ["k-1"]
    sandbox.advance(24 * 3600 + 1)
    assert call("POST", f"{BASE}/posts", json=POST, headers=key).json()["data"]["id"] == "post_2"


def test_a_refusal_is_not_kept_under_a_key(call: Caller) -> None:
    key = {"Idempotency-Key": "k-2"}
    assert call("POST", f"{BASE}/posts", json={**POST, "content": ""}, headers=key).status_code == 400
    assert call("POST", f"{BASE}/posts", json=POST, headers=key).status_code == 201


def test_batch_create_update_delete(sandbox: Sandbox, call: Caller) -> None:
    posts = [
        {**POST, "scheduledFor": later(600)},
        {"channelId": 5},
        {**POST, "content": "Second", "scheduledFor": later(700)},
    ]
    created = call("POST", f"{BASE}/posts/batch", json={"posts": posts}, headers={"Idempotency-Key": "b-1"})
    result = created.json()["data"]
    assert result["summary"] == {"total": 3, "successful": 2, "failed": 1}
    assert [row["success"] for row in result["results"]] == [True, False, True]
    assert isinstance(result["results"][1]["error"], str)
    assert [entry["idempotency_key"] for entry in sandbox.ledger(effect="post.created")] == ["b-1", "b-1"]
    ids = [row["post"]["id"] for row in result["results"] if row["success"]]
    updated = data(call, "PATCH", "/posts/batch", json={"posts": [{"id": ids[0], "content": "New"}, {"id": "post_9"}]})
    assert [row["success"] for row in updated["results"]] == [True, False]
    deleted = data(call, "DELETE", "/posts/batch", json={"postIds": [*ids, "post_9"]})
    assert [(row["postId"], row["success"]) for row in deleted["results"]] == [
        (ids[0], True),
        (ids[1], True),
        ("post_9", False),
    ]
    assert call("POST", f"{BASE}/posts/batch", json={"posts": []}).status_code == 400
    assert call("POST", f"{BASE}/posts/batch", json={"posts": [POST] * 101}).status_code == 400


def test_only_queued_posts_change(sandbox: Sandbox, call: Caller) -> None:
    call("POST", f"{BASE}/posts", json={**POST, "scheduledFor": later(600)})
    changed = data(call, "PATCH", "/posts/post_1", json={"content": "New", "scheduledFor": later(1200)})
    assert changed["content"] == "New"
    sandbox.advance(601)
    assert statuses(call) == ["queued"]
    sandbox.advance(601)
    assert call("PATCH", f"{BASE}/posts/post_1", json={"content": "x"}).status_code == 400
    assert call("DELETE", f"{BASE}/posts/post_1").status_code == 400
    assert call("GET", f"{BASE}/posts/post_9").json()["error"]["code"] == "POST_NOT_FOUND"


def test_outcomes(sandbox: Sandbox, call: Caller) -> None:
    sandbox.outcome("flow_social", "blocked", match="Second")
    sandbox.outcome("flow_social", "retried", match="Third")
    for content in ("First", "Second", "Third"):
        call("POST", f"{BASE}/posts", json={**POST, "content": content})
    sandbox.advance(61)
    assert statuses(call) == ["done", "blocked", "queued"]
    sandbox.advance(120)
    assert statuses(call) == ["done", "blocked", "done"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("filter[content]=b", ["b"]),
        ("filter[content][ne]=b", ["a", "c", "c"]),
        ("filter[content][in]=a,b", ["a", "b"]),
        ("filter[content][contains]=c", ["c", "c"]),
        ("filter%5Bcontent%5D%5Beq%5D=a", ["a"]),
        ("filter[scheduledFor][gte]=1893456000000", ["b", "c", "c"]),
        ("filter[scheduledFor][lt]=2030-01-01T00:00:00Z", ["a"]),
        ("filter[status]=queued&filter[channelId]=channel_3", ["c"]),
        ("sort=-content,scheduledFor", ["c", "c", "b", "a"]),
        ("sort=-content,-scheduledFor&per_page=1", ["c"]),
        ("sort=content&page=2&per_page=3", ["c"]),
        ("page=9", []),
    ],
)
def test_filters_sort_and_pages(sandbox: Sandbox, call: Caller, query: str, found: list[str]) -> None:
    rows = [("a", "2029-01-01", 1), ("b", "2030-01-01", 1), ("c", "2031-01-01", 1), ("c", "2032-01-01", 3)]
    for content, date, channel in rows:
        body = {"channelId": f"channel_{channel}", "content": content, "scheduledFor": f"{date}T00:00:00Z"}
        assert call("POST", f"{BASE}/posts", json=body).status_code == 201
    answer = sandbox.url + f"{BASE}/posts?{query}"
    rows_found = call.session.get(answer, headers=call.credentials(BASE), timeout=10).json()["data"]
    assert [row["content"] for row in rows_found] == found


@pytest.mark.parametrize(
    "query",
    [
        "filter[nope]=1",
        "filter[status][like]=x",
        "filter[createdAt]=soon",
        "sort=id",
        "per_page=101",
        "page=0",
        "filter=1",
    ],
)
def test_bad_queries_are_refused(call: Caller, query: str) -> None:
    answer = call("GET", f"{BASE}/posts?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "validation_error"


def test_deleting_a_channel_blocks_its_posts(call: Caller) -> None:
    call("POST", f"{BASE}/posts", json={**POST, "scheduledFor": later(600)})
    data(call, "DELETE", "/channels/channel_1")
    assert statuses(call) == ["blocked"]
    assert call("DELETE", f"{BASE}/channels/channel_1").status_code == 404


def test_channels(call: Caller) -> None:
    created = call("POST", f"{BASE}/channels", json={"name": "North", "color": "#112233"})
    assert created.status_code == 201
    assert created.json()["data"]["id"] == "channel_4"
    assert data(call, "PATCH", "/channels/channel_4", json={"name": "South"})["name"] == "South"
    assert len(data(call, "GET", "/channels?filter[name][contains]=Harbour&sort=-createdAt")) == 3
    refused = call("POST", f"{BASE}/channels", json={"color": "red"}).json()["error"]
    assert {problem["field"] for problem in refused["details"]} == {"name", "color"}


def test_connections_and_oauth(sandbox: Sandbox, call: Caller) -> None:
    checks = data(call, "POST", "/connections/verify-channel/channel_3")
    assert [check["valid"] for check in checks] == [False]
    assert data(call, "POST", "/connections/conn_4/refresh")["status"] == "active"
    assert data(call, "POST", "/connections/conn_4/verify")["valid"] is True
    started = call("GET", f"{BASE}/connections/linkedin/auth")
    assert started.status_code == 302
    state = started.headers["Location"].rpartition("state=")[2]
    assert call("GET", f"{BASE}/connections/twitter/callback?code=c&state={state}").status_code == 400
    back = call("GET", f"{BASE}/connections/linkedin/callback?code=c&state={state}", headers={"Authorization": None})
    assert back.status_code == 302
    assert call("GET", f"{BASE}/connections/linkedin/callback?code=c&state={state}").status_code == 400
    target = {"channelId": "channel_3"}
    for _ in range(2):
        assert call("POST", f"{BASE}/connections/conn_5/add-to-channel", json=target).status_code == 200
    assert len(sandbox.ledger(effect="connection.added_to_channel")) == 1
    data(call, "DELETE", "/connections/conn_5")
    assert len(data(call, "GET", "/connections")) == 4


def test_media(call: Caller) -> None:
    files = {"file": ("house.png", b"\x89PNG", "image/png")}
    key = {"Idempotency-Key": "m-1"}
    first = call("POST", f"{BASE}/media/upload", files=files, headers=key)
    again = call("POST", f"{BASE}/media/upload", files=files, headers=key)
    assert first.status_code == 201
    assert again.json() == first.json(), "a multipart boundary is no difference"
    name = first.json()["data"]["key"]
    assert call("POST", f"{BASE}/posts", json={"channelId": "channel_1", "mediaKeys": [name]}).status_code == 201
    shown = call("GET", f"{BASE}/media/{name.replace('/', '%2F')}")
    assert (shown.content, shown.headers["Content-Type"]) == (b"\x89PNG", "image/png")
    assert call("DELETE", f"{BASE}/media/{name}").status_code == 200
    assert call("GET", f"{BASE}/media/{name}").status_code == 404
    assert call("POST", f"{BASE}/media/upload", files={"file": ("a.exe", b"x")}).status_code == 400
    assert call("POST", f"{BASE}/media/upload", json={}).status_code == 400
    large = {"file": ("a.png", b"x" * (10 * 1024 * 1024 + 1))}
    assert call("POST", f"{BASE}/media/upload", files=large).status_code == 400


def test_webhooks(call: Caller) -> None:
    new = {"url": "https://hooks.example.com/x", "events": ["post.delivered"]}
    created = call("POST", f"{BASE}/webhooks", json=new).json()["data"]
    assert created["secret"].startswith("whsec_")
    assert "secret" not in data(call, "GET", f"/webhooks/{created['id']}")
    assert data(call, "PATCH", f"/webhooks/{created['id']}", json={"active": False})["active"] is False
    assert data(call, "POST", f"/webhooks/{created['id']}/test")["eventType"] == "webhook.test"
    assert len(data(call, "GET", f"/webhooks/{created['id']}/deliveries?status=pending")) == 1
    for url in ("http://hooks.example.com", "https://localhost/x", "ftp://x", "https://["):
        assert call("POST", f"{BASE}/webhooks", json={**new, "url": url}).status_code == 400
    assert call("POST", f"{BASE}/webhooks", json={**new, "events": ["post.nope"]}).status_code == 400
    assert call("DELETE", f"{BASE}/webhooks/{created['id']}").status_code == 200


def test_api_keys_and_scopes(sandbox: Sandbox, call: Caller) -> None:
    created = call("POST", f"{BASE}/api-keys", json={"name": "CI", "permissions": ["posts:read"]}).json()["data"]
    mine = {"Authorization": f"Bearer {created['apiKey']}"}
    assert call("POST", f"{BASE}/posts", json=POST, headers=mine).status_code == 201
    sandbox.switch(flow_social__scopes=True)
    refused = call("POST", f"{BASE}/posts", json=POST, headers=mine)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "INSUFFICIENT_PERMISSIONS")
    assert call("GET", f"{BASE}/posts", headers=mine).status_code == 200
    assert "apiKey" not in data(call, "GET", f"/api-keys/{created['id']}")
    assert call("DELETE", f"{BASE}/api-keys/{created['id']}").status_code == 200
    assert call("GET", f"{BASE}/posts", headers=mine).status_code == 401


def test_usage(call: Caller) -> None:
    call("POST", f"{BASE}/posts", json=POST)
    usage = data(call, "GET", "/usage")
    assert (usage["requests"], usage["posts"]) == (2, 1)
    assert len(data(call, "GET", "/usage/history?from=2026-01-01&to=2026-01-31")) == 31
    assert call("GET", f"{BASE}/usage/day?date=2026-02-30").status_code == 400
    assert call("GET", f"{BASE}/usage/history?from=2026-02-02&to=2026-02-01").status_code == 400
