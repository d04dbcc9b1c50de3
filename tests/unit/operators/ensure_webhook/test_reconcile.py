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

import json
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException
from sqlalchemy import text

from airflow_provider_mkt.exceptions import (
    MalformedResponseError,
    OutcomeUnknownError,
    ServerError,
    ValidationError,
)
from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.hooks.webhooks import secrets_of
from airflow_provider_mkt.operators.ensure_webhook.operator import EnsureWebhookBase
from airflow_provider_mkt.operators.flinque import FlinqueEnsureWebhookOperator
from airflow_provider_mkt.operators.flodesk import FlodeskEnsureWebhookOperator
from airflow_provider_mkt.operators.flow_social import FlowSocialEnsureWebhookOperator
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state import webhook_secrets
from airflow_provider_mkt.state.database import shared as stores
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from airflow_provider_mkt.submission.record import Record
from tests.unit.context import Task, WorkerDiedError, step_of

URL = "https://airflow.example.com/mkt/webhooks/mine"
OTHER = "https://airflow.example.com/mkt/webhooks/other"
TOKEN = "t0ken-of-the-webhook-address"
NEWER = "a-newer-t0ken-of-the-address"


@dataclass(frozen=True)
class Kind:
    """One vendor's operator.

    :param path: path of the vendor's webhooks in the sandbox
    :param events: what is subscribed to; ``others`` is something else
    :param address: field of the address
    """

    operator: type[EnsureWebhookBase]
    hook: type[Any]
    vendor: str
    path: str
    events: list[str]
    others: list[str]
    address: str = "url"
    options: dict[str, Any] = field(default_factory=dict)

    def __call__(self, **options: Any) -> EnsureWebhookBase:
        given = {"task_id": "publish", "url": URL, "events": self.events, **self.options, **options}
        return self.operator(**given)

    def there(self, url: str = URL, **connection: str) -> list[dict[str, Any]]:
        """Return the vendor's subscriptions for an address."""
        rows = self.hook(**connection).list_webhooks()
        return [row for row in rows if row[self.address].removesuffix(f"/{TOKEN}") == url]

    def add(self, url: str = URL, events: list[str] | None = None) -> str:
        """Subscribe in another way than by the operator."""
        hook, events = self.hook(), events or self.events
        row = (
            hook.create_webhook("x", f"{url}/{TOKEN}", events) if self is FLODESK else hook.create_webhook(url, events)
        )
        return str(row["id"])

    def made(self, vendors: Sandbox) -> int:
        return len(vendors.ledger(self.vendor, "webhook.created"))

    def secret(self, webhook_id: str) -> str | None:
        """Return the secret that is kept for a subscription."""
        kept = secrets_of(self.hook().account)
        return next((kept.secret(each) for each in kept.rows() if each.webhook_id == webhook_id), None)

    @property
    def create(self) -> str:
        return f"POST {self.path}"

    @property
    def list(self) -> str:
        return f"GET {self.path}"


FLINQUE = Kind(
    FlinqueEnsureWebhookOperator,
    FlinqueHook,
    "flinque",
    "/flinque/v1/webhooks",
    ["report.ready", "order.attributed"],
    ["report.ready"],
)
FLOW_SOCIAL = Kind(
    FlowSocialEnsureWebhookOperator,
    FlowSocialHook,
    "flow_social",
    "/flow-social/v1/webhooks",
    ["post.delivered", "post.failed"],
    ["post.failed"],
)
FLODESK = Kind(
    FlodeskEnsureWebhookOperator,
    FlodeskHook,
    "flodesk",
    "/flodesk/v1/webhooks",
    ["subscriber.created", "subscriber.unsubscribed"],
    ["subscriber.created"],
    "post_url",
    {"name": "Airflow"},
)
KINDS = {"flinque": FLINQUE, "flow_social": FLOW_SOCIAL, "flodesk": FLODESK}
SIGNED = {"flinque": FLINQUE, "flow_social": FLOW_SOCIAL}
LISTED = {"flinque": FLINQUE, "flodesk": FLODESK}

every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
every_signed = pytest.mark.parametrize("kind", SIGNED.values(), ids=SIGNED)
every_listed = pytest.mark.parametrize("kind", LISTED.values(), ids=LISTED)
EMPTY = {"data": [], "meta": {}}


@pytest.fixture(autouse=True)
def store_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A shared store of the test's own."""
    path = tmp_path / "shared.db"
    made: dict[int, Store] = {}
    monkeypatch.setattr(stores, "_stores", made)
    monkeypatch.setattr(webhook_secrets, "SAVE_PATIENCE", 0.0)
    monkeypatch.setenv("AIRFLOW__MKT__STATE_URL", f"sqlite:///{path}")
    yield path
    for each in made.values():
        each.close()


