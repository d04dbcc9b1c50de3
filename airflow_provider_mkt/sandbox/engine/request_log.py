# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The request log: what arrived, what was answered, which fault was applied. Secrets appear as short digests."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from airflow_provider_mkt.sandbox.engine.clock import iso
from airflow_provider_mkt.sandbox.engine.ledger import digest

CAPACITY = 20_000
SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "flow-api-user-secret"})
SECRET_FIELDS = frozenset(
    {
        "accesstoken",
        "access_token",
        "apikey",
        "api_key",
        "client_secret",
        "code",
        "design_token",
        "password",
        "refresh_token",
        "secret",
        "token",
    }
)


def _is_secret(name: str) -> bool:
    return name.lower() in SECRET_FIELDS


def redact(value: Any) -> Any:
    """A copy of parsed JSON in which the value of every secret field is a digest."""
    if isinstance(value, dict):
        return {
            key: digest(str(item)) if _is_secret(key) and item is not None else redact(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [redact(item) for item in value]
    return value


class RequestLog:
    """Bounded request log; the oldest entries fall out."""

    def __init__(self) -> None:
        self._entries: deque[dict[str, Any]] = deque(maxlen=CAPACITY)
        self._sequence = 0

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._sequence = 0

    @property
    def latest(self) -> int:
        """``seq`` of the latest entry; 0 when there is none."""
        return self._sequence

    def open(  # noqa: PLR0917 - one argument for each column
        self,
        vendor: str,
        method: str,
        path: str,
        query: Iterable[tuple[str, str]],
        headers: Iterable[tuple[str, str]],
        at: float,
    ) -> dict[str, Any]:
        """Write down a request when it arrives; status, body, its digest and fault follow in the returned entry."""
        self._sequence += 1
        entry: dict[str, Any] = {
            "seq": self._sequence,
            "at": iso(at),
            "vendor": vendor,
            "method": method,
            "path": path,
            "query": {key: digest(value) if _is_secret(key) else value for key, value in query},
            "headers": {key: digest(value) if key in SECRET_HEADERS else value for key, value in headers},
            "body": None,
            "sha256": None,
            "status": None,
            "fault": None,
        }
        self._entries.append(entry)
        return entry

    def entries(self, vendor: str | None = None, since: int = 0) -> list[dict[str, Any]]:
        """Entries of ``vendor`` (all when None) whose ``seq`` is greater than ``since``."""
        return [
            entry for entry in self._entries if entry["seq"] > since and (vendor is None or entry["vendor"] == vendor)
        ]
