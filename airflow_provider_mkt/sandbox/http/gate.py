# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The way of every vendor request: log, fault, credentials, rate limit, body, idempotency, handler, answer."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Collection, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from airflow_provider_mkt.sandbox.engine.answer import Answer, json_answer
from airflow_provider_mkt.sandbox.engine.request_log import redact
from airflow_provider_mkt.sandbox.engine.vendor import Call, Vendor, VendorError, refusal
from airflow_provider_mkt.sandbox.http import payload
from airflow_provider_mkt.sandbox.http.fault_effects import (
    BREAKS_AFTER,
    BREAKS_BEFORE,
    Receive,
    Send,
    break_connection,
    deliver,
    instead,
    pause,
    spoil,
)
from airflow_provider_mkt.sandbox.http.origins import refusal_of
from airflow_provider_mkt.sandbox.http.protocol import TRANSPORT
from airflow_provider_mkt.sandbox.simulation import Simulation

Scope = MutableMapping[str, Any]

MAX_SHOWN = 256 * 1024
"""Bytes of the largest body that the request log keeps."""


@dataclass
class _Exchange:
    """One request on its way: who is asked, what is asked, and both ends of the connection."""

    vendor: Vendor
    call: Call
    entry: dict[str, Any]
    scope: Scope
    receive: Receive
    send: Send
    too_large: bool = False