@pytest.fixture(autouse=True)
def flodesk_token(connect: Callable[..., str]) -> None:
    connect("flodesk", "flodesk_default", extra={"webhook_token": TOKEN})


def settle(task: Task) -> None:
    """Let enough time pass for the vendor's list to be complete."""
    record = task.record
    times = {name: value - 1_000 for name, value in record.items() if name.endswith("_at") and value}
    task.store.set("mkt.submission.0", {**record, **times})
    stores.store().run(lambda connection: connection.execute(text("UPDATE mkt_webhook SET kept_at = kept_at - 1000")))


def forget_rows() -> None:
    stores.store().run(lambda connection: connection.execute(text("DELETE FROM mkt_webhook")))


def effects(vendors: Sandbox, kind: Kind) -> list[str]:
    return [entry["effect"] for entry in vendors.ledger(kind.vendor) if entry["effect"].startswith("webhook.")]


def die(moment: str, step: str) -> Callable[[str, Any], None]:
    def interrupt(when: str, record: Any) -> None:
        if (when, step_of(record)) == (moment, step):
            raise WorkerDiedError

    return interrupt


# The good course


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


# What is there already


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


# Tries that die, answers that are lost


@every_kind
def test_killed_after_the_intent(kind: Kind, vendors: Sandbox, task: Task) -> None:
    task.store.interrupt = die("after", "intent")
    with pytest.raises(WorkerDiedError):
        kind().execute(task.context)
    task.store.interrupt = None
    task.retry()
    result = kind().execute(task.context)
    assert [row["id"] for row in kind.there()] == [result["webhook_id"]]
    assert kind.made(vendors) == 1


@every_kind
def test_killed_when_it_leaves(kind: Kind, vendors: Sandbox, task: Task) -> None:
    task.store.interrupt = die("after", "leaving")
    with pytest.raises(WorkerDiedError):
        kind().execute(task.context)
    assert kind.made(vendors) == 0
    task.store.interrupt = None
    task.retry()
    if kind is not FLOW_SOCIAL:
        # It may still be on its way.
        with pytest.raises(OutcomeUnknownError) as caught:
            kind().execute(task.context)
        decision = DEFAULT.evaluate(caught.value, 1, 2)
        assert decision.retry_delay is not None
        assert 100 < decision.retry_delay.total_seconds() <= 180
        settle(task)
        task.retry()
    result = kind().execute(task.context)
    assert [row["id"] for row in kind.there()] == [result["webhook_id"]]
    assert kind.made(vendors) == 1


@every_kind
def test_killed_before_the_receipt(kind: Kind, vendors: Sandbox, task: Task) -> None:
    """The vendor has answered and the secret is kept; the record does not know of it."""
    task.store.interrupt = die("before", "submitted")
    with pytest.raises(WorkerDiedError):
        kind().execute(task.context)
    task.store.interrupt = None
    task.retry()
    result = kind().execute(task.context)
    assert [row["id"] for row in kind.there()] == [result["webhook_id"]]
    assert result["created"]
    assert effects(vendors, kind) == ["webhook.created"]
    assert kind is FLODESK or kind.secret(result["webhook_id"])


@every_kind
def test_answer_lost(kind: Kind, vendors: Sandbox, task: Task) -> None:
    vendors.fault(kind.create, "drop_after", count=5)
    with pytest.raises(OutcomeUnknownError) as caught:
        kind().execute(task.context)
    assert caught.value.resolvable
    vendors.clear_faults()
    (lost,) = kind.there()
    task.retry()
    result = kind().execute(task.context)
    assert [row["id"] for row in kind.there()] == [result["webhook_id"]]
    if kind is FLINQUE:
        assert effects(vendors, kind) == ["webhook.created", "webhook.created", "webhook.deleted"]
    else:
        assert result["webhook_id"] == lost["id"]
        assert effects(vendors, kind) == ["webhook.created"]
    assert kind is FLODESK or kind.secret(result["webhook_id"])


@every_kind
def test_answer_unreadable(kind: Kind, vendors: Sandbox, task: Task) -> None:
    vendors.fault(kind.create, "truncate", count=5)
    with pytest.raises((MalformedResponseError, OutcomeUnknownError)) as caught:
        kind().execute(task.context)
    assert caught.value.resolvable
    vendors.clear_faults()
    task.retry()
    result = kind().execute(task.context)
    assert [row["id"] for row in kind.there()] == [result["webhook_id"]]
    assert kind is FLODESK or kind.secret(result["webhook_id"])


