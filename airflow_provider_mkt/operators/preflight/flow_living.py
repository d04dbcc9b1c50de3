# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Is the campaign one that Flow Living would publish?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt import validation
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.operators.preflight.findings import connected

if TYPE_CHECKING:
    from airflow_provider_mkt.operators.preflight.findings import Findings


CAMPAIGN_PARAMETERS = {
    "plan_ref": "plan_ref",
    "listing_external_ids": "listing_external_ids",
    "branch_id": "branch_id",
    "agent_external_id": "agent_external_id",
    "campaign_start_date": "start_date",
    "campaign_end_date": "end_date",
    "budget_override": "budget_override",
    "order_ref": "order_ref",
}
"""Parameters of the publish operator, and those of the hook."""


def campaign(findings: Findings, conn_id: str, wanted: Mapping[str, Any]) -> None:
    """Have Flow Living validate the campaign (dry run)."""
    from airflow_provider_mkt.hooks.flow_living import FlowLivingHook

    hook = FlowLivingHook(conn_id)
    if not connected(findings, hook):
        return
    with findings.about("campaign"):
        validation.known_fields("campaign", wanted, CAMPAIGN_PARAMETERS)
        given = {CAMPAIGN_PARAMETERS[name]: value for name, value in wanted.items() if value not in (None, "")}
        missing = [name for name in ("plan_ref", "listing_external_ids", "branch_id") if name not in given]
        if missing:
            raise ValidationError(f"{', '.join(missing)}: missing; name it.")
        hook.publish_campaign(**given, dry_run=True)
