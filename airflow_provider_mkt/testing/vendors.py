# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The simulated vendors as a test has them: faults by one line, outages, what really happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.testing.movable_clock import MovableClock


class Vendors:
    """The five vendors, simulated, on the test's clock.

    :param sandbox: what simulates them; it runs
    :param clock: the test's clock
    """

    def __init__(self, sandbox: Sandbox, clock: MovableClock) -> None:
        self.sandbox, self._clock = sandbox, clock
        self._paths = {
            str(each["conn_type"]): urlsplit(str(each["host"])).path for each in sandbox.connections.values()
        }

    def __repr__(self) -> str:
        return f"<Vendors at {self.url}>"

    @property
    def url(self) -> str:
        """The address, with a page that shows what happened."""
        return self.sandbox.url

    @property
    def connections(self) -> dict[str, dict[str, Any]]:
        """The Airflow connections to the vendors, by id."""
        return self.sandbox.connections

    def seed(self, **kinds: Mapping[str, Any]) -> None:
        """Add data in bulk: ``seed(flinque={"attribution_orders": 1000})``."""
        self.sandbox.seed(**kinds)

    def fault(self, vendor: str, route: str, kind: str, **parameters: Any) -> None:
        """Have something go wrong: ``fault("flinque", "POST /campaigns", "drop-after")``.

        :param vendor: type of the connection
        :param route: method and path as the vendor's document has them; ``*`` stands for anything
        :param kind: one of the sandbox's faults, such as ``status``, ``drop-before``, ``drop-after``, ``rate-limit``
        :param parameters: of the fault; ``count`` says how many requests it hits, by default 1, None for all
        :raises ValueError: when there is no such vendor, route, kind or parameter
        """
        self._order(vendor, route, kind, parameters)

    def outage(self, vendor: str, lasts: timedelta | float, status: int = 503) -> None:
        """Have a vendor refuse everything for a while, from now on.

        :param vendor: type of the connection
        :param lasts: for how long, on the test's clock; a number means seconds
        :param status: HTTP status of its answers
        :raises ValueError: when there is no such vendor
        """
        lasts = lasts if isinstance(lasts, timedelta) else timedelta(seconds=lasts)
        number = self._order(vendor, "* /*", "status", {"status": status, "count": None})
        self._clock.at(self._clock.utcnow() + lasts, lambda: self.sandbox.order("DELETE", f"faults/{number}"))

    @contextmanager
    def down(self, vendor: str, status: int = 503) -> Iterator[None]:
        """Have a vendor refuse everything for as long as the ``with`` block lasts."""
        number = self._order(vendor, "* /*", "status", {"status": status, "count": None})
        yield
        self.sandbox.order("DELETE", f"faults/{number}")

    def outcome(self, vendor: str, outcome: str, **options: Any) -> None:
        """Force how the next matching object ends: ``outcome("flow_living", "failed")``."""
        self.sandbox.outcome(vendor, outcome, **options)

    def ledger(self, vendor: str | None = None, effect: str | None = None) -> list[dict[str, Any]]:
        """What really happened at the vendors, in order.

        :param vendor: only this one's
        :param effect: only this kind, such as ``campaign.published``
        """
        return self.sandbox.ledger(vendor, effect)

    def requests(self, vendor: str | None = None) -> list[dict[str, Any]]:
        """The log of all requests, also of those that were refused."""
        return self.sandbox.requests(vendor)

    def _order(self, vendor: str, route: str, kind: str, parameters: Mapping[str, Any]) -> int:
        if vendor not in self._paths:
            raise ValueError(f"there is no vendor {vendor!r}; there are {', '.join(sorted(self._paths))}")
        method, _, path = route.partition(" ")
        below = self._paths[vendor]
        try:
            return self.sandbox.fault(f"{method} {below}{path.strip()}", kind.replace("-", "_"), **parameters)
        except HTTPError as error:
            # With paths as they are given here, below the vendor's address.
            raise ValueError(error.msg.replace(f" {below}/", " /")) from None


class Happened:
    """What happens at the vendors from now on.

    :param vendors: the simulated vendors
    """

    def __init__(self, vendors: Vendors) -> None:
        self._sandbox = vendors.sandbox
        self._effects, self._requests = self._sandbox.latest()

    def ledger(self) -> list[dict[str, Any]]:
        """What really happened since, in order."""
        return self._sandbox.ledger(since=self._effects)

    def requests(self) -> list[dict[str, Any]]:
        """The requests since, also those that were refused."""
        return self._sandbox.requests(since=self._requests)