@every_signed
def test_answer_without_a_secret(kind: Kind, vendors: Sandbox, task: Task) -> None:
    body: dict[str, Any] = {"id": "wh_77", "url": URL, "events": kind.events}
    vendors.fault(kind.create, "status", status=201, body=body if kind is FLINQUE else {"data": body}, processed=False)
    with pytest.raises(MalformedResponseError, match="without telling its secret") as caught:
        kind().execute(task.context)
    assert caught.value.executed
    assert task.record["state"] == "intent"
    assert not kind.secret("wh_77")


def test_person_hands_over_the_id_and_the_secret(vendors: Sandbox, task: Task, connect: Callable[..., str]) -> None:
    """``airflow mkt submissions adopt``, after the vendor has told the secret in another way."""
    vendors.fault(FLINQUE.create, "drop_after")
    with pytest.raises(OutcomeUnknownError):
        FLINQUE().execute(task.context)
    (lost,) = FLINQUE.there()
    task.store.set("mkt.submission.0", asdict(Record.of(task.record).adopt([lost["id"]])))
    connect("flinque", "flinque_default", extra={"webhook_secret": "told-by-the-vendors-support"})
    task.clear()
    assert FLINQUE().execute(task.context)["webhook_id"] == lost["id"]
    assert effects(vendors, FLINQUE) == ["webhook.created"]


def test_events_changed_between_two_tries(vendors: Sandbox, task: Task) -> None:
    """The lost creation is settled as it was sent, then corrected."""
    vendors.fault(FLOW_SOCIAL.create, "drop_after", count=5)
    with pytest.raises(OutcomeUnknownError):
        FLOW_SOCIAL().execute(task.context)
    vendors.clear_faults()
    task.retry()
    FLOW_SOCIAL(events=FLOW_SOCIAL.others).execute(task.context)
    assert [row["events"] for row in FLOW_SOCIAL.there()] == [FLOW_SOCIAL.others]
    assert effects(vendors, FLOW_SOCIAL) == ["webhook.created", "webhook.updated"]


def test_address_changed_between_two_tries(vendors: Sandbox, task: Task) -> None:
    vendors.fault(FLINQUE.create, "drop_after")
    with pytest.raises(OutcomeUnknownError):
        FLINQUE().execute(task.context)
    task.retry()
    with pytest.raises(ValidationError, match="these fields differ: url"):
        FLINQUE(url=OTHER).execute(task.context)


def test_replayed_answer_about_a_webhook_that_is_gone(vendors: Sandbox, task: Task) -> None:
    vendors.fault(FLOW_SOCIAL.create, "drop_after", count=5)
    with pytest.raises(OutcomeUnknownError):
        FLOW_SOCIAL().execute(task.context)
    vendors.clear_faults()
    (lost,) = FLOW_SOCIAL.there()
    FlowSocialHook().delete_webhook(lost["id"])
    task.retry()
    result = FLOW_SOCIAL().execute(task.context)
    assert [row["id"] for row in FLOW_SOCIAL.there()] == [result["webhook_id"]] != [lost["id"]]


def test_old_key_is_not_trusted(vendors: Sandbox, task: Task) -> None:
    vendors.fault(FLOW_SOCIAL.create, "drop_after", count=5)
    with pytest.raises(OutcomeUnknownError):
        FLOW_SOCIAL().execute(task.context)
    vendors.clear_faults()
    task.store.set("mkt.submission.0", {**task.record, "intent_at": task.record["intent_at"] - 80_000})
    task.retry()
    result = FLOW_SOCIAL().execute(task.context)
    assert [row["id"] for row in FLOW_SOCIAL.there()] == [result["webhook_id"]]
    assert FLOW_SOCIAL.secret(result["webhook_id"])


@every_kind
def test_deletion_that_fails_is_made_up_for(kind: Kind, vendors: Sandbox, task: Task) -> None:
    kind.add()
    kind.add()
    vendors.fault(f"DELETE {kind.path}/*", "status", status=500, count=None, processed=False)
    with pytest.raises(ServerError):
        kind().execute(task.context)
    vendors.clear_faults()
    created = kind.made(vendors)
    task.retry()
    result = kind().execute(task.context)
    assert [row["id"] for row in kind.there()] == [result["webhook_id"]]
    assert kind.made(vendors) == created
    assert result["created"] == (kind is not FLODESK)


@every_kind
def test_refusal_leaves_nothing_open(kind: Kind, vendors: Sandbox, task: Task) -> None:
    vendors.fault(kind.create, "status", status=400, processed=False)
    with pytest.raises(ValidationError):
        kind().execute(task.context)
    assert task.record["state"] == "refused"
    task.retry()
    assert kind().execute(task.context)["created"]
    assert kind.made(vendors) == 1


