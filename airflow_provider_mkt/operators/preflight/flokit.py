# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Can the integration be synced?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_mkt import validation
from airflow_provider_mkt.exceptions import NotFoundError
from airflow_provider_mkt.operators.preflight.findings import connected, meant
from airflow_provider_mkt.vendors import flokit

if TYPE_CHECKING:
    from airflow_provider_mkt.operators.preflight.findings import Findings


def integration(findings: Findings, conn_id: str, wanted: str) -> None:
    """Look whether FloKit has the integration, and whether it is connected."""
    from airflow_provider_mkt.hooks.flokit import FlokitHook

    hook = FlokitHook(conn_id)
    if not connected(findings, hook):
        return
    place = "integration"
    with findings.about(place):
        validation.text("integration_id", wanted)
        try:
            found = hook.get_integration(wanted)
        except NotFoundError:
            known = [str(row.get("id")) for row in hook.list_integrations()]
            findings.add(place, f"FloKit has no integration {wanted!r}{meant(wanted, known)}")
        else:
            if found["status"] == flokit.DISCONNECTED:
                findings.add(place, f"{wanted} is disconnected; connect it in FloKit's dashboard")
