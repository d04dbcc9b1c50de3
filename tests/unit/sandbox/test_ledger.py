# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Whatever is created is counted, and every fault hits every creating route: uploads and batches included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import requests

from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.sandbox.vendors import POST, Caller, later

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 4000
TARGET = "https://receiver.example/hook"


@dataclass(frozen=True)
class Creation:
    """A request that creates ``times`` things under one effect."""

    path: str
    effect: str
    reference: str
    times: int = 1
    json: Any = None
    files: dict[str, Any] | None = None
    keyed: bool = False

    @property
    def vendor(self) -> str:
        return self.path.split("/")[1].replace("-", "_")

    def send(self, call: Caller, **headers: str) -> requests.Response:
        options = {"files": self.files} if self.files else {"json": self.json}
        return call("POST", self.path, headers=headers, timeout=5, **options)


def people(count: int) -> dict[str, Any]:
    return {"subscribers": [{"email": f"batch{index}@example.com"} for index in range(count)]}


CREATIONS = {
    "flinque webhook": Creation(
        "/flinque/v1/webhooks", "webhook.created", TARGET, json={"url": TARGET, "events": ["report.ready"]}
    ),
    "flinque campaign": Creation("/flinque/v1/campaigns", "campaign.created", "Spring", json={"name": "Spring"}),
    "flinque report": Creation(
        "/flinque/v1/reports/generate",
        "report.generated",
        "June",
        json={"type": "campaign", "name": "June"},
    ),
    "flow social webhook": Creation(
        "/flow-social/v1/webhooks",
        "webhook.created",
        TARGET,
        json={"url": TARGET, "events": ["post.failed"]},
        keyed=True,
    ),
    "flow social post": Creation("/flow-social/v1/posts", "post.created", str(POST["content"]), json=POST, keyed=True),
    "flow social batch": Creation(
        "/flow-social/v1/posts/batch",
        "post.created",
        "same words",
        times=3,
        json={"posts": [{**POST, "content": "same words", "scheduledFor": later(3600)} for _ in range(3)]},
        keyed=True,
    ),
    "flow social upload": Creation(
        "/flow-social/v1/media/upload",
        "media.uploaded",
        "house.png",
        files={"file": ("house.png", PNG, "image/png")},
        keyed=True,
    ),
    "flodesk webhook": Creation(
        "/flodesk/v1/webhooks",
        "webhook.created",
        TARGET,
        json={"name": "Airflow", "post_url": TARGET, "events": ["subscriber.created"]},
    ),
    "flodesk segment": Creation("/flodesk/v1/segments", "segment.created", "Spring", json={"name": "Spring"}),
    "flodesk custom field": Creation(
        "/flodesk/v1/custom-fields", "custom_field.created", "Garden", json={"label": "Garden"}
    ),
    "flodesk workflow": Creation(
        "/flodesk/v1/workflows/wf_welcome/subscribers",
        "workflow.entered",
        "wf_welcome:*",
        json={"email": "ada@example.com"},
    ),
    "flodesk upsert": Creation("/flodesk/v1/subscribers", "subscriber.created", "*", json={"email": "new@example.com"}),
    "flodesk update": Creation(
        "/flodesk/v1/subscribers", "subscriber.updated", "*", json={"email": "ada@example.com", "first_name": "Ada"}
    ),
    "flodesk batch": Creation("/flodesk/v1/subscribers/batch", "subscriber.created", "*", times=7, json=people(7)),
}
EXECUTED = {
    "drop_before": False,
    "drop_after": True,
    "reset_before": False,
    "reset_after": True,
    "drop_mid": True,
    "truncate": True,
    "malformed": True,
    "empty": True,
    "wrong_types": True,
    "html": False,
    "huge": True,
    "status": False,
    "rate_limit": False,
    "expired_token": False,
    "redirect": False,
    "delay": True,
    "slow_body": True,
}
"""Whether a request that is hit by the fault has its effect."""
OPTIONS = {
    "status": {"status": 503},
    "huge": {"megabytes": 1},
    "delay": {"seconds": 0},
    "slow_body": {"seconds": 0, "pieces": 3},
}


def effects(sandbox: Sandbox, creation: Creation) -> list[dict[str, Any]]:
    found = sandbox.ledger(creation.vendor, creation.effect)
    stem, star, _ = creation.reference.partition("*")
    assert all(row["reference"].startswith(stem) if star else row["reference"] == stem for row in found), found
    return found


@pytest.mark.parametrize("name", CREATIONS)
def test_what_is_created_is_counted(name: str, sandbox: Sandbox, call: Caller) -> None:
    creation = CREATIONS[name]
    assert creation.send(call).ok
    found = effects(sandbox, creation)
    assert len(found) == creation.times
    ids = [identifier for row in found for identifier in row["ids"]]
    assert len(set(ids)) == len(ids) >= creation.times