@every_kind
def test_long_rate_limit_hands_the_worker_back(kind: Kind, vendors: Sandbox, task: Task) -> None:
    vendors.fault(kind.create, "rate_limit", retry_after=600)
    with pytest.raises(AirflowRescheduleException):
        kind().execute(task.context)
    assert kind.made(vendors) == 0


# A list that is behind


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


# Two at once


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


# The shared store


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


# Flodesk's token


def test_flodesk_gets_the_address_with_the_token(vendors: Sandbox, task: Task) -> None:
    result = FLODESK().execute(task.context)
    assert [row["post_url"] for row in FlodeskHook().list_webhooks()] == [f"{URL}/{TOKEN}"]
    assert result["url"] == URL


def test_flodesk_gets_a_new_token(vendors: Sandbox, task: Task, connect: Callable[..., str]) -> None:
    first = FLODESK().execute(task.context)
    connect("flodesk", "flodesk_default", extra={"webhook_token": NEWER})
    result = FLODESK().execute(Task(run_id="next").context)
    assert (result["webhook_id"], result["updated"]) == (first["webhook_id"], True)
    assert [row["post_url"] for row in FlodeskHook().list_webhooks()] == [f"{URL}/{NEWER}"]
    assert not FLODESK().execute(Task(run_id="last").context)["updated"]


@pytest.mark.parametrize("token", ["", "short", "with/slash-and-enough-characters", "..................", "ä" * 20])
def test_flodesk_without_a_good_token(token: str, vendors: Sandbox, task: Task, connect: Callable[..., str]) -> None:
    connect("flodesk", "flodesk_default", extra={"webhook_token": token})
    with pytest.raises(ValidationError, match="webhook_token") as caught:
        FLODESK().execute(task.context)
    assert not token or token not in str(caught.value)
    assert vendors.requests() == []


@pytest.mark.parametrize("url", [f"{URL}/{TOKEN}", f"{URL}/", f"{URL}?a=b"])
def test_flodesk_with_more_than_the_address(url: str, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError, match="without the token") as caught:
        FLODESK(url=url).execute(task.context)
    assert TOKEN not in str(caught.value)
    assert vendors.requests() == []


# Input and secrets


@every_kind
@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"url": "http://"}, "url must be a full"),
        ({"url": "https://airflow.example.com:99999/"}, "url must be a full"),
        ({"url": None}, "url must be non-empty text"),
        ({"url": "https://me:pass@airflow.example.com/a"}, "url must have neither a user name"),
        ({"url": "https://airflow.example.com/a#b"}, "url must have neither a user name nor a fragment"),
        ({"events": []}, "events is empty"),
        ({"events": ["no.such"]}, "events"),
        ({"events": "report.ready"}, "events must be a list"),
    ],
)
def test_bad_input(kind: Kind, options: dict[str, Any], problem: str, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError, match=problem):
        kind(**options).execute(task.context)
    assert vendors.requests() == []
    assert task.store.values == {}


@every_kind
@pytest.mark.parametrize("fault", [None, "drop_after", "truncate", "malformed", "html", "status"])
def test_secrets_are_nowhere(
    kind: Kind, fault: str | None, vendors: Sandbox, task: Task, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    if fault:
        parameters = {"status": 400, "message": f"{URL}/{TOKEN} is refused", "processed": False}
        vendors.fault(kind.create, fault, **(parameters if fault == "status" else {}))
        try:
            kind().execute(task.context)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is searched
            shown += [str(error), repr(error), repr(getattr(error, "__dict__", {}))]
        shown += task.store.values.values()
        vendors.clear_faults()
        task.retry()
        settle(task)
    operator = kind()
    result = operator.execute(task.context)
    kept = secrets_of(operator.hook.account)
    shown += [json.dumps(result), caplog.text, repr(operator), repr(kept.rows()), repr(kept)]
    shown += task.store.values.values()
    shown += [repr(getattr(operator, name)) for name in operator.template_fields]
    known = [secret for each in kept.rows() if (secret := kept.secret(each))]
    assert bool(known) == (kind is not FLODESK)
    for secret in known or [TOKEN]:
        assert not any(secret in text_ for text_ in shown)


@every_signed
def test_secrets_are_masked_in_logs(kind: Kind, vendors: Sandbox, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk import log as airflow_log

    masked: list[str] = []
    monkeypatch.setattr(airflow_log, "mask_secret", lambda secret, name=None: masked.append(secret))
    result = kind().execute(task.context)
    assert kind.secret(result["webhook_id"]) in masked


@every_kind
def test_link(kind: Kind) -> None:
    assert [link.name for link in kind().operator_extra_links] == ["Submission"]
