# Licensed under the Apache License, Version 2.0; see LICENSE.
from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from scripts.demo import readback
from scripts.demo.http import HttpStatusError, UnreachableError, call
from scripts.demo.readback import Row


class Vendors(BaseHTTPRequestHandler):
    """Answers from a table; a list is cut into pages as the vendors do it."""

    answers: ClassVar[dict[str, Any]] = {}

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path not in self.answers:
            self.send_error(404, "unknown")
            return
        answer = self.answers[path]
        if "page=2" in query:
            answer = {"data": answer["data"][100:]}
        elif "page=" in query and "data" in answer:
            answer = {"data": answer["data"][:100]}
        self._send(answer)

    def _send(self, answer: Any) -> None:
        payload = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Stay quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    entries = [
        ("flow_living", "token.issued", "org", ["jwt_1"]),
        ("flow_living", "campaign.published", "PO-1", ["queue_1", "queue_2"]),
        ("flow_social", "post.created", "text", ["post_120"]),
        ("flokit", "sync.started", "int_1", ["sync_1"]),
        ("flokit", "something.new", "x", ["y"]),
    ]
    names = ("vendor", "effect", "reference", "ids")
    answers = {
        "/__sandbox__/ledger": [dict(zip(names, entry, strict=True)) for entry in entries],
        "/__sandbox__/ledger/summary": [{**dict(zip(names, entry, strict=True)), "times": 1} for entry in entries],
        "/living/auth/access-key/publickey": {"accessToken": "jwt"},
        "/living/campaigns/status/queue_1": {"status": "published"},
        "/living/campaigns/status/queue_2": {"status": "failed"},
        "/social/posts": {"data": [{"id": f"post_{number}", "status": "done"} for number in range(130)]},
        "/kit/integrations": {"integrations": [{"id": "int_1", "status": "connected"}]},
    }
    monkeypatch.setattr(Vendors, "answers", answers)
    with ThreadingHTTPServer(("127.0.0.1", 0), Vendors) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def _connections(base: str) -> dict[str, dict[str, Any]]:
    living = {"login": "org", "password": "key", "extra": {"request_type": "x"}}
    return {
        "a": {"conn_type": "flow_living", "host": f"{base}/living", **living},
        "b": {"conn_type": "flow_social", "host": f"{base}/social", "password": "key"},
        "c": {"conn_type": "flokit", "host": f"{base}/kit", "password": "key"},
    }


def test_states_come_from_the_vendors_and_counts_from_the_ledger(server: str) -> None:
    rows = readback.Reader(server, _connections(server)).rows()
    assert rows == [
        Row("flow_living", "property campaign", ("queue_1",), "published", True, 1),
        Row("flow_living", "property campaign", ("queue_2",), "failed", False, 1),
        Row("flow_social", "post", ("post_120",), "done", True, 1),
        Row("flokit", "sync of integration", ("int_1",), "connected", True, 1),
        Row("flokit", "something.new", ("y",), readback.UNREAD, True, 1),
    ]


def test_what_the_vendor_does_not_know_is_no_success(server: str) -> None:
    Vendors.answers["/social/posts"] = {"data": []}
    states = {row.ids[0]: (row.state, row.good) for row in readback.Reader(server, _connections(server)).rows()}
    assert states["post_120"] == ("not found", False)


def test_faults_name_what_is_missing_repeated_or_badly_ended() -> None:
    rows = [
        Row("flokit", "sync", ("int_1",), "connected", True, 1),
        Row("flow_social", "post", ("post_1",), "done", True, 2),
        Row("flow_living", "property campaign", ("queue_1",), "failed", False, 1),
    ]
    assert readback.faults(rows[:1], ["flokit"]) == []
    assert readback.faults(rows, ["flokit", "flinque"]) == [
        "nothing happened at flinque",
        "flow_social: post post_1 happened 2 times",
        "flow_living: property campaign queue_1 is failed",
    ]


def test_only_equal_neighbours_are_joined() -> None:
    rows = [
        Row("v", "post", ("1",), "done", True, 1),
        Row("v", "post", ("2",), "done", True, 1),
        Row("v", "post", ("3",), "done", True, 2),
    ]
    assert [(row.ids, row.times) for row in readback.together(rows)] == [(("1", "2"), 1), (("3",), 2)]


def test_http_errors_carry_the_status_and_no_query(server: str) -> None:
    with pytest.raises(HttpStatusError) as refused:
        call("GET", f"{server}/nowhere")
    assert refused.value.status == 404
    with pytest.raises(UnreachableError) as silent:
        call("GET", "http://127.0.0.1:1/x", query={"apiKey": "planted-secret"})
    assert "planted-secret" not in str(silent.value)
