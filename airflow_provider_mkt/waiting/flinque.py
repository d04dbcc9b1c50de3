# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Waiting for a Flinque campaign or report. There is no route for a single report: the list tells."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from airflow_provider_mkt.client.endpoint import Call, Priority
from airflow_provider_mkt.client.paging import Hints, find_rows
from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.vendors import flinque
from airflow_provider_mkt.waiting.base import Verdict, WaitState, Watch, state_of


@dataclass(frozen=True)
class ReportWatch(Watch):
    """A report.

    :param report_id: the report
    """

    report_id: str

    hook = FlinqueHook

    def poll(self) -> Generator[Call, Any, Verdict]:
        """Walk the list of reports, newest first, as far as the report."""
        found = yield from find_rows(
            flinque.LIST_REPORTS(priority=Priority.POLL), Hints(), lambda row: row.get("id") == self.report_id
        )
        if not found:
            return Verdict(WaitState.UNKNOWN, "not listed", f"Flinque lists no report {self.report_id}")
        report = found[0]
        status = str(report.get("status"))
        state = state_of(status, flinque.REPORT_READY, flinque.REPORT_PENDING, flinque.REPORT_FAILED)
        message = f"Flinque report {self.report_id}: {status}"
        return Verdict(state, status, message, report, untouched=state is WaitState.FAILED)


@dataclass(frozen=True)
class CampaignWatch(Watch):
    """A campaign. People move it on, at Flinque or by an update; it cannot be stopped or deleted by a documented route.

    :param campaign_id: the campaign
    :param targets: statuses that mean success; one that ends a campaign and is no target means failure
    """

    campaign_id: str
    targets: list[str]

    hook = FlinqueHook

    def poll(self) -> Generator[Call, Any, Verdict]:
        """Read the campaign."""
        campaign = yield flinque.GET_CAMPAIGN(path={"campaign_id": self.campaign_id}, priority=Priority.POLL)
        status = str(campaign.get("status"))
        state = state_of(status, self.targets, flinque.CAMPAIGN_PENDING, flinque.CAMPAIGN_ENDED)
        return Verdict(state, status, f"Flinque campaign {self.campaign_id}: {status}", campaign)
