# Licensed under the Apache License, Version 2.0; see LICENSE.
"""How each kind of fault is carried out on the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate
from typing import Any

from airflow_provider_mkt.sandbox.engine.answer import BODILESS, Answer
from airflow_provider_mkt.sandbox.engine.faults import Fault
from airflow_provider_mkt.sandbox.engine.limits import Reading
from airflow_provider_mkt.sandbox.engine.vendor import MEGABYTE, Call, Vendor, VendorError, refusal
from airflow_provider_mkt.sandbox.http import protocol

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BREAKS_BEFORE = frozenset({"drop_before", "reset_before"})
BREAKS_AFTER = frozenset({"drop_after", "reset_after"})
HTML = b"<!DOCTYPE html><html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
_MESSAGES = {400: "Bad request", 401: "Unauthorized", 403: "Forbidden", 404: "Not found", 500: "Internal server error"}


async def break_connection(kind: str, transport: asyncio.Transport, receive: Receive) -> None:
    """Close or reset the connection and wait until the server has noticed, so that it sends nothing more."""
    if kind.startswith("reset"):
        protocol.reset(transport)
    else:
        protocol.close(transport)
    await _gone(receive)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def pause(fault: Fault, moment: str) -> None:
    """Wait, for a delay that is due at this moment (``before`` or ``after`` processing)."""
    if fault.kind == "delay" and fault.parameters.get("when", "before") == moment:
        await asyncio.sleep(float(fault.parameters.get("seconds", 1)))


def instead(fault: Fault, vendor: Vendor, call: Call) -> Answer | None:
    """The answer that takes the place of processing, or None when the request is to be processed."""
    options = fault.parameters
    if options.get("processed"):
        return None
    if fault.kind == "expired_token":
        return refusal(vendor, vendor.expire(call))
    if fault.kind == "rate_limit":
        return _rate_limit(vendor, call, options)
    if fault.kind == "redirect":
        location = str(options.get("location", f"/elsewhere{call.path}"))
        return Answer(int(options.get("status", 307)), [("location", location)])
    if fault.kind in ("status", "html"):
        return _replacement(fault, vendor)
    return None


def _replacement(fault: Fault, vendor: Vendor) -> Answer:
    options = fault.parameters
    if fault.kind == "html":
        return Answer(int(options.get("status", 502)), [("content-type", "text/html; charset=utf-8")], HTML)
    status = int(options["status"])
    answer = refusal(vendor, VendorError(status, str(options.get("message", _MESSAGES.get(status, "Sandbox fault")))))
    if "body" in options:
        body = options["body"]
        answer = answer.with_body(
            body.encode() if isinstance(body, str) else json.dumps(body).encode(),
            "text/plain; charset=utf-8" if isinstance(body, str) else "application/json",
        )
    extra = {str(name): str(value) for name, value in dict(options.get("headers") or {}).items()}
    if "retry_after" in options:
        extra["Retry-After"] = str(options["retry_after"])
    return answer.with_headers(extra)


def _rate_limit(vendor: Vendor, call: Call, options: dict[str, Any]) -> Answer:
    asked = options.get("retry_after", 1)
    seconds = float(asked) if isinstance(asked, int | float) else float(options.get("seconds", 2))
    # The limit that is told stays the true one; only what is left of it is a lie.
    sizes = [vendor.world.limits.limits[f"{vendor.name}.{name}"].limit for name in vendor.buckets(call)]
    size = min((size for size in sizes if size is not None), default=60)
    reading = Reading(limit=size, remaining=0, reset=seconds, wait=seconds)
    error = vendor.too_many(reading)
    if "retry_after" in options:
        error.headers.pop("Retry-After", None)
        if asked is None:
            error.facts.pop("retry_after", None)
        else:
            error.headers["Retry-After"] = (
                formatdate(vendor.world.clock.now() + seconds, usegmt=True) if asked == "http-date" else f"{asked}"
            )
    return refusal(vendor, error).with_headers(vendor.rate_headers(reading))


def spoil(fault: Fault, vendor: Vendor, answer: Answer) -> Answer:
    """The answer of a processed request, spoiled where the fault spoils content."""
    options = fault.parameters
    if fault.kind in ("status", "html") and options.get("processed"):
        return _replacement(fault, vendor)
    if fault.kind == "truncate":
        return Answer(answer.status, answer.headers, answer.body[: len(answer.body) // 2])
    if fault.kind == "malformed":
        return answer.with_body(b'{"data": [not json, ')
    if fault.kind == "empty":
        return Answer(answer.status, answer.headers)
    if fault.kind == "wrong_types":
        return answer.with_body(json.dumps(_wrong(answer.body, options)).encode())
    return answer


def _wrong(body: bytes, options: dict[str, Any]) -> Any:
    if "value" in options:
        return options["value"]
    try:
        content = json.loads(body)
    except ValueError:
        return 42
    if isinstance(content, dict):
        if not options.get("inner"):
            return ["unexpected"]
        return {key: 42 if isinstance(value, str | list | dict) else ["unexpected"] for key, value in content.items()}
    return 42


async def deliver(
    answer: Answer, fault: Fault | None, transport: asyncio.Transport | None, receive: Receive, send: Send
) -> None:
    """Send an answer, whole or in the way of the fault."""
    if answer.status in BODILESS:
        answer = answer.bare()
    kind = fault.kind if fault else ""
    options = fault.parameters if fault else {}
    if transport is not None and kind in BREAKS_AFTER:
        await break_connection(kind, transport, receive)
    elif transport is not None and kind == "drop_mid":
        await send(answer.start(max(len(answer.body), 2)))
        await send({"type": "http.response.body", "body": answer.body[: len(answer.body) // 2], "more_body": True})
        await break_connection(kind, transport, receive)
    elif kind == "huge":
        await _flood(answer, options, transport, send)
    elif kind == "slow_body":
        await _trickle(answer, options, send)
    else:
        await send(answer.start(len(answer.body)))
        await send({"type": "http.response.body", "body": answer.body, "more_body": False})


async def _flood(answer: Answer, options: dict[str, Any], transport: asyncio.Transport | None, send: Send) -> None:
    await send(answer.with_body(b"").start(None))
    await send({"type": "http.response.body", "body": b'{"data": ["', "more_body": True})
    piece, left = b"x" * (MEGABYTE // 16), float(options.get("megabytes", 50)) * 16
    while (options.get("endless") or left >= 1) and not (transport is not None and transport.is_closing()):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        await asyncio.sleep(0)
        left -= 1
    await send({"type": "http.response.body", "body": b'"]}', "more_body": False})


async def _trickle(answer: Answer, options: dict[str, Any], send: Send) -> None:
    pieces = min(int(options.get("pieces", 10)), max(len(answer.body), 1))
    size = -(-max(len(answer.body), 1) // pieces)
    await send(answer.start(len(answer.body)))
    for begin in range(0, max(len(answer.body), 1), size):
        await asyncio.sleep(float(options.get("seconds", 5)) / pieces)
        await send({"type": "http.response.body", "body": answer.body[begin : begin + size], "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
