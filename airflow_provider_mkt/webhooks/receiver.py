# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The receiver: an ASGI app that stores what vendors deliver, and answers only after that.

=======  ======================================================================================
answer   when
=======  ======================================================================================
200      the delivery is stored, now or by an earlier attempt
400      the proof fits, the body does not
401      no signature, or one that does not fit
404      no such address: also an unknown connection, one without a proof, and a wrong token
405      not POST
408      the body takes too long
413      the body is larger than 1 MB
415      no JSON, or compressed
503      the store or Airflow does not answer, or there is too much at once: the vendor sends again
=======  ======================================================================================

An answer says nothing beyond its status. What is wrong is in the log, without the body, the token and the signature.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from airflow_provider_mkt.clock import now
from airflow_provider_mkt.exceptions import ApiError, ValidationError
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.webhooks.mailbox import Mailbox
from airflow_provider_mkt.webhooks.reading import read
from airflow_provider_mkt.webhooks.senders import Sender, Senders
from airflow_provider_mkt.webhooks.signature import has_token, is_signed

log = logging.getLogger(__name__)

PREFIX = "/mkt"
ADDRESS = re.compile(r"(?:.*)/webhooks/(?P<conn_id>[A-Za-z0-9_.-]{1,200})(?:/(?P<token>[A-Za-z0-9._~-]{1,500}))?")
HIDDEN = "***"
MAX_BODY = 1024 * 1024
MAX_HELD = 64 * MAX_BODY
"""Bytes of bodies that are held at one moment; what comes beyond that is to be sent again."""
BODY_PATIENCE = 10.0
"""Seconds for a body to arrive."""
LOOK_AGAIN = 0.25
"""Seconds after which the secrets are looked up once more for a delivery that seems forged: its secret may be new."""
JSON = ("application/json", "text/json")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class RefusedError(Exception):
    """A delivery that is not taken.

    :param status: the answer
    :param reason: for the log
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Receiver:
    """The ASGI app.

    :param mailbox: stores deliveries
    :param senders: knows who may deliver
    :param clock: Unix time
    """

    def __init__(
        self,
        mailbox: Mailbox | None = None,
        senders: Senders | None = None,
        clock: Callable[[], float] = now,
    ) -> None:
        self._mailbox = mailbox or Mailbox()
        self._senders = senders or Senders()
        self._clock = clock
        self._held = 0
        self._looks: dict[str, asyncio.Task[Sender | None]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise RuntimeError(f"the receiver does not speak {scope['type']}")
        found = ADDRESS.fullmatch(scope["path"])
        if found and found["token"]:
            # Whoever writes an access log reads the path from here, after the answer.
            scope["path"] = scope["path"].removesuffix(found["token"]) + HIDDEN
            scope["raw_path"] = scope["path"].encode()
        conn_id = found["conn_id"] if found else ""
        status = 200
        try:
            if not found:
                raise RefusedError(404, "no such address")
            await self._take(scope, receive, conn_id, found["token"] or "")
        except RefusedError as refused:
            status = refused.status
            log.warning("A delivery for connection %r was answered with %d: %s.", conn_id, status, refused)
        except StoreError as error:
            status = 503
            log.warning("A delivery for connection %r could not be stored; it has to come again: %s", conn_id, error)
        await _answer(send, status)

    async def _take(self, scope: Scope, receive: Receive, conn_id: str, token: str) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        _check_headers(scope["method"], headers)
        try:
            sender = _admitted(await self._sender(conn_id), token)
        except RefusedError:
            sender = _admitted(await self._newer_sender(conn_id), token)
        signature = sender.facts.signature
        if signature and signature.header.lower() not in headers:
            raise RefusedError(401, "the signature is missing")
        try:
            body = await asyncio.wait_for(self._body(receive), BODY_PATIENCE)
        except asyncio.TimeoutError:
            raise RefusedError(408, f"the body took longer than {BODY_PATIENCE:.0f} s") from None
        now = self._clock()
        try:
            _check_signature(sender, headers, body, now)
        except RefusedError:
            sender = _admitted(await self._newer_sender(conn_id), token)
            _check_signature(sender, headers, body, now)
        try:
            delivery = read(sender.facts, body, account=sender.account, conn_id=conn_id, now=now)
        except ValidationError as error:
            raise RefusedError(400, str(error).rstrip(".")) from None
        new = await self._mailbox.put(delivery)
        log.info("Received %s for connection %r%s.", delivery.event, conn_id, "" if new else " once more")

    async def _sender(self, conn_id: str) -> Sender | None:
        sender, known = self._senders.recent(conn_id)
        return sender if known else await self._look_up(conn_id)

    async def _newer_sender(self, conn_id: str) -> Sender | None:
        """Look it up later than now, once for all that ask meanwhile: many forged deliveries cost one look."""
        if conn_id not in self._looks:
            self._looks[conn_id] = asyncio.create_task(self._look_later(conn_id))
        return await asyncio.shield(self._looks[conn_id])

    async def _look_later(self, conn_id: str) -> Sender | None:
        await asyncio.sleep(LOOK_AGAIN)
        del self._looks[conn_id]
        return await self._look_up(conn_id)

    async def _look_up(self, conn_id: str) -> Sender | None:
        try:
            return await asyncio.to_thread(self._senders.look_up, conn_id)
        except ApiError as error:
            raise RefusedError(503, f"the connection could not be read: {error}") from None

    async def _body(self, receive: Receive) -> bytes:
        """Return the body. It counts as held until it is there, so that slow senders cannot fill the memory."""
        parts: list[bytes] = []
        size = 0
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise RefusedError(400, "the vendor hung up")
                part = message.get("body", b"")
                size += len(part)
                self._held += len(part)
                parts.append(part)
                if size > MAX_BODY:
                    raise RefusedError(413, f"the body is larger than {MAX_BODY} bytes")
                if self._held > MAX_HELD:
                    raise RefusedError(503, "too much is delivered at once")
                if not message.get("more_body"):
                    return b"".join(parts)
        finally:
            self._held -= size


def _check_headers(method: str, headers: dict[str, str]) -> None:
    if method != "POST":
        raise RefusedError(405, f"{method} instead of POST")
    if headers.get("content-type", "").partition(";")[0].strip().lower() not in JSON:
        raise RefusedError(415, "the content type is not JSON")
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise RefusedError(415, "the body is compressed")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()) or len(length) > 12 or int(length) > MAX_BODY:
        raise RefusedError(413, f"the body is larger than {MAX_BODY} bytes")


def _admitted(sender: Sender | None, token: str) -> Sender:
    """Return the sender, if it may deliver to the address with this token, "" for none."""
    if sender is None:
        raise RefusedError(404, "nobody may deliver to this connection: it is unknown, or has no secret or token")
    if sender.facts.signed is bool(token):
        raise RefusedError(404, "signed deliveries have no token in the address" if token else "the token is missing")
    if token and not has_token(token, sender.proofs):
        raise RefusedError(404, "the token is wrong")
    return sender


def _check_signature(sender: Sender, headers: Mapping[str, str], body: bytes, now: float) -> None:
    signature = sender.facts.signature
    if signature and not is_signed(signature, headers.get(signature.header.lower(), ""), body, sender.proofs, now):
        raise RefusedError(401, "the signature does not fit, or its time is too far from this machine's")


async def _answer(send: Send, status: int) -> None:
    headers = [(b"content-length", b"0"), (b"cache-control", b"no-store")]
    if status == 503:
        headers.append((b"retry-after", b"5"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
