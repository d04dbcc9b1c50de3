# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The Airflow connections to a sandbox. All credentials are fixed and public: they open nothing but a sandbox."""

from __future__ import annotations

from typing import Any

from airflow_provider_mkt.sandbox.vendors.registry import VENDORS


def connections(base: str) -> dict[str, dict[str, Any]]:
    """Connections by id, in the form that ``airflow connections import`` reads.

    :param base: address of the sandbox, such as ``http://127.0.0.1:8095``
    """
    root = base.rstrip("/")
    given = {f"{vendor.name}_default": {"conn_type": vendor.name, **vendor.connection_to(root)} for vendor in VENDORS}
    # Airflow 3.3 cannot import an extra that is an empty object.
    return {conn_id: {name: value for name, value in fields.items() if value} for conn_id, fields in given.items()}
