# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Every kind of fault over a real socket: what the client sees, and whether the effect happened."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from urllib.error import HTTPError

import pytest
import requests

from airflow_provider_mkt.sandbox.engine.faults import Faults
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.sandbox.vendors import POST, Caller, later

SYNC = "POST /flokit/v1/integrations/{id}/sync"
PATH = "/flokit/v1/integrations/int_adjust/sync"
KEY = "Authorization: Bearer sandbox-flokit-read-write-key"


def raw(sandbox: Sandbox, path: str = PATH, method: str = "POST") -> bytes:
    """All bytes of the answer to a request, until the server closes.

    :raises ConnectionResetError: the server reset the connection
    """
    host, _, port = sandbox.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\n{KEY}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        received = b""
        while piece := connection.recv(65536):
            received += piece
        return received


def syncs(sandbox: Sandbox) -> int:
    return len(sandbox.ledger("flokit", "sync.started"))


@pytest.mark.parametrize(("kind", "effects"), [("drop_before", 0), ("drop_after", 1)])
def test_drop_sends_no_byte(sandbox: Sandbox, kind: str, effects: int) -> None:
    sandbox.fault(SYNC, kind)
    assert raw(sandbox) == b""
    assert syncs(sandbox) == effects
    entry = sandbox.requests("flokit")[0]
    assert (entry["fault"], entry["status"]) == (kind, None)


@pytest.mark.parametrize(("kind", "effects"), [("reset_before", 0), ("reset_after", 1)])
def test_reset(sandbox: Sandbox, kind: str, effects: int) -> None:
    sandbox.fault(SYNC, kind)
    with pytest.raises(ConnectionResetError):
        raw(sandbox)
    assert syncs(sandbox) == effects


