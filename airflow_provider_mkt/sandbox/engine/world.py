# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Everything the sandbox remembers, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_mkt.sandbox.engine.clock import Clock
from airflow_provider_mkt.sandbox.engine.faults import Faults
from airflow_provider_mkt.sandbox.engine.forced_outcomes import Outcomes
from airflow_provider_mkt.sandbox.engine.idempotency import Replays
from airflow_provider_mkt.sandbox.engine.ledger import Ledger
from airflow_provider_mkt.sandbox.engine.limits import RateLimits
from airflow_provider_mkt.sandbox.engine.request_log import Journal
from airflow_provider_mkt.sandbox.engine.switches import Switches
from airflow_provider_mkt.sandbox.engine.vendor import Vendor
from airflow_provider_mkt.sandbox.vendors.registry import VENDORS


class World:
    """State of one sandbox.

    :param speed: vendor seconds in one real second
    """

    def __init__(self, speed: float = 1.0) -> None:
        self.clock = Clock(speed)
        self.ledger = Ledger()
        self.journal = Journal()
        self.faults = Faults()
        self.outcomes = Outcomes()
        self.replays = Replays(self.clock.shelf)
        self.switches = Switches(
            {f"{vendor.name}.{name}": switch for vendor in VENDORS for name, switch in vendor.switches.items()}
        )
        self.limits = RateLimits(
            {f"{vendor.name}.{name}": limit for vendor in VENDORS for name, limit in vendor.limits.items()}
        )
        self.vendors: dict[str, Vendor] = {vendor.name: vendor(self) for vendor in VENDORS}

    @staticmethod
    def vendor_types() -> tuple[type[Vendor], ...]:
        """The simulated vendors, in the order of the registry."""
        return VENDORS

    def reset(self) -> None:
        """Back to the first moment: seed data, no faults, default switches and limits, empty ledger and log."""
        self.clock.reset()
        for part in (self.ledger, self.journal, self.faults, self.outcomes, self.replays):
            part.clear()
        self.switches.reset()
        self.limits.reset()
        self.vendors = {vendor.name: vendor(self) for vendor in VENDORS}

    def vendor_at(self, path: str) -> tuple[Vendor, str] | None:
        """The vendor that owns a path, and the prefix by which it does."""
        for vendor in self.vendors.values():
            for prefix in vendor.prefixes:
                if path == prefix or path.startswith(prefix + "/"):
                    return vendor, prefix
        return None

    def bulk_seed(self, wanted: Mapping[str, Any]) -> None:
        """Add data in bulk, by vendor.

        :raises ValueError: unknown vendor or kind of data
        """
        for name, kinds in wanted.items():
            if name not in self.vendors or not isinstance(kinds, dict):
                raise ValueError(f"expected an object for one of {', '.join(self.vendors)}")
            self.vendors[name].bulk_seed(kinds)
