# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the operators create, the receiver verifies: operator, simulated vendor and receiver, nothing in between."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.operators.ensure_webhook.operator import EnsureWebhookBase
from airflow_provider_mkt.operators.flinque import FlinqueEnsureWebhookOperator
from airflow_provider_mkt.operators.flodesk import FlodeskEnsureWebhookOperator
from airflow_provider_mkt.operators.flow_social import FlowSocialEnsureWebhookOperator
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state.database import shared as stores
from airflow_provider_mkt.state.inbox import Inbox
from airflow_provider_mkt.webhooks.receiver import Receiver
from tests.unit.context import Task

pytestmark = pytest.mark.slow

PUBLIC = "https://airflow.example.com/mkt/webhooks"
TOKEN, NEWER = "Vb3nQ8s-2xTfW0kLr5mYzA", "a-newer-token-of-the-address"
PATIENCE = 20.0

OPERATORS: dict[str, tuple[type[EnsureWebhookBase[Any]], str, dict[str, Any]]] = {
    "flinque": (FlinqueEnsureWebhookOperator, "creator.added", {"id": "cr_1"}),
    "flow_social": (FlowSocialEnsureWebhookOperator, "post.blocked", {"post_id": "post_7"}),
    "flodesk": (FlodeskEnsureWebhookOperator, "subscriber.created", {"subscriber": {"id": "s1"}}),
}


@pytest.fixture
def inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    """The inbox of the configured store, in which the operators keep their secrets as well."""
    made: dict[int, Any] = {}
    monkeypatch.setattr(stores, "_stores", made)
    monkeypatch.setenv("AIRFLOW__MKT__STATE_URL", f"sqlite:///{tmp_path / 'state.db'}")
    yield Inbox()
    for each in made.values():
        each.close()


@pytest.fixture
def receiver(vendors: Sandbox, connect: Callable[..., str], inbox: Inbox) -> Iterator[str]:
    """The address of the receiver, which the vendors reach."""
    connect("flodesk", "flodesk_default", extra={"webhook_token": TOKEN})
    server = uvicorn.Server(uvicorn.Config(Receiver(), port=0, log_config=None, access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: server.started)
    address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    vendors.webhooks(target=address)
    yield address
    server.should_exit = True
    thread.join()


def until(answer: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE
    while not (found := answer()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
    return found


def ensure(vendor: str, run_id: str = "first", events: list[str] | None = None) -> dict[str, Any]:
    kind, event, _ = OPERATORS[vendor]
    operator = kind(task_id="ensure", url=f"{PUBLIC}/{vendor}_default", events=events or [event])
    result: dict[str, Any] = operator.execute(Task(run_id=run_id).context)
    return result


def emit(vendors: Sandbox, vendor: str, **more: Any) -> None:
    _, event, data = OPERATORS[vendor]
    vendors.emit(vendor, event, {**data, **more})


def answered(vendors: Sandbox, count: int) -> list[tuple[str, int, int]]:
    """Return how the deliveries ended, as soon as so many have."""
    ended = until(
        lambda: len(found := [each for each in vendors.deliveries() if each["status"] != "pending"]) >= count and found
    )
    return [(each["status"], each["attempts"], each["response"]) for each in ended]


@pytest.mark.usefixtures("receiver")
@pytest.mark.parametrize("vendor", OPERATORS)
def test_what_an_operator_creates_is_verified(vendor: str, vendors: Sandbox, inbox: Inbox) -> None:
    ensure(vendor)
    emit(vendors, vendor)
    assert answered(vendors, 1) == [("delivered", 1, 200)]
    (row,) = inbox.find()
    assert (row.conn_id, row.event) == (f"{vendor}_default", OPERATORS[vendor][1])


@pytest.mark.usefixtures("receiver")
def test_a_rotation_loses_nothing(vendors: Sandbox, inbox: Inbox) -> None:
    """The receiver has just looked at the secrets when there is a new one, and the vendor sends once."""
    vendors.switch({"flinque.webhook_attempts": 1})
    ensure("flinque")
    emit(vendors, "flinque", id="cr_1")
    answered(vendors, 1)
    (old,) = FlinqueHook().list_webhooks()
    # Flinque changes no subscription: the operator creates a new one, which has a new secret.
    result = ensure("flinque", "second", ["creator.added", "report.ready"])
    assert (result["replaced"], result["webhook_id"] != old["id"]) == (True, True)
    emit(vendors, "flinque", id="cr_2")
    assert answered(vendors, 2) == [("delivered", 1, 200)] * 2
    assert len(inbox.find()) == 2


def test_what_the_former_secret_signed_is_taken_after_the_rotation(
    vendors: Sandbox, inbox: Inbox, receiver: str
) -> None:
    vendors.switch({"flinque.webhook_pause": 1.0})
    ensure("flinque")
    vendors.webhooks(target="http://127.0.0.1:9")
    emit(vendors, "flinque", id="cr_1")
    until(lambda: [each for each in vendors.deliveries() if each["attempts"] == 1 and each["error"]])
    assert ensure("flinque", "second", ["creator.added", "report.ready"])["replaced"]
    assert [each["id"] for each in FlinqueHook().list_webhooks()] == ["wh_2"]
    vendors.webhooks(target=receiver)
    ((status, attempts, response),) = answered(vendors, 1)
    assert (status, attempts > 1, response) == ("delivered", True, 200)
    assert [row.event for row in inbox.find()] == ["creator.added"]


@pytest.mark.usefixtures("receiver")
def test_a_new_token_is_believed_at_once(vendors: Sandbox, inbox: Inbox, connect: Callable[..., str]) -> None:
    """Flodesk sends once: what is refused is lost."""
    ensure("flodesk")
    emit(vendors, "flodesk")
    answered(vendors, 1)
    connect("flodesk", "flodesk_default", extra={"webhook_token": NEWER, "previous_webhook_secret": TOKEN})
    emit(vendors, "flodesk", subscriber={"id": "before"})
    assert ensure("flodesk", "second")["updated"]
    emit(vendors, "flodesk", subscriber={"id": "after"})
    assert answered(vendors, 3) == [("delivered", 1, 200)] * 3
    assert len(inbox.find()) == 3
