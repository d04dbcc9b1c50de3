# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Reading and judging a request's body before any handler sees it."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NoReturn

from airflow_provider_mkt.sandbox.engine.vendor import MEGABYTE, Call, Vendor, VendorError

DEEPEST = 32
"""Deepest nesting of a JSON body."""


class DisconnectedError(Exception):
    """The client went away before its request was complete."""


async def read(receive: Callable[[], Awaitable[MutableMapping[str, Any]]], most: int) -> tuple[bytes, bool]:
    """The whole body, and whether it is larger than ``most`` bytes (then the rest is read and thrown away).

    :raises DisconnectedError: the client closed the connection meanwhile
    """
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise DisconnectedError
        piece = message.get("body", b"")
        size += len(piece)
        if size <= most:
            pieces.append(piece)
        if not message.get("more_body", False):
            return b"".join(pieces), size > most


def judge(vendor: Vendor, call: Call, too_large: bool) -> None:
    """Parse the body of a call into ``call.json`` unless its route takes another format.

    :raises VendorError: 413 for one too large, 400 for a media type other than JSON and for anything but plain JSON
    """
    if too_large:
        raise VendorError(413, "Request body is too large")
    if not call.body or call.method in ("GET", "HEAD") or (call.method, call.route) in vendor.raw_bodies:
        return
    media_type = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not vendor.any_media_type and media_type != "application/json":
        raise VendorError(400, "Content-Type must be application/json")
    try:
        content = json.loads(call.body, parse_constant=_refuse)
        _check(content)
    except (ValueError, RecursionError):
        raise VendorError(400, "Request body is not valid JSON") from None
    call.json = content


def largest(vendor: Vendor, method: str, route: str) -> int:
    """The largest accepted body in bytes."""
    return vendor.raw_bodies.get((method, route), MEGABYTE)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _check(content: Any) -> None:
    """Refuse what no handler can store or repeat: endless nesting, infinite numbers, broken Unicode."""
    level = [content]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item)
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
            elif isinstance(item, str):
                item.encode()
            elif isinstance(item, float) and not math.isfinite(item):
                raise ValueError("number out of range")
        if not below:
            return
        level = below
    raise ValueError("nested too deeply")
