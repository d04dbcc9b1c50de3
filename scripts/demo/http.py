# Licensed under the Apache License, Version 2.0; see LICENSE.
"""JSON over HTTP with the standard library: what the demo says was done does not depend on the code that did it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

TIMEOUT_SECONDS = 20.0

# Everything runs on this machine: never through a proxy.
_opener = build_opener(ProxyHandler({}))


class HttpStatusError(Exception):
    """The server answered with an error.

    :param status: HTTP status
    :param text: the start of the body
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"HTTP {status}: {text}")
        self.status = status
        self.text = text


class UnreachableError(Exception):
    """Nobody answered."""


def call(
    method: str,
    url: str,
    *,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    body: Any = None,
    timeout: float = TIMEOUT_SECONDS,
) -> Any:
    """Send one request and return the parsed answer, None for an empty one.

    :param timeout: seconds of silence after which it is given up
    :raises HttpStatusError: an answer of 400 or above
    :raises UnreachableError: no answer, or one that is no JSON
    """
    full = f"{url}?{urlencode(query)}" if query else url
    data = None if body is None else json.dumps(body).encode()
    request = Request(  # noqa: S310 - addresses are put together by this package, always http://127.0.0.1
        full, data=data, method=method, headers={"Content-Type": "application/json", **(headers or {})}
    )
    try:
        with _opener.open(request, timeout=timeout) as response:
            payload = response.read()
            return json.loads(payload) if payload.strip() else None
    except HTTPError as error:
        raise HttpStatusError(error.code, error.read(600).decode(errors="replace")) from error
    except (URLError, OSError, ValueError) as error:
        # The address is left out: for one vendor it carries the key in its query.
        raise UnreachableError(f"no answer from {url}: {type(error).__name__}") from error
