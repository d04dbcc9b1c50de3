# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Lists that are behind, two tasks at once, and a store that fails."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from airflow_provider_mkt.exceptions import (
    OutcomeUnknownError,
)
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state import webhook_secrets
from airflow_provider_mkt.state.database import shared as stores
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from tests.unit.context import Task
from tests.unit.operators.ensure_webhook.kinds import (
    FLINQUE,
    FLODESK,
    URL,
    Kind,
    effects,
    every_kind,
    every_signed,
    settle,
)

pytestmark = pytest.mark.usefixtures("store_file", "flodesk_token")

LISTED = {"flinque": FLINQUE, "flodesk": FLODESK}

every_listed = pytest.mark.parametrize("kind", LISTED.values(), ids=LISTED)

EMPTY = {"data": [], "meta": {}}


def forget_rows() -> None:
    stores.store().run(lambda connection: connection.execute(text("DELETE FROM mkt_webhook")))


@every_kind
def test_list_that_is_behind(kind: Kind, vendors: Sandbox, task: Task) -> None:
    first = kind().execute(task.context)
    vendors.fault(kind.list, "status", status=200, body=EMPTY, count=None, processed=False)
    other = Task(run_id="next")
    if kind is FLINQUE:
        with pytest.raises(OutcomeUnknownError, match="may be behind") as caught:
            kind().execute(other.context)
        decision = DEFAULT.evaluate(caught.value, 1, 2)
        assert decision.retry_delay is not None
        assert 100 < decision.retry_delay.total_seconds() <= 180
        vendors.clear_faults()
        other.retry()
    assert kind().execute(other.context)["webhook_id"] == first["webhook_id"]
    assert effects(vendors, kind) == ["webhook.created"]


@every_listed
def test_lost_one_that_the_list_shows_late(kind: Kind, vendors: Sandbox, task: Task) -> None:
    vendors.fault(kind.create, "drop_after")
    with pytest.raises(OutcomeUnknownError):
        kind().execute(task.context)
    vendors.fault(kind.list, "status", status=200, body=EMPTY, count=None, processed=False)
    task.retry()
    with pytest.raises(OutcomeUnknownError):
        kind().execute(task.context)
    assert kind.made(vendors) == 1
    vendors.clear_faults()
    task.retry()
    result = kind().execute(task.context)
    assert [row["id"] for row in kind.there()] == [result["webhook_id"]]


def test_list_that_still_shows_what_is_deleted(vendors: Sandbox, task: Task) -> None:
    first = FLINQUE().execute(task.context)
    second = FLINQUE(events=FLINQUE.others).execute(Task(run_id="second").context)
    ghost = {"id": first["webhook_id"], "url": URL, "events": FLINQUE.events}
    rows = [ghost, {"id": second["webhook_id"], "url": URL, "events": FLINQUE.others}]
    vendors.fault(FLINQUE.list, "status", status=200, body={"data": rows}, processed=False)
    third = FLINQUE().execute(Task(run_id="third").context)
    assert [row["id"] for row in FLINQUE.there()] == [third["webhook_id"]]
    assert third["webhook_id"] not in (first["webhook_id"], second["webhook_id"])


def test_list_that_hides_addresses_settles_nothing(vendors: Sandbox, task: Task) -> None:
    vendors.fault(FLINQUE.create, "drop_after")
    with pytest.raises(OutcomeUnknownError):
        FLINQUE().execute(task.context)
    settle(task)
    task.retry()
    vendors.fault(FLINQUE.list, "status", status=200, body={"data": [{"id": "wh_9"}]}, count=None, processed=False)
    with pytest.raises(OutcomeUnknownError, match="It is unknown whether"):
        FLINQUE().execute(task.context)
    assert FLINQUE.made(vendors) == 1


def test_list_that_hides_addresses_does_not_hide_what_was_made_here(vendors: Sandbox, task: Task) -> None:
    webhook_id = FLINQUE().execute(task.context)["webhook_id"]
    vendors.fault(FLINQUE.list, "status", status=200, body={"data": [{"id": webhook_id}]}, processed=False)
    assert FLINQUE().execute(Task(run_id="next").context)["webhook_id"] == webhook_id
    assert effects(vendors, FLINQUE) == ["webhook.created"]