def test_drop_mid(sandbox: Sandbox) -> None:
    sandbox.fault(SYNC, "drop_mid")
    head, _, body = raw(sandbox).partition(b"\r\n\r\n")
    whole = b'{"status":"ok","sync_id":"sync_1"}'
    assert head.startswith(b"HTTP/1.1 200")
    assert f"content-length: {len(whole)}".encode() in head.lower()
    assert body == whole[: len(whole) // 2]
    assert syncs(sandbox) == 1


def test_truncate_is_well_framed(sandbox: Sandbox, call: Caller) -> None:
    sandbox.fault(SYNC, "truncate")
    answer = call("POST", PATH)
    assert (answer.status_code, answer.text) == (200, '{"status":"ok","s')
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert syncs(sandbox) == 1


def test_malformed_empty_and_wrong_types(sandbox: Sandbox, call: Caller) -> None:
    for kind, options in (
        ("malformed", {}),
        ("empty", {}),
        ("wrong_types", {}),
        ("wrong_types", {"inner": True}),
        ("wrong_types", {"value": 7}),
    ):
        sandbox.fault("GET /flokit/v1/integrations/int_adjust", kind, **options)
    answers = [call("GET", "/flokit/v1/integrations/int_adjust") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 6
    with pytest.raises(requests.JSONDecodeError):
        answers[0].json()
    assert answers[1].content == b""
    assert answers[2].json() == ["unexpected"]
    assert answers[3].json() == {"integration": 42}
    assert answers[4].json() == 7
    assert answers[5].json()["integration"]["id"] == "int_adjust"


def test_status_comes_in_the_vendors_envelope(sandbox: Sandbox, call: Caller) -> None:
    sandbox.fault("POST /flow-social/v1/posts", "status", status=503, retry_after=7)
    answer = call("POST", "/flow-social/v1/posts", json=POST)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    assert answer.json()["error"]["type"] == "server_error"
    sandbox.fault("POST /flow-social/v1/posts", "status", status=500, processed=True)
    assert call("POST", "/flow-social/v1/posts", json=POST).status_code == 500
    assert len(sandbox.ledger(effect="post.created")) == 1
    sandbox.fault("* /flow-social/*", "status", status=418, body="teapot")
    assert call("GET", "/flow-social/v1/posts").text == "teapot"


def test_html(sandbox: Sandbox, call: Caller) -> None:
    sandbox.fault(SYNC, "html")
    answer = call("POST", PATH)
    assert (answer.status_code, answer.headers["Content-Type"]) == (502, "text/html; charset=utf-8")
    assert syncs(sandbox) == 0
    sandbox.fault(SYNC, "html", processed=True, status=504)
    assert call("POST", PATH).status_code == 504
    assert syncs(sandbox) == 1


def test_delay_before_and_after(sandbox: Sandbox, call: Caller) -> None:
    for when, effects in (("before", 0), ("after", 1)):
        sandbox.reset()
        sandbox.fault(SYNC, "delay", seconds=30, when=when)
        with pytest.raises(requests.ReadTimeout):
            call("POST", PATH, timeout=0.3)
        assert syncs(sandbox) == effects


def test_rate_limit_forms(sandbox: Sandbox, call: Caller) -> None:
    for options in ({}, {"retry_after": 9}, {"retry_after": None}, {"retry_after": "http-date", "seconds": 60}):
        sandbox.fault("GET /flow-social/v1/posts", "rate_limit", **options)
    answers = [call("GET", "/flow-social/v1/posts") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [429] * 4
    assert [answer.headers.get("Retry-After") for answer in answers[:3]] == ["1", "9", None]
    assert 50 < parsedate_to_datetime(answers[3].headers["Retry-After"]).timestamp() - time.time() <= 61
    assert answers[1].json()["error"]["retry_after"] == 9
    assert "retry_after" not in answers[2].json()["error"]
    sandbox.fault("GET /flodesk/v1/segments", "rate_limit")
    bare = call("GET", "/flodesk/v1/segments")
    assert (bare.status_code, "Retry-After" in bare.headers) == (429, False)


def test_expired_token_is_really_revoked(sandbox: Sandbox, call: Caller) -> None:
    call.publish()
    sandbox.fault("GET /flow-living/campaigns/status/*", "expired_token")
    path = "/flow-living/campaigns/status/queue_1"
    for _ in range(2):
        answer = call("GET", path)
        assert (answer.status_code, answer.json()) == (403, {"error": "JWT expired"})
    renewed = {"Authorization": f"Bearer {call.new_living_token()}"}
    assert call("GET", path, headers=renewed).status_code == 200
    sandbox.fault("GET /flinque/v1/campaigns", "expired_token")
    assert [call("GET", "/flinque/v1/campaigns").status_code for _ in range(2)] == [401, 401]
    sandbox.fault("GET /flodesk/v1/segments", "expired_token")
    bearer = {"Authorization": f"Bearer {call.flodesk_tokens()['access_token']}"}
    assert [call("GET", "/flodesk/v1/segments", headers=bearer).status_code for _ in range(2)] == [401, 401]


def test_huge_and_endless(sandbox: Sandbox, call: Caller) -> None:
    sandbox.fault("GET /flokit/v1/integrations", "huge", megabytes=3)
    assert 3 * 1024 * 1024 <= len(call("GET", "/flokit/v1/integrations").content) < 4 * 1024 * 1024
    sandbox.fault("GET /flokit/v1/integrations", "huge", endless=True)
    with call("GET", "/flokit/v1/integrations", stream=True) as answer:
        received = 0
        for piece in answer.iter_content(65536):
            received += len(piece)
            if received > 8 * 1024 * 1024:
                break
    assert call("GET", "/flokit/v1/integrations").status_code == 200


def test_slow_body_and_redirect(sandbox: Sandbox, call: Caller) -> None:
    sandbox.fault("GET /flokit/v1/integrations", "slow_body", seconds=0.3, pieces=3)
    begun = time.monotonic()
    assert call("GET", "/flokit/v1/integrations").json()["integrations"]
    assert time.monotonic() - begun >= 0.3
    sandbox.fault(SYNC, "redirect", location="https://elsewhere.example/x")
    answer = call("POST", PATH)
    assert (answer.status_code, answer.headers["Location"]) == (307, "https://elsewhere.example/x")
    assert syncs(sandbox) == 0


def test_count_skip_and_removal(sandbox: Sandbox, call: Caller) -> None:
    path = "/flokit/v1/workspace"
    number = sandbox.fault("GET /flokit/v1/work*", "status", status=500, skip=2, count=2)
    assert [call("GET", path).status_code for _ in range(5)] == [200, 200, 500, 500, 200]
    assert sandbox.order("GET", "faults")["faults"][0]["hits"] == 2
    sandbox.order("DELETE", f"faults/{number}")
    sandbox.fault("* *", "status", status=500, count=None)
    assert [call("GET", path).status_code for _ in range(3)] == [500] * 3
    sandbox.clear_faults()
    assert call("GET", path).status_code == 200


def test_counts_are_exact_under_concurrency(sandbox: Sandbox, call: Caller) -> None:
    sandbox.limits({"*": None})
    sandbox.fault("GET /flokit/v1/workspace", "status", status=500, count=7, skip=5)
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda _: call("GET", "/flokit/v1/workspace").status_code, range(60)))
    assert codes.count(500) == 7


def test_one_key_in_parallel_creates_once(sandbox: Sandbox, call: Caller) -> None:
    body = {**POST, "scheduledFor": later(600)}
    key = {"Idempotency-Key": "same"}
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: call("POST", "/flow-social/v1/posts", json=body, headers=key).content, range(16))
        )
    assert len(set(answers)) == 1
    assert len(sandbox.ledger(effect="post.created")) == 1


