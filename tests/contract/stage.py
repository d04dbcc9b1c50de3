# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Where the conformance tests play: the vendors, standing still, and one hook for each connection."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from airflow.sdk import Connection

from airflow_provider_mkt.sandbox.server import Sandbox
from tests.vendors import FACTS, HOOKS
from tests.vendors.case import Case, filled

STANDSTILL = 1e-4
"""Vendor seconds in one real second: nothing happens by itself."""


class Stage:
    """A sandbox of this module's own and one hook for each connection, none of which is ever paced."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._hooks: dict[tuple[str, str], Any] = {}

    def hook(self, vendor: str, connection: str = "") -> Any:
        if (vendor, connection) not in self._hooks:
            known = dict(self.sandbox.connections[f"{vendor}_default"])
            changes = dict(FACTS[vendor].connections[connection]) if connection else {}
            extra = {**(known.get("extra") or {}), **changes.pop("extra", {})}
            made = Connection(conn_id="x", **{**known, **changes, "extra": json.dumps(extra)})
            self._hooks[vendor, connection] = HOOKS[vendor]("x", connection=made)
        return self._hooks[vendor, connection]

    def call(self, vendor: str, case: Case, made: dict[str, str], **more: Any) -> Any:
        method = getattr(self.hook(vendor, case.connection), case.method)
        return method(*filled(case.args, made), **filled(case.kwargs, made), **more)

    def prepared(self, vendor: str, case: Case) -> dict[str, str]:
        """Make what the call needs; the tokens it needs are there as well."""
        hook = self.hook(vendor, case.connection)
        if case.endpoint.authenticated:
            hook.check()
        return case.given(hook, self.sandbox)

    def finish(self, result: Any) -> Any:
        return list(result) if isinstance(result, Iterator) else result

    def arrived(self, vendor: str, sends: str, since: int) -> list[dict[str, Any]]:
        """Return the log of requests to the route."""
        return [
            entry
            for entry in self.sandbox.requests(vendor, since=since)
            if f"{entry['method']} {entry['path']}" == sends
        ]

    @property
    def now(self) -> int:
        """The number of the last request."""
        return max((entry["seq"] for entry in self.sandbox.requests()), default=0)

    def effects(self, vendor: str) -> list[dict[str, Any]]:
        """Return the ledger without tokens, which calls of any kind may fetch."""
        return [entry for entry in self.sandbox.ledger(vendor) if entry["effect"] != "token.issued"]
