# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One subscription for an address, whatever happens; over real HTTP.

==============================  ===============================  =========================  ===========================
what goes wrong                 Flinque                          Flow Social                Flodesk
==============================  ===============================  =========================  ===========================
killed after the intent         created when the list is sure    same key, one              created, the list is sure
killed before the receipt       attached: the secret is kept     same key, same answer      attached
answer lost                     found, replaced                  same key, same answer      found, kept
store down before               nothing is sent                  nothing is sent            nothing is sent
store down after                found, replaced                  same key, same answer      found, kept
store loses its rows            replaced                         replaced                   kept
events changed                  replaced                         changed in place           changed in place
inactive                        --                               made active                --
deleted at the vendor           created again                    created again              created again
several for the address         the known one stays              the known one stays        one stays
two tasks at once               one is created                   one is created             one is created
list is behind                  waits, then tells                asks for the single one    asks for the single one
key or client secret replaced   nothing to do                    nothing to do              nothing to do
token replaced                  --                               --                         address changed in place
==============================  ===============================  =========================  ===========================
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_mkt.exceptions import (
    OutcomeUnknownError,
)
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task
from tests.unit.operators.ensure_webhook.kinds import (
    FLINQUE,
    FLODESK,
    FLOW_SOCIAL,
    OTHER,
    TOKEN,
    URL,
    Kind,
    effects,
    every_kind,
    every_signed,
    settle,
)

pytestmark = pytest.mark.usefixtures("store_file", "flodesk_token")


@every_kind
def test_creates_then_leaves_alone(kind: Kind, vendors: Sandbox, task: Task) -> None:
    result = kind().execute(task.context)
    (row,) = kind.there()
    assert result == {
        "webhook_id": row["id"],
        "url": URL,
        "events": kind.events,
        "created": True,
        "updated": False,
        "replaced": False,
    }
    assert row["events"] == kind.events
    calls = len(vendors.requests())
    again = kind().execute(Task(run_id="next").context)
    assert again == {**result, "created": False}
    assert {entry["method"] for entry in vendors.requests()[calls:]} == {"GET"}
    assert effects(vendors, kind) == ["webhook.created"]


@every_kind
def test_order_of_events_does_not_matter(kind: Kind, vendors: Sandbox, task: Task) -> None:
    kind().execute(task.context)
    assert not kind(events=kind.events[::-1]).execute(Task(run_id="next").context)["updated"]
    assert effects(vendors, kind) == ["webhook.created"]


@every_signed
def test_the_secret_is_kept(kind: Kind, vendors: Sandbox, task: Task, store_file: Path) -> None:
    webhook_id = kind().execute(task.context)["webhook_id"]
    secret = kind.secret(webhook_id)
    assert secret is not None
    assert len(secret) > 20
    stored = b"".join(file.read_bytes() for file in store_file.parent.glob("shared.db*"))
    assert secret.encode() not in stored


@every_kind
def test_addresses_are_compared_as_addresses(kind: Kind, vendors: Sandbox, task: Task) -> None:
    kind().execute(task.context)
    spelled = URL.replace("https://airflow.example.com", "https://AIRFLOW.example.com:443")
    kind(url=spelled).execute(Task(run_id="next").context)
    assert effects(vendors, kind) == ["webhook.created"]


@every_kind
def test_finding_out_costs_one_request(kind: Kind, vendors: Sandbox, task: Task) -> None:
    kind().execute(task.context)
    before = len(vendors.requests())
    kind().execute(Task(run_id="next").context)
    paths = [entry["path"] for entry in vendors.requests()[before:] if "token" not in entry["path"]]
    assert paths == [kind.path]


@every_kind
def test_other_webhooks_are_left_alone(kind: Kind, vendors: Sandbox, task: Task) -> None:
    others = {kind.add(OTHER), kind.add(f"{URL}/deeper"), kind.add(URL[:-1])}
    kind().execute(task.context)
    kind(events=kind.others).execute(Task(run_id="next").context)
    assert others <= {row["id"] for row in kind.hook().list_webhooks()}
    touched = {each for e in vendors.ledger(kind.vendor) if e["effect"] != "webhook.created" for each in e["ids"]}
    assert not others & touched


def test_other_accounts_are_left_alone(vendors: Sandbox, task: Task, connect: Callable[..., str]) -> None:
    theirs = vendors.credentials()["flinque"]["clients"][3]
    connect("flinque", "theirs", login=theirs["client_id"], password=theirs["client_secret"])
    first = FLINQUE(flinque_conn_id="theirs").execute(Task(run_id="theirs").context)
    FLINQUE().execute(task.context)
    assert [row["id"] for row in FLINQUE.there(flinque_conn_id="theirs")] == [first["webhook_id"]]
    assert len(FLINQUE.there()) == 1