def test_a_lost_answer_is_repeated_under_its_key(sandbox: Sandbox, call: Caller) -> None:
    key = {"Idempotency-Key": "lost"}
    sandbox.fault("POST /flow-social/v1/posts", "drop_after")
    with pytest.raises(requests.ConnectionError):
        call("POST", "/flow-social/v1/posts", json=POST, headers=key)
    assert call("POST", "/flow-social/v1/posts", json=POST, headers=key).json()["data"]["id"] == "post_1"
    assert len(sandbox.ledger(effect="post.created", reference=str(POST["content"]))) == 1


def test_faults_on_answers_without_a_body(sandbox: Sandbox, call: Caller) -> None:
    path = "/flodesk/v1/workflows/wf_viewing/subscribers/ada%40example.com"
    enter = "/flodesk/v1/workflows/wf_viewing/subscribers"
    for kind, code in (("malformed", 200), ("truncate", 204), ("empty", 204), ("slow_body", 204), ("huge", 200)):
        call("POST", enter, json={"email": "ada@example.com"})
        options = {"seconds": 0} if kind == "slow_body" else {"megabytes": 1} if kind == "huge" else {}
        sandbox.fault("DELETE /flodesk/*", kind, **options)
        assert call("DELETE", path).status_code == code
    sandbox.fault("GET /flodesk/*", "status", status=204)
    assert call("GET", "/flodesk/v1/segments").content == b""
    assert call("GET", "/flodesk/v1/segments").status_code == 200


def test_kept_alive_connection_survives_spoiled_bodies(sandbox: Sandbox, call: Caller) -> None:
    for kind in ("truncate", "malformed", "empty", "wrong_types"):
        sandbox.fault("GET /flokit/v1/workspace", kind)
        assert call("GET", "/flokit/v1/workspace").status_code == 200
        assert call("GET", "/flokit/v1/workspace").json()["id"] == "ws_sandbox"


def test_luck_depends_on_the_request_not_on_the_others() -> None:
    rule = {"route": "POST /x", "kind": "drop_after", "count": None, "probability": 0.5}

    def hits(seed: int, order: list[str]) -> dict[str, list[bool]]:
        faults, seen = Faults(), dict[str, list[bool]]()
        faults.add({**rule, "seed": seed})
        for request in order:
            seen.setdefault(request, []).append(faults.draw("POST", "/x", request) is not None)
        return seen

    requests_sent = [f"launch {number}" for number in range(50)] * 3
    assert hits(1, requests_sent) == hits(1, sorted(requests_sent, reverse=True))
    assert hits(1, requests_sent) != hits(2, requests_sent)
    assert 40 < sum(map(sum, hits(1, requests_sent).values())) < 110


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"route": "POST", "kind": "status", "status": 500},
        {"route": "POST /x", "kind": "nope"},
        {"route": "POST /x", "kind": "status"},
        {"route": "POST /x", "kind": "status", "status": 99},
        {"route": "POST /x", "kind": "delay", "secs": 1},
        {"route": "POST /x", "kind": "delay", "seconds": -1},
        {"route": "POST /x", "kind": "drop_after", "count": 0},
        {"route": "POST /x", "kind": "drop_after", "probability": 2},
        {"route": "POST /x", "kind": "drop_after"},
        {"route": "DELETE /flow-living/campaigns/publish", "kind": "drop_after"},
    ],
)
def test_bad_fault_orders_are_named(sandbox: Sandbox, order: dict[str, object]) -> None:
    with pytest.raises(HTTPError) as refusal:
        sandbox.order("POST", "faults", order)
    assert refusal.value.code == 400
    refusal.value.close()


@pytest.mark.parametrize(
    "route",
    [
        "* /*",
        "POST *",
        "post /flow-living/campaigns/publish",
        "GET /flow-social/v1/posts/{id}",
        "GET /flow-social/v1/posts/post_1",
        "GET /flinque/v1/reports/*",
        "POST /flow-living-analytics/*",
    ],
)
def test_faults_on_routes_that_there_are(sandbox: Sandbox, route: str) -> None:
    assert sandbox.fault(route, "drop_after") > 0


def test_a_route_that_there_is_not_is_told_with_the_one_that_is_meant(sandbox: Sandbox) -> None:
    """It would hit nothing, and the test that orders it would prove nothing."""
    before = sandbox.order("GET", "faults")["faults"]
    with pytest.raises(HTTPError, match="did you mean 'POST /flow-living/campaigns/publish'") as refusal:
        sandbox.fault("POST /flow-living/campaigns/publsh", "drop_after")
    refusal.value.close()
    assert sandbox.order("GET", "faults")["faults"] == before
