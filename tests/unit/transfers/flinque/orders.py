# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A vendor with orders, and runs of the export."""

from __future__ import annotations

from tests.unit.transfers.exporting import Vendor, order


def add(vendor: Vendor, *numbers: int) -> None:
    vendor.orders += [order(number) for number in numbers]