@every_kind
def test_other_events(kind: Kind, vendors: Sandbox, task: Task) -> None:
    first = kind().execute(task.context)
    result = kind(events=kind.others).execute(Task(run_id="next").context)
    (row,) = kind.there()
    assert row["events"] == kind.others
    assert row["id"] == result["webhook_id"]
    if kind is FLINQUE:
        assert effects(vendors, kind) == ["webhook.created", "webhook.created", "webhook.deleted"]
        assert (result["created"], result["replaced"], result["updated"]) == (True, True, False)
        # Deliveries of the old one may be under way.
        assert kind.secret(first["webhook_id"]) not in (None, kind.secret(row["id"]))
    else:
        assert effects(vendors, kind) == ["webhook.created", "webhook.updated"]
        assert (result["created"], result["replaced"], result["updated"]) == (False, False, True)


def test_inactive(vendors: Sandbox, task: Task) -> None:
    webhook_id = FLOW_SOCIAL().execute(task.context)["webhook_id"]
    FlowSocialHook().update_webhook(webhook_id, active=False)
    assert FLOW_SOCIAL().execute(Task(run_id="next").context)["updated"]
    assert [(row["id"], row["active"]) for row in FLOW_SOCIAL.there()] == [(webhook_id, True)]


@every_signed
def test_secret_that_nobody_knows(kind: Kind, vendors: Sandbox, task: Task, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    unknown = kind.add()
    result = kind().execute(task.context)
    assert result["replaced"]
    assert [row["id"] for row in kind.there()] == [result["webhook_id"]] != [unknown]
    assert effects(vendors, kind) == ["webhook.created", "webhook.created", "webhook.deleted"]
    assert f"the secret of {unknown} is not known here" in caplog.text


@every_signed
def test_secret_that_the_connection_knows(
    kind: Kind, vendors: Sandbox, task: Task, connect: Callable[..., str]
) -> None:
    known = kind.add()
    connect(kind.vendor, f"{kind.vendor}_default", extra={"webhook_secret": "whsec_entered-by-a-person"})
    assert kind().execute(task.context)["webhook_id"] == known
    assert effects(vendors, kind) == ["webhook.created"]


@every_signed
def test_connections_secret_cannot_belong_to_two(
    kind: Kind, vendors: Sandbox, task: Task, connect: Callable[..., str]
) -> None:
    unknown = {kind.add(), kind.add()}
    connect(kind.vendor, f"{kind.vendor}_default", extra={"webhook_secret": "whsec_entered-by-a-person"})
    result = kind().execute(task.context)
    assert [row["id"] for row in kind.there()] == [result["webhook_id"]]
    assert result["webhook_id"] not in unknown


def test_connections_secret_is_not_that_of_a_lost_answer(
    vendors: Sandbox, task: Task, connect: Callable[..., str]
) -> None:
    connect("flinque", "flinque_default", extra={"webhook_secret": "secret-of-another-webhook"})
    vendors.fault(FLINQUE.create, "drop_after")
    with pytest.raises(OutcomeUnknownError):
        FLINQUE().execute(task.context)
    (lost,) = FLINQUE.there()
    task.retry()
    result = FLINQUE().execute(task.context)
    assert [row["id"] for row in FLINQUE.there()] == [result["webhook_id"]] != [lost["id"]]


@every_kind
def test_several_for_one_address(kind: Kind, vendors: Sandbox, task: Task) -> None:
    before = kind.add()
    result = kind().execute(task.context)
    surplus = {kind.add(), kind.add(events=kind.others)}
    again = kind().execute(Task(run_id="next").context)
    assert again["webhook_id"] == result["webhook_id"]
    assert [row["id"] for row in kind.there()] == [result["webhook_id"]]
    assert surplus.isdisjoint({result["webhook_id"]})
    assert (result["webhook_id"] == before) == (kind is FLODESK)


@every_kind
def test_cleared_task_whose_webhook_has_vanished(kind: Kind, vendors: Sandbox, task: Task) -> None:
    first = kind().execute(task.context)
    kind.hook().delete_webhook(first["webhook_id"])
    settle(task)
    task.clear()
    second = kind().execute(task.context)
    assert [row["id"] for row in kind.there()] == [second["webhook_id"]] != [first["webhook_id"]]
    assert second["created"]


@every_kind
def test_deleted_while_it_is_being_changed(kind: Kind, vendors: Sandbox, task: Task) -> None:
    """Whoever else deletes it between our look and our change."""
    first = kind().execute(task.context)
    shown = {"id": first["webhook_id"], "events": kind.events}
    shown[kind.address] = f"{URL}/{TOKEN}" if kind is FLODESK else URL
    kind.hook().delete_webhook(first["webhook_id"])
    vendors.fault(kind.list, "status", status=200, body={"data": [shown], "meta": {}}, processed=False)
    second = kind(events=kind.others).execute(Task(run_id="next").context)
    assert [(row["id"], row["events"]) for row in kind.there()] == [(second["webhook_id"], kind.others)]
