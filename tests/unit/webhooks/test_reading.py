# Licensed under the Apache License, Version 2.0; see LICENSE.

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.state.encryption import digest
from airflow_provider_mkt.state.inbox import KEPT, Delivery
from airflow_provider_mkt.vendors import VENDORS
from airflow_provider_mkt.vendors.base import Vendor, Webhooks
from airflow_provider_mkt.webhooks.reading import read

FACTS: dict[str, Webhooks] = {vendor.conn_type: vendor.webhooks for vendor in VENDORS if vendor.webhooks}
NOW = 1_750_000_000.0
SAMPLES: dict[str, tuple[dict[str, Any], str, str]] = {
    "flinque": (
        {"id": "evt_1", "type": "report.ready", "created_at": "2025-06-15T10:00:00Z", "data": {"id": "re_7"}},
        "report.ready",
        "re_7",
    ),
    "flow_social": (
        {"event": "post.blocked", "data": {"post_id": "post_7", "channel_id": "c"}, "timestamp": 1_750_000_000_000},
        "post.blocked",
        "post_7",
    ),
    "flodesk": (
        {
            "event_name": "subscriber.created",
            "event_time": "2025-06-15T10:00:00Z",
            "subscriber": {"id": "s1", "email": "a@b.example"},
            "webhook_id": "h1",
        },
        "subscriber.created",
        "s1",
    ),
    "flow_living": (
        {
            "event": "campaign.status_updated",
            "campaign_tracking_id": "queue_1",
            "status": "published",
            "timestamp": "2025-06-15T10:00:00Z",
        },
        "campaign.status_updated",
        "queue_1",
    ),
    "flokit": (
        {"id": "whe_1", "type": "integration.error", "data": {"integration": {"id": "int_1"}}},
        "integration.error",
        "int_1",
    ),
}


def delivered(conn_type: str, payload: Any) -> Delivery:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return read(FACTS[conn_type], body, account="account", conn_id="conn", now=NOW)


@pytest.mark.parametrize("vendor", [each for each in VENDORS if each.webhooks], ids=lambda vendor: vendor.conn_type)
def test_what_each_vendor_sends(vendor: Vendor) -> None:
    payload, event, subject = SAMPLES[vendor.conn_type]
    found = delivered(vendor.conn_type, payload)
    assert (found.event, found.subject, found.payload) == (event, digest(subject), payload)


@pytest.mark.parametrize("conn_type", SAMPLES)
def test_a_repetition_has_the_same_identity_however_it_is_written(conn_type: str) -> None:
    payload = SAMPLES[conn_type][0]
    again = json.dumps(dict(reversed(payload.items())), indent=2).encode()
    assert delivered(conn_type, again).identity == delivered(conn_type, payload).identity


@pytest.mark.parametrize("conn_type", SAMPLES)
def test_each_part_of_the_identity_counts(conn_type: str) -> None:
    for path in FACTS[conn_type].identity:
        payload = json.loads(json.dumps(SAMPLES[conn_type][0]))
        *outer, last = path.split(".")
        inner = payload
        for name in outer:
            inner = inner[name]
        inner[last] = f"{inner[last]}0"
        assert delivered(conn_type, payload).identity != delivered(conn_type, SAMPLES[conn_type][0]).identity, path


def test_the_alias_of_an_event_and_its_subject() -> None:
    found = delivered("flow_social", {"type": "post.failed", "data": {"postId": "post_8"}, "timestamp": 1})
    assert (found.event, found.subject) == ("post.failed", digest("post_8"))


def test_without_an_identity_the_body_is_one() -> None:
    one, other = delivered("flinque", {"type": "report.ready"}), delivered("flinque", {"type": "report.ready", "n": 1})
    assert one.identity != other.identity


@pytest.mark.parametrize("event", [None, 7, "", "{{ conn.x }}", "a/b", "ä", "x" * 101, ["report.ready"]])
def test_an_event_without_a_usable_name(event: Any) -> None:
    assert delivered("flodesk", {"event_name": event}).event in ("unknown", "7")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b'{"id": 1, "id": 2}',
        b'{"data": {"a": 1, "a": 1}}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b"\xff\xfe{\x00}\x00",
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a": ' + b"[" * 60 + b"]" * 60 + b"}",
        b'{"a": ' + b"9" * 5_000 + b"}",
    ],
    ids=lambda body: body[:20],
)
def test_what_is_no_json_object_to_rely_on(body: bytes) -> None:
    with pytest.raises(ValidationError):
        delivered("flinque", body)


def test_an_event_from_before_what_is_remembered() -> None:
    payload = {**SAMPLES["flinque"][0], "created_at": "2025-06-01T00:00:00Z"}
    assert KEPT < NOW - 1_748_736_000
    with pytest.raises(ValidationError, match="older"):
        delivered("flinque", payload)
    assert delivered("flinque", {**payload, "created_at": "yesterday"}).event == "report.ready"
