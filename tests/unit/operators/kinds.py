# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The submitting operators that the tests of this folder run through: one of each way to settle a lost answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_provider_mkt.operators.flinque import FlinqueGenerateReportOperator
from airflow_provider_mkt.operators.flokit import FlokitTriggerSyncOperator
from airflow_provider_mkt.operators.flow_living import FlowLivingPublishCampaignOperator
from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostOperator
from airflow_provider_mkt.operators.submitting import SubmittingOperator
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task


@dataclass(frozen=True)
class Kind:
    """One submitting operator and how the vendor names what it does.

    :param settled_by: how a later try settles a lost answer: by the "key", by a "look" at the vendor, or "nobody" can
    :param found: what it returns then for one that is found
    """

    operator: type[SubmittingOperator]
    arguments: dict[str, Any]
    vendor: str
    effect: str
    route: str
    failure: str
    settled_by: str
    retried_after_failure: bool = True
    found: dict[str, Any] = field(default_factory=dict)

    def __call__(self, **options: Any) -> Any:
        defaults = {"wait_for_completion": True, "deferrable": False, "poll_interval": 60.0}
        return self.operator(task_id="publish", **{**self.arguments, **defaults, **options})

    def effects(self, vendors: Sandbox) -> int:
        return len(vendors.ledger(self.vendor, self.effect))

    def reference(self, task: Task) -> str:
        return f"tests/{task.dag_id}/{task.run_id}/{task.task_id}"


CAMPAIGN = Kind(
    FlowLivingPublishCampaignOperator,
    {"plan_ref": "facebookv2", "listing_external_ids": ["listing_1001"], "branch_id": "branch_harbour"},
    "flow_living",
    "campaign.published",
    "POST /flow-living/campaigns/publish",
    "failed",
    "nobody",
    # The sandbox's failed campaigns have an id: something of them exists.
    retried_after_failure=False,
)
POST = Kind(
    FlowSocialSchedulePostOperator,
    {"channel_id": "channel_1", "content": "Open house on Sunday"},
    "flow_social",
    "post.created",
    "POST /flow-social/v1/posts",
    "blocked",
    "key",
    retried_after_failure=False,
)
REPORT = Kind(
    FlinqueGenerateReportOperator,
    {"report": {"type": "campaign", "campaign_id": "ca_1"}},
    "flinque",
    "report.generated",
    "POST /flinque/v1/reports/generate",
    "failed",
    "look",
    found={"report_id": "re_1"},
)
SYNC = Kind(
    FlokitTriggerSyncOperator,
    {"integration_id": "int_adjust"},
    "flokit",
    "sync.started",
    "POST /flokit/v1/integrations/int_adjust/sync",
    "error",
    "look",
    retried_after_failure=False,
    found={"sync_id": None, "status": "seen at the integration", "integration_id": "int_adjust"},
)
KINDS = {"campaign": CAMPAIGN, "post": POST, "report": REPORT, "sync": SYNC}
LATER = 700.0
LATER_POST = {"scheduled_for": "2099-06-08T09:00:00Z"}

every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
