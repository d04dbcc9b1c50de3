# Licensed under the Apache License, Version 2.0; see LICENSE.

from __future__ import annotations

import json

import pytest

from airflow_provider_mkt.webhooks.senders import FRESH, MAX_KEPT, Sender, Senders, sender_of

CONNECTIONS = {
    "signed": {"conn_type": "flow_social", "password": "flow_sk_live_1", "extra": {"webhook_secret": "whsec_1"}},
    "rotating": {
        "conn_type": "flow_social",
        "password": "flow_sk_live_2",
        "extra": {"webhook_secret": "whsec_2", "previous_webhook_secret": "whsec_1"},
    },
    "closed": {"conn_type": "flow_social", "password": "flow_sk_live_3"},
    "token": {"conn_type": "flokit", "password": "key-0001", "extra": {"webhook_token": "a-token-of-16-or-more"}},
    "broken": {"conn_type": "flow_social", "password": "", "extra": {"webhook_secret": "whsec_1"}},
    "foreign": {"conn_type": "http", "password": "x", "extra": {"webhook_secret": "whsec_1"}},
}


@pytest.fixture(autouse=True)
def connections(monkeypatch: pytest.MonkeyPatch) -> None:
    for conn_id, connection in CONNECTIONS.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))


@pytest.mark.parametrize(
    ("conn_id", "proofs"),
    [
        ("signed", ("whsec_1",)),
        ("rotating", ("whsec_2", "whsec_1")),
        ("token", ("a-token-of-16-or-more",)),
        ("closed", None),
        ("broken", None),
        ("foreign", None),
        ("unknown", None),
        ("../x", None),
    ],
)
def test_who_may_deliver(conn_id: str, proofs: tuple[str, ...] | None) -> None:
    sender = sender_of(conn_id)
    assert (sender.proofs if sender else None) == proofs
    assert "whsec" not in repr(sender)


def test_answers_are_kept_for_seconds_and_in_bounds() -> None:
    asked: list[str] = []
    now = [0.0]

    def find(conn_id: str) -> Sender | None:
        asked.append(conn_id)
        return None

    senders = Senders(find, clock=lambda: now[0])
    for conn_id in ("a", "a", "b"):
        if not senders.recent(conn_id)[1]:
            senders.look_up(conn_id)
    assert asked == ["a", "b"]
    now[0] = FRESH
    assert senders.recent("a") == (None, False)
    for number in range(2 * MAX_KEPT):
        senders.look_up(f"c{number}")
    assert len(senders._known) == MAX_KEPT
