# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The hostile table: what is answered, stored and logged."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from airflow_provider_mkt.state.inbox import Inbox
from airflow_provider_mkt.vendors import flodesk, flow_social
from airflow_provider_mkt.webhooks import receiver as receiving
from airflow_provider_mkt.webhooks.mailbox import Mailbox
from airflow_provider_mkt.webhooks.receiver import MAX_BODY, Receiver
from airflow_provider_mkt.webhooks.senders import Sender, Senders
from airflow_provider_mkt.webhooks.signature import sign

NOW = 1_750_000_000.0
SECRET, TOKEN = "whsec_4f1ca9", "Vb3nQ8s-2xTfW0kLr5mYzA"
assert flow_social.VENDOR.webhooks
assert flodesk.VENDOR.webhooks
SENDERS = {
    "social": Sender("social", "account", flow_social.VENDOR.webhooks, (SECRET,)),
    "mail": Sender("mail", "account", flodesk.VENDOR.webhooks, (TOKEN, "previous-token-0001")),
}
EVENT = {"event": "post.blocked", "data": {"post_id": "post_7", "reason": "ask jane@doe.example"}, "timestamp": 1}
BODY = json.dumps(EVENT).encode()


def signed(body: bytes, moment: float = NOW, secret: str = SECRET) -> str:
    return f"t={moment:.0f},v1={sign(secret, f'{moment:.0f}.'.encode() + body)}"


@dataclass
class Request:
    """One request, by default one that is in order."""

    path: str = "/mkt/webhooks/social"
    body: bytes = BODY
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    chunks: int = 1

    async def to(self, app: Receiver) -> tuple[int, dict[str, Any]]:
        given = {"content-type": "application/json", "flow-signature": signed(self.body), **self.headers}
        scope: dict[str, Any] = {
            "type": "http",
            "method": self.method,
            "path": self.path,
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in given.items() if value],
        }
        size = -(-len(self.body) // self.chunks) or 1
        parts = [self.body[begin : begin + size] for begin in range(0, len(self.body), size)] or [b""]
        messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        messages[-1]["more_body"] = False
        sent: list[Any] = []

        async def receive() -> Any:
            if not messages:
                await asyncio.Event().wait()
            return messages.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        await app(scope, receive, send)
        assert sent[1]["body"] == b"", "an answer says nothing beyond its status"
        return sent[0]["status"], scope


@pytest.fixture
def app(inbox: Inbox) -> Receiver:
    return Receiver(Mailbox(inbox), Senders(SENDERS.get), clock=lambda: NOW)


def answer(app: Receiver, request: Request) -> int:
    return asyncio.run(request.to(app))[0]


def test_a_delivery_is_stored_before_it_is_answered(app: Receiver, inbox: Inbox) -> None:
    assert answer(app, Request()) == 200
    (row,) = inbox.find()
    assert (row.conn_id, row.event, row.state, inbox.payload(row)) == ("social", "post.blocked", "pending", EVENT)


def test_a_repetition_is_answered_alike_and_stored_once(app: Receiver, inbox: Inbox) -> None:
    assert [answer(app, Request()) for _ in range(3)] == [200] * 3
    assert len(inbox.find()) == 1


@pytest.mark.parametrize("token", [TOKEN, "previous-token-0001"])
def test_an_unsigned_vendor_is_known_by_the_token(app: Receiver, inbox: Inbox, token: str) -> None:
    body = json.dumps({"event_name": "subscriber.created", "subscriber": {"id": "s1", "email": "a@b.example"}})
    request = Request(f"/mkt/webhooks/mail/{token}", body.encode(), headers={"flow-signature": ""})
    status, scope = asyncio.run(request.to(app))
    assert (status, scope["path"], scope["raw_path"]) == (200, "/mkt/webhooks/mail/***", b"/mkt/webhooks/mail/***")
    assert [row.event for row in inbox.find()] == ["subscriber.created"]


HOSTILE: dict[str, tuple[int, Callable[[], Request]]] = {
    "forged": (401, lambda: Request(headers={"flow-signature": signed(BODY, secret="guessed")})),
    "no signature": (401, lambda: Request(headers={"flow-signature": ""})),
    "one byte altered": (401, lambda: Request(body=BODY + b" ", headers={"flow-signature": signed(BODY)})),
    "too old": (401, lambda: Request(headers={"flow-signature": signed(BODY, NOW - 301)})),
    "too new": (401, lambda: Request(headers={"flow-signature": signed(BODY, NOW + 301)})),
    "wrong connection": (404, lambda: Request("/mkt/webhooks/mail")),
    "unknown connection": (404, lambda: Request("/mkt/webhooks/nobody")),
    "odd connection": (404, lambda: Request("/mkt/webhooks/a%2fb")),
    "path out of the room": (404, lambda: Request("/mkt/webhooks/../social")),
    "elsewhere": (404, lambda: Request("/mkt/other")),
    "token for a signed vendor": (404, lambda: Request(f"/mkt/webhooks/social/{TOKEN}")),
    "wrong token": (404, lambda: Request(f"/mkt/webhooks/mail/{TOKEN[:-1]}")),
    "another vendor's secret as token": (404, lambda: Request(f"/mkt/webhooks/mail/{SECRET}")),
    "huge, and says so": (413, lambda: Request(headers={"content-length": str(10**11)})),
    "huge, and does not say so": (413, lambda: Request(body=b"x" * (MAX_BODY + 1), chunks=50)),
    "length is no number": (413, lambda: Request(headers={"content-length": "-1"})),
    "compressed": (415, lambda: Request(headers={"content-encoding": "gzip"})),
    "wrong content type": (415, lambda: Request(headers={"content-type": "text/plain"})),
    "no content type": (415, lambda: Request(headers={"content-type": ""})),
    "invalid JSON, well signed": (400, lambda: Request(body=b"{")),
    "names twice, well signed": (400, lambda: Request(body=b'{"event": "a", "event": "b"}')),
    "nested deeply, well signed": (400, lambda: Request(body=b'{"a": ' + b"[" * 50_000 + b"]" * 50_000 + b"}")),
    "no object, well signed": (400, lambda: Request(body=b"[1]")),
    "empty, well signed": (400, lambda: Request(body=b"")),
    "GET": (405, lambda: Request(method="GET")),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_refused(app: Receiver, inbox: Inbox, caplog: pytest.LogCaptureFixture, name: str) -> None:
    status, request = HOSTILE[name]
    with caplog.at_level(logging.DEBUG):
        assert answer(app, request()) == status
    assert inbox.find() == []
    assert str(status) in caplog.text
    for secret in (SECRET, TOKEN, TOKEN[:-1], "jane@doe", signed(BODY).partition("v1=")[2]):
        assert secret not in caplog.text


def test_a_slow_sender_is_not_waited_for(app: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "BODY_PATIENCE", 0.01)

    async def endless() -> int:
        sent: list[Any] = []

        async def receive() -> Any:
            await asyncio.sleep(0.002)
            return {"type": "http.request", "body": b"x", "more_body": True}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"content-type", b"application/json"), (b"flow-signature", b"t=1,v1=2")]
        scope = {"type": "http", "method": "POST", "path": "/mkt/webhooks/social", "headers": headers}
        await app(scope, receive, send)
        status: int = sent[0]["status"]
        return status

    assert asyncio.run(endless()) == 408


