# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Facts about each vendor, without any I/O. A vendor of this package is registered here and nowhere else."""

from __future__ import annotations

from importlib import import_module

from airflow_provider_mkt.vendors.base import Vendor

REGISTERED = (
    "flinque",
    "flow_social",
    "flodesk",
    "flow_living",
    "flokit",
)
"""One line a vendor: the module's name here and in the other rooms, which is also the connection type."""

VENDORS: tuple[Vendor, ...] = tuple(import_module(f"{__name__}.{name}").VENDOR for name in REGISTERED)

ENTRY_POINTS = "airflow_provider_mkt.vendors"
"""Group of entry points by which other packages add vendors; each leads to a :class:`Vendor`."""


def installed_vendors() -> tuple[Vendor, ...]:
    """Return the vendors of this package and of all other packages that are installed."""
    from importlib.metadata import entry_points  # not needed to read a DAG

    return (*VENDORS, *(entry.load() for entry in entry_points(group=ENTRY_POINTS)))
