# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The operators that create a campaign and a report: what they have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import (
    OutcomeUnknownError,
)
from airflow_provider_mkt.operators.flinque import (
    FlinqueCreateCampaignOperator,
    FlinqueGenerateReportOperator,
)
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task

LOST = "drop_after"

NEVER_ARRIVED = "drop_before"


@dataclass(frozen=True)
class Kind:
    """Something that Flinque creates and lists.

    :param name: what it is, and the parameter of its operator
    :param body: a request
    :param route: the request that creates it
    :param listing: the list
    :param effect: what the ledger counts
    :param ids: the first ids that the vendor gives
    """

    name: str
    operator: Any
    body: Mapping[str, Any]
    route: str
    listing: str
    effect: str
    ids: tuple[str, str]

    def creating(self, **options: Any) -> Any:
        body = options.pop("body", self.body)
        return self.operator(task_id="create", **{self.name: body, "wait_for_completion": False, **options})

    def result(self, number: int) -> dict[str, str]:
        return {f"{self.name}_id": self.ids[number]}

    def made(self, vendors: Sandbox) -> int:
        return len(vendors.ledger("flinque", self.effect))

    def lose(self, task: Task, vendors: Sandbox, fault: str, **options: Any) -> None:
        """Make a try whose answer is lost."""
        vendors.fault(self.route, fault)
        with pytest.raises(OutcomeUnknownError) as caught:
            self.creating(**options).execute(task.context)
        assert caught.value.resolvable

    def lists(self, vendors: Sandbox, *rows: dict[str, Any]) -> None:
        """Have the list show these rows and nothing else."""
        vendors.fault(self.listing, "status", status=200, body={"data": list(rows)}, count=None)


REPORT = Kind(
    "report",
    FlinqueGenerateReportOperator,
    {"type": "campaign", "campaign_id": "ca_1"},
    "POST /flinque/v1/reports/generate",
    "GET /flinque/v1/reports",
    "report.generated",
    ("re_1", "re_2"),
)

CAMPAIGN = Kind(
    "campaign",
    FlinqueCreateCampaignOperator,
    {"budget": 1000, "currency": "USD", "start_date": "2099-06-08"},
    "POST /flinque/v1/campaigns",
    "GET /flinque/v1/campaigns",
    "campaign.created",
    ("ca_4", "ca_5"),
)

every_kind = pytest.mark.parametrize("kind", [REPORT, CAMPAIGN], ids=lambda kind: kind.name)
