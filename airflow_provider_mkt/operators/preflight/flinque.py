# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Can the report be generated?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt import validation
from airflow_provider_mkt.exceptions import NotFoundError
from airflow_provider_mkt.operators.preflight.findings import connected
from airflow_provider_mkt.vendors import flinque

if TYPE_CHECKING:
    from airflow_provider_mkt.operators.preflight.findings import Findings


def report(findings: Findings, conn_id: str, wanted: Mapping[str, Any]) -> None:
    """Check the report's form and type, and look whether Flinque has its campaign."""
    from airflow_provider_mkt.hooks.flinque import FlinqueHook
    from airflow_provider_mkt.hooks.flinque.hook import report_body

    with findings.about("report"):
        body = report_body(wanted)
        if "type" in body:
            with findings.about("report"):
                kind = validation.text("type", body["type"])
                validation.statuses("type", kind, flinque.REPORT_TYPES, closed=False)
        for day in ("from", "to"):
            with findings.about("report"):
                if body.get(day) is not None:
                    validation.parsed(day, body[day])
        if body.get("name") is not None:
            validation.text("name", body["name"])
    hook = FlinqueHook(conn_id)
    if not connected(findings, hook):
        return
    campaign_id = wanted.get("campaign_id") if isinstance(wanted, Mapping) else None
    if campaign_id:
        with findings.about("report"):
            try:
                hook.get_campaign(validation.text("campaign_id", campaign_id))
            except NotFoundError:
                findings.add("report", f"Flinque has no campaign {campaign_id!r}")
