# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Where the conformance tests play: the vendors, standing still, and one hook for each connection."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from airflow.sdk import Connection

from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.hooks.flokit import FlokitHook
from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.sandbox.vendors.flodesk.tokens import CLIENT_ID, CLIENT_SECRET, FIRST_REFRESH_TOKEN
from airflow_provider_mkt.vendors import flinque, flodesk, flokit, flow_living, flow_social
from tests.contract.conformance import flinque as flinque_table
from tests.contract.conformance import flodesk as flodesk_table
from tests.contract.conformance import flokit as flokit_table
from tests.contract.conformance import flow_living as flow_living_table
from tests.contract.conformance import flow_social as flow_social_table
from tests.contract.conformance.case import Case, filled

STANDSTILL = 1e-4
"""Vendor seconds in one real second: nothing happens by itself."""

VENDORS: dict[str, tuple[type[MarketingHook], ModuleType, tuple[Case, ...]]] = {
    "flinque": (FlinqueHook, flinque, flinque_table.CASES),
    "flow_social": (FlowSocialHook, flow_social, flow_social_table.CASES),
    "flodesk": (FlodeskHook, flodesk, flodesk_table.CASES),
    "flow_living": (FlowLivingHook, flow_living, flow_living_table.CASES),
    "flokit": (FlokitHook, flokit, flokit_table.CASES),
}


class Stage:
    """A sandbox of this module's own and one hook for each connection, none of which is ever paced."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._hooks: dict[tuple[str, str], Any] = {}

    def hook(self, vendor: str, connection: str = "") -> Any:
        if (vendor, connection) not in self._hooks:
            known = dict(self.sandbox.connections[f"{vendor}_default"])
            extra = dict(known.get("extra") or {})
            if connection:
                known.update(login=CLIENT_ID, password=CLIENT_SECRET)
            if connection == "oauth":
                extra["refresh_token"] = FIRST_REFRESH_TOKEN
            made = Connection(conn_id="x", **{**known, "extra": json.dumps(extra)})
            self._hooks[vendor, connection] = VENDORS[vendor][0]("x", connection=made)
        return self._hooks[vendor, connection]

    def call(self, vendor: str, case: Case, made: dict[str, str], **more: Any) -> Any:
        method = getattr(self.hook(vendor, case.connection), case.method)
        return method(*filled(case.args, made), **filled(case.kwargs, made), **more)

    def prepared(self, vendor: str, case: Case) -> dict[str, str]:
        """Make what the call needs; the tokens it needs are there as well."""
        hook = self.hook(vendor, case.connection)
        if case.connection != "first_consent":
            hook.check()
        if case.endpoint is flow_living.PROCESS_LISTING:
            hook.process_listing({"home_listing_id": "first"})
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