@pytest.mark.parametrize("name", CREATIONS)
def test_every_fault_hits_it(name: str, sandbox: Sandbox, call: Caller) -> None:
    """One request under each fault; the ledger says what really happened, and the log what the client saw."""
    creation = CREATIONS[name]
    for kind, executed in EXECUTED.items():
        sandbox.reset()
        call.forget()
        call.credentials(creation.path)
        sandbox.fault(f"POST {creation.path}", kind, **OPTIONS.get(kind, {}))
        try:
            answer = creation.send(call)
        except requests.RequestException:
            answered = False
        else:
            answered = True
            assert (answer.status_code < 300) is executed, kind
        assert len(effects(sandbox, creation)) == (creation.times if executed else 0), kind
        if kind != "drop_mid":
            assert answered is not kind.startswith(("drop", "reset")), kind
        assert sandbox.requests(creation.vendor)[-1]["fault"] == kind


@pytest.mark.parametrize("name", [name for name, creation in CREATIONS.items() if creation.keyed])
def test_a_lost_answer_is_repeated_under_its_key(name: str, sandbox: Sandbox, call: Caller) -> None:
    """An upload counts as the same request although each attempt has another boundary."""
    creation = CREATIONS[name]
    for kind in ("drop_after", "reset_after", "drop_mid", "status"):
        sandbox.reset()
        sandbox.fault(f"POST {creation.path}", kind, **({"status": 502, "processed": True} if kind == "status" else {}))
        key = {"Idempotency-Key": "one"}
        try:
            assert creation.send(call, **key).status_code == 502
        except requests.RequestException:
            assert kind != "status"
        again = creation.send(call, **key)
        assert again.status_code == 201, kind
        assert creation.send(call, **key).json() == again.json()
        assert len(effects(sandbox, creation)) == creation.times
        assert {row["idempotency_key"] for row in effects(sandbox, creation)} == {"one"}


@pytest.mark.parametrize("name", [name for name, creation in CREATIONS.items() if not creation.keyed])
def test_without_a_key_a_repetition_is_seen(name: str, sandbox: Sandbox, call: Caller) -> None:
    """A client that sends again what may have happened is found out, except where the vendor itself refuses."""
    creation = CREATIONS[name]
    sandbox.fault(f"POST {creation.path}", "drop_after")
    with pytest.raises(requests.ConnectionError):
        creation.send(call)
    again = creation.send(call)
    if name == "flodesk workflow":
        assert (again.status_code, len(effects(sandbox, creation))) == (400, 1)
    elif creation.effect == "subscriber.created":
        assert len(effects(sandbox, creation)) == creation.times
        assert len(sandbox.ledger("flodesk", "subscriber.updated")) == creation.times
    else:
        assert len(effects(sandbox, creation)) == 2


def test_a_batch_counts_only_what_was_stored(sandbox: Sandbox, call: Caller) -> None:
    posts = [{**POST, "content": "good"}, {**POST, "channelId": "nowhere"}, {"content": 5}, {**POST, "content": "good"}]
    answer = call("POST", "/flow-social/v1/posts/batch", json={"posts": posts})
    assert answer.json()["data"]["summary"] == {"total": 4, "successful": 2, "failed": 2}
    assert [row["reference"] for row in sandbox.ledger("flow_social", "post.created")] == ["good", "good"]
    order = {"subscribers": [{"email": "x@example.com"}, {"email": "not an address"}, {}, {"email": "X@example.com"}]}
    body = call("POST", "/flodesk/v1/subscribers/batch", json=order).json()
    assert [failure["index"] for failure in body["failures"]] == [1, 2]
    effects = [row["effect"] for row in sandbox.ledger("flodesk")]
    assert effects == ["subscriber.created", "subscriber.updated"]


def test_changes_of_a_batch_are_counted_one_by_one(sandbox: Sandbox, call: Caller) -> None:
    order = {"posts": [{**POST, "scheduledFor": later(3600)} for _ in range(3)]}
    made = call("POST", "/flow-social/v1/posts/batch", json=order).json()["data"]["results"]
    ids = [result["post"]["id"] for result in made]
    route = "/flow-social/v1/posts/batch"
    for method, body, effect in (
        ("PATCH", {"posts": [{"id": name, "content": "new"} for name in ids]}, "post.updated"),
        ("DELETE", {"postIds": ids}, "post.deleted"),
    ):
        sandbox.fault(f"{method} {route}", "drop_after")
        with pytest.raises(requests.ConnectionError):
            call(method, route, json=body)
        assert [row["reference"] for row in sandbox.ledger("flow_social", effect)] == ids


def test_who_enters_and_leaves_a_workflow(sandbox: Sandbox, call: Caller) -> None:
    path = "/flodesk/v1/workflows/wf_viewing/subscribers"
    assert call("POST", path, json={"id": "sub_1"}).status_code == 204
    assert call("POST", path, json={"email": "ada@example.com"}).status_code == 400
    sandbox.fault(f"DELETE {path}/*", "drop_after")
    with pytest.raises(requests.ConnectionError):
        call("DELETE", f"{path}/sub_1")
    seen = [(row["effect"], row["ids"]) for row in sandbox.ledger("flodesk")]
    assert seen == [("workflow.entered", ["wf_viewing", "sub_1"]), ("workflow.left", ["wf_viewing", "sub_1"])]


def test_a_file_that_is_refused_is_not_counted(sandbox: Sandbox, call: Caller) -> None:
    for name, content in (("house.exe", PNG), ("huge.png", b"0" * (10 * 1024 * 1024 + 1))):
        answer = call("POST", "/flow-social/v1/media/upload", files={"file": (name, content)})
        assert answer.status_code == 400
    assert sandbox.ledger("flow_social") == []
