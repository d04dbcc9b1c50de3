# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the tests know of each vendor: a module or a package each, whose ``FACTS`` all tables are made of."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from airflow_provider_mkt.client.endpoint import Endpoint
from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.vendors import VENDORS
from airflow_provider_mkt.vendors.base import Vendor
from tests.vendors.facts import Facts

FACTS: dict[str, Facts] = {
    vendor.conn_type: import_module(f"{__name__}.{vendor.conn_type}").FACTS for vendor in VENDORS
}
"""By connection type, in the order of the registry."""

HOOKS: dict[str, type[MarketingHook]] = {
    vendor.conn_type: getattr(import_module(f"{vendor.package}.hooks.{vendor.conn_type}"), vendor.hook)
    for vendor in VENDORS
}
TABLES: dict[str, ModuleType] = {
    vendor.conn_type: import_module(f"{vendor.package}.vendors.{vendor.conn_type}") for vendor in VENDORS
}
"""The package's own modules with the vendors' endpoints."""


def endpoints(vendor: str) -> Iterator[tuple[str, Endpoint]]:
    """Yield the package's endpoints of a vendor, by name."""
    for name, value in vars(TABLES[vendor]).items():
        if isinstance(value, Endpoint):
            yield name, value


def task_classes(vendor: Vendor) -> dict[str, type[Any]]:
    """Return a vendor's operators, sensors and transfers by name, from where users import them."""
    found = {}
    for room in ("operators", "sensors", "transfers"):
        path = f"{vendor.package}.{room}.{vendor.conn_type}"
        if find_spec(path) is not None:
            names = vars(import_module(path)).items()
            found |= {name: value for name, value in names if isinstance(value, type) and _is_of(value, path)}
    return found


def _is_of(value: type, path: str) -> bool:
    own = value.__module__ == path or value.__module__.startswith(f"{path}.")
    return own and value.__name__.endswith(("Operator", "Sensor"))