@pytest.mark.slow
@every_kind
def test_two_at_once(kind: Kind, vendors: Sandbox) -> None:
    vendors.fault(kind.create, "delay", seconds=0.4)
    results: list[dict[str, Any]] = []
    ready = threading.Barrier(3)

    def run(name: str) -> None:
        ready.wait()
        results.append(kind().execute(Task(run_id=name).context))

    threads = [threading.Thread(target=run, args=(f"run {number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(results) == 3
    assert len({result["webhook_id"] for result in results}) == 1
    assert sorted(result["created"] for result in results) == [False, False, True]
    assert len(kind.there()) == kind.made(vendors) == 1


def test_turn_that_was_lost_creates_nothing(vendors: Sandbox, task: Task) -> None:
    """A process that stood still for longer than its lease, while another one took over."""

    def take_over(moment: str, record: Any) -> None:
        if (moment, record["state"]) == ("after", "intent"):
            steal = text("UPDATE mkt_token SET lease = 'other', lease_until = 1e12 WHERE lease IS NOT NULL")
            stores.store().run(lambda connection: connection.execute(steal))

    task.store.interrupt = take_over
    with pytest.raises(StoreError, match="another one took over"):
        FLINQUE().execute(task.context)
    assert FLINQUE.made(vendors) == 0


@every_kind
def test_store_down_before(kind: Kind, vendors: Sandbox, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__MKT__STATE_URL", "sqlite:////nowhere/at/all.db")
    with pytest.raises(StoreError):
        kind().execute(task.context)
    assert [entry for entry in vendors.requests() if entry["method"] != "GET" and "token" not in entry["path"]] == []
    assert task.store.values == {}


@every_signed
def test_no_key_to_seal_with(kind: Kind, vendors: Sandbox, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "")
    with pytest.raises(StoreError, match="cannot keep secrets"):
        kind().execute(task.context)
    assert kind.made(vendors) == 0
    assert task.store.values == {}


@every_kind
def test_store_down_after(kind: Kind, vendors: Sandbox, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vendor has executed; that must never be recorded as refused."""

    def fails(*_: Any, **__: Any) -> None:
        raise StoreError(StoreFailure.UNREACHABLE)

    with monkeypatch.context() as patch:
        patch.setattr(webhook_secrets, "_keep", fails)
        with pytest.raises(StoreError):
            kind().execute(task.context)
    assert task.record["state"] == "intent"
    (lost,) = kind.there()
    task.retry()
    result = kind().execute(task.context)
    assert [row["id"] for row in kind.there()] == [result["webhook_id"]]
    assert (result["webhook_id"] == lost["id"]) == (kind is not FLINQUE)
    assert kind is FLODESK or kind.secret(result["webhook_id"])


@every_signed
def test_store_that_fails_for_a_moment(
    kind: Kind, vendors: Sandbox, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, failures = webhook_secrets._keep, [StoreError(StoreFailure.UNREACHABLE), StoreError(StoreFailure.LOCKED)]

    def flickers(*args: Any, **values: Any) -> None:
        if failures:
            raise failures.pop()
        keep(*args, **values)

    monkeypatch.setattr(webhook_secrets, "_keep", flickers)
    monkeypatch.setattr(webhook_secrets, "SAVE_PATIENCE", 10.0)
    result = kind().execute(task.context)
    assert kind.secret(result["webhook_id"])
    assert kind.made(vendors) == 1


@every_kind
def test_store_that_lost_its_rows(kind: Kind, vendors: Sandbox, task: Task) -> None:
    first = kind().execute(task.context)
    forget_rows()
    second = kind().execute(Task(run_id="next").context)
    assert [row["id"] for row in kind.there()] == [second["webhook_id"]]
    assert (second["webhook_id"] == first["webhook_id"]) == (kind is FLODESK)


@every_signed
def test_new_key_of_the_account_changes_nothing(
    kind: Kind, vendors: Sandbox, task: Task, connect: Callable[..., str]
) -> None:
    first = kind().execute(task.context)
    assert kind.secret(first["webhook_id"])
    name = f"{kind.vendor}_default"
    connect(kind.vendor, name, password="flow_sk_live_another-key-of-the-account")
    assert kind.secret(first["webhook_id"])
