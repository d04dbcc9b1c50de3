# Licensed under the Apache License, Version 2.0; see LICENSE.

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.inbox import Delivery, Inbox
from airflow_provider_mkt.webhooks import worker
from airflow_provider_mkt.webhooks.worker import HandOverWorker

DELIVERY = Delivery("account", "conn", "report.ready", "", "identity", {"id": "evt_1"})


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> threading.Event:
    """Is set when deliveries are handed over."""
    event = threading.Event()

    def hand_over(_inbox: Inbox) -> int:
        event.set()
        return 1

    shared = Store(f"sqlite:///{tmp_path}/turns.db")
    monkeypatch.setattr(worker, "hand_over", hand_over)
    monkeypatch.setattr(worker, "store", lambda: shared)
    monkeypatch.setattr(worker, "UNUSED", 0.01)
    monkeypatch.setattr(worker, "INTERVAL", 0.01)
    return event


def test_what_is_delivered_is_handed_over(inbox: Inbox, handed: threading.Event) -> None:
    with HandOverWorker(inbox):
        inbox.add([DELIVERY])
        assert handed.wait(10)


def test_without_webhooks_it_takes_no_turn_and_reads_no_deliveries(
    inbox: Inbox, handed: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, looked = [], threading.Event()

    def latest() -> int:
        looks.append(1)
        if len(looks) > 3:
            looked.set()
        return 0

    monkeypatch.setattr(inbox, "latest", latest)
    monkeypatch.setattr(inbox, "due", lambda limit=100: pytest.fail("it read deliveries"))
    with HandOverWorker(inbox):
        assert looked.wait(10)
    assert not handed.is_set()