def test_what_is_held_at_one_moment_is_bounded(app: Receiver, inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "MAX_HELD", 10)
    assert answer(app, Request()) == 503
    monkeypatch.setattr(receiving, "MAX_HELD", MAX_BODY)
    assert answer(app, Request()) == 200, "what was refused is not held any more"


def test_a_store_that_fails_is_answered_so_that_the_vendor_repeats(
    inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    class Full(Inbox):
        def add(self, deliveries: Any) -> int:
            raise StoreError(StoreFailure.FULL, "sqlite:///state.db")

    app = Receiver(Mailbox(Full()), Senders(SENDERS.get), clock=lambda: NOW)
    assert answer(app, Request()) == 503
    assert "has to come again" in caplog.text


@pytest.mark.slow
def test_a_thousand_at_once_are_stored_together(inbox: Inbox) -> None:
    commits: list[int] = []

    class Counting(Inbox):
        def add(self, deliveries: Any) -> int:
            commits.append(len(deliveries))
            return inbox.add(deliveries)

    app = Receiver(Mailbox(Counting()), Senders(SENDERS.get), clock=lambda: NOW)

    async def everything() -> list[int]:
        bodies = [json.dumps({**EVENT, "timestamp": number % 500}).encode() for number in range(1000)]
        return [status for status, _ in await asyncio.gather(*(Request(body=body).to(app) for body in bodies))]

    assert set(asyncio.run(everything())) == {200}
    assert len(inbox.find(limit=2000)) == 500
    assert sum(commits) == 1000
    assert len(commits) <= 20
