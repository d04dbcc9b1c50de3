# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The Airflow connections to a sandbox. All credentials are fixed and public: they open nothing but a sandbox."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_provider_mkt.sandbox.engine.vendor import Vendor
from airflow_provider_mkt.sandbox.vendors.registry import VENDORS


def connections(base: str, vendor_types: Iterable[type[Vendor]] = VENDORS) -> dict[str, dict[str, Any]]:
    """Connections by id, in the form that ``airflow connections import`` reads.

    :param base: address of the sandbox, such as ``http://127.0.0.1:8095``
    :param vendor_types: the simulated vendors
    """
    root = base.rstrip("/")
    given = {f"{kind.name}_default": {"conn_type": kind.name, **kind.connection_to(root)} for kind in vendor_types}
    # Airflow 3.3 cannot import an extra that is an empty object.
    return {conn_id: {name: value for name, value in fields.items() if value} for conn_id, fields in given.items()}