class Gate:
    """ASGI middleware around the handlers.

    :param own: URLs or names under which clients reach the sandbox, besides this machine's address
    :param log_requests: print one line for each request: method, path without query, status, milliseconds
    """

    def __init__(
        self, app: Any, simulation: Simulation, *, own: Collection[str] = (), log_requests: bool = False
    ) -> None:
        self._app = app
        self._simulation = simulation
        self._world = simulation.world
        self._own = own
        self._log_requests = log_requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._simulation.vendor_at(scope["path"]) if scope["type"] == "http" else None
        if found is None:
            await self._open_route(scope, receive, send)
            return
        vendor, prefix = found
        call = _call(scope, prefix)
        entry = self._world.request_log.open(
            vendor.name, call.method, call.path, call.query, call.headers.items(), self._world.clock.now()
        )
        begun = time.monotonic()
        exchange = _Exchange(vendor, call, entry, scope, receive, send)
        try:
            most = payload.largest(vendor, call.method, call.route)
            call.body, exchange.too_large = await payload.read(receive, most)
        except payload.DisconnectedError:
            return
        entry["sha256"] = hashlib.sha256(call.body).hexdigest()
        await self._serve(exchange)
        if self._log_requests:
            _print(call, entry["status"], time.monotonic() - begun)

    async def _open_route(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what needs no credentials: the control routes and the page."""
        server = scope.get("server") or ("", None)
        reason = refusal_of(_headers(scope), server[0], self._own) if scope["type"] == "http" else None
        if reason is None:
            await self._app(scope, receive, send)
        else:
            await deliver(json_answer(403, {"error": reason}), None, None, receive, send)

    async def _serve(self, exchange: _Exchange) -> None:
        transport = exchange.scope.get(TRANSPORT)
        call = exchange.call
        fault = self._world.faults.draw(call.method, call.path, f"{call.idempotency_key} {call.fingerprint()}")
        answer = None
        if fault is not None:
            exchange.entry["fault"] = fault.kind
            await pause(fault, "before")
            if fault.kind in BREAKS_BEFORE and transport is not None:
                await break_connection(fault.kind, transport, exchange.receive)
                return
            answer = instead(fault, exchange.vendor, exchange.call)
        if answer is None:
            stream = _Relay(exchange.send if fault is None else None)
            answer = await self._process(exchange, stream)
            exchange.entry["body"] = _shown_body(exchange.call)
            if answer is None:
                exchange.entry["status"] = stream.status
                return
        if fault is not None:
            answer = spoil(fault, exchange.vendor, answer)
            await pause(fault, "after")
        if fault is None or fault.kind not in BREAKS_AFTER:
            exchange.entry["status"] = answer.status
        await deliver(answer, fault, transport, exchange.receive, exchange.send)

    async def _process(self, exchange: _Exchange, stream: _Relay) -> Answer | None:
        """Let the vendor answer. None means that the answer was streamed to the client already."""
        vendor, call = exchange.vendor, exchange.call
        try:
            call.caller = vendor.authenticate(call)
        except VendorError as error:
            return refusal(vendor, error).with_headers(self._rate_headers(vendor, call))
        names = [f"{vendor.name}.{name}" for name in vendor.buckets(call)]
        reading, accepted = self._world.limits.take(names, call.caller)
        extra = {} if reading is None else vendor.rate_headers(reading)
        if not accepted and reading is not None:
            return refusal(vendor, vendor.too_many(reading)).with_headers(extra)
        vendor.count_request(call)
        try:
            payload.judge(vendor, call, exchange.too_large)
        except VendorError as error:
            return refusal(vendor, error).with_headers(extra)
        stream.extra = extra
        answer = await self._handle(exchange, stream)
        return None if answer is None else answer.with_headers(extra)

    async def _handle(self, exchange: _Exchange, stream: _Relay) -> Answer | None:
        """Answer from memory where the Idempotency-Key is known, by the handler otherwise."""
        vendor, call = exchange.vendor, exchange.call
        if call.idempotency_key is None or not vendor.idempotent(call):
            return await self._run(exchange, stream)
        key = (vendor.name, call.caller, call.method, call.path, call.idempotency_key)
        fingerprint = call.fingerprint()
        async with self._world.replays.alone(key):
            known = self._world.replays.find(key)
            if known is None:
                answer = await self._run(exchange, stream)
                if answer is not None and answer.status < 300:
                    self._world.replays.keep(key, fingerprint, answer)
                return answer
        if known[0] == fingerprint:
            return known[1]
        vendor.record(call, "idempotency_conflict", call.idempotency_key)
        return refusal(vendor, VendorError(409, "This Idempotency-Key was used with another request body"))

    async def _run(self, exchange: _Exchange, stream: _Relay) -> Answer | None:
        handed_over = False

        async def replay() -> MutableMapping[str, Any]:
            nonlocal handed_over
            if handed_over:
                return await exchange.receive()
            handed_over = True
            return {"type": "http.request", "body": exchange.call.body, "more_body": False}

        inner = dict(exchange.scope)
        inner["sandbox.call"] = exchange.call
        inner["sandbox.vendor"] = exchange.vendor
        if exchange.vendor.any_media_type and exchange.call.json is not None:
            kept = [pair for pair in inner["headers"] if pair[0] != b"content-type"]
            inner["headers"] = [*kept, (b"content-type", b"application/json")]
        await self._app(inner, replay, stream)
        return stream.answer()

    def _rate_headers(self, vendor: Vendor, call: Call) -> dict[str, str]:
        """Rate headers of an answer that was charged to nobody."""
        for name in vendor.buckets(call):
            reading = self._world.limits.peek(f"{vendor.name}.{name}", call.caller)
            if reading is not None:
                return vendor.rate_headers(reading)
        return {}


class _Relay:
    """Collects an answer; a streamed one is passed on as it comes when there is somebody to pass it to."""

    def __init__(self, send: Send | None) -> None:
        self._send = send
        self._collected = Answer(0)
        self._streaming = False
        self.extra: dict[str, str] = {}

    @property
    def status(self) -> int:
        """The status of the answer."""
        return self._collected.status

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"]]
            kept = [pair for pair in headers if pair[0].lower() != "content-length"]
            self._collected = Answer(message["status"], kept)
            return
        if self._send is not None and not self._streaming and message.get("more_body"):
            self._streaming = True
            await self._send(self._collected.with_headers(self.extra).start(None))
        if self._streaming and self._send is not None:
            await self._send(message)
        else:
            self._collected.body += message.get("body", b"")

    def answer(self) -> Answer | None:
        """The collected answer, None when it was passed on."""
        return None if self._streaming else self._collected


def _shown_body(call: Call) -> Any:
    """The body for the request log, unless it would fill the memory."""
    if len(call.body) > MAX_SHOWN:
        return {"omitted_bytes": len(call.body)}
    return redact(call.json)


def _headers(scope: Scope) -> dict[str, str]:
    """Return the headers by lower-case name; one that is there twice has both values, as if it was one list."""
    found: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name = raw.decode("latin-1").lower()
        found[name] = f"{found[name]}, {value.decode('latin-1')}" if name in found else value.decode("latin-1")
    return found


def _call(scope: Scope, prefix: str) -> Call:
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    path = scope["path"]
    return Call(scope["method"], path, path[len(prefix) :] or "/", query, _headers(scope))


def _print(call: Call, status: int | None, seconds: float) -> None:
    shown = "/".join("<e-mail>" if "@" in segment else segment for segment in call.path.split("/"))
    printable = shown.encode("ascii", "backslashreplace").decode().replace("\n", "\\n").replace("\r", "\\r")
    print(call.method, printable, status or "closed", f"{seconds * 1000:.0f} ms", file=sys.stdout, flush=True)  # noqa: T201
