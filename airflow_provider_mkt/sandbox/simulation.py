# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One sandbox: a world, and the simulated vendors in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from airflow_provider_mkt.sandbox.engine.outbox import target_of
from airflow_provider_mkt.sandbox.engine.vendor import Vendor
from airflow_provider_mkt.sandbox.engine.world import World
from airflow_provider_mkt.sandbox.vendors.registry import VENDORS


class Simulation:
    """The vendors and what they share.

    :param speed: vendor seconds in one real second
    :param vendor_types: the vendors' classes
    :param switches: assumed facts that differ from the start, by full name; a reset returns to these
    :param webhooks_to: scheme, host and port to which all webhooks go, whatever their address; None: only webhooks for
        this machine are sent
    :param real: what gives real time (Unix seconds); by default this machine's clock
    :raises ValueError: unknown switch, or a value of the wrong type
    """

    def __init__(
        self,
        speed: float = 1.0,
        *,
        vendor_types: Iterable[type[Vendor]] = VENDORS,
        switches: Mapping[str, Any] | None = None,
        webhooks_to: str | None = None,
        real: Callable[[], float] | None = None,
    ) -> None:
        self.vendor_types = tuple(vendor_types)
        limits = {f"{kind.name}.{name}": limit for kind in self.vendor_types for name, limit in kind.limits.items()}
        known = {f"{kind.name}.{name}": switch for kind in self.vendor_types for name, switch in kind.switches.items()}
        self._switches = dict(switches or {})
        self.world = World(speed, limits, known, real)
        self.world.outbox.first_target = target_of(webhooks_to)
        self.reset()

    def reset(self) -> None:
        """Back to the first moment: seed data, no faults, first switches and limits, empty ledger and log."""
        self.world.reset()
        self.world.switches.set(self._switches)
        self.vendors: dict[str, Vendor] = {kind.name: kind(self.world) for kind in self.vendor_types}

    def look(self) -> None:
        """Post the webhooks of what has happened by itself."""
        for vendor in self.vendors.values():
            if vendor.listened_to:
                vendor.look()

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
