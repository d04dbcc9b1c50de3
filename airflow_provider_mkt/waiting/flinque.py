# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Waiting for a Flinque campaign or report. There is no route for a single report: the list tells."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_mkt.client.endpoint import Call, Priority
from airflow_provider_mkt.client.paging import Hints, LargePages, find_rows
from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.vendors import flinque
from airflow_provider_mkt.waiting.base import Verdict, WaitState, Watch, state_of
from airflow_provider_mkt.waiting.listing import Known, Listing, Part

UNLISTED_PAUSE = 900.0
"""Seconds between two looks for a report that the list does not show, when it is read for many."""


class Reports(Listing):
    """The list of reports, newest first (assumed). There is no other route that shows them."""

    name = "reports"

    def parts(self, wanted: Known, now: float) -> Sequence[Part]:  # noqa: ARG002 - the base's signature
        """Return the list, in large pages."""
        return [Part(flinque.LIST_REPORTS(priority=Priority.POLL), LargePages(), wanted)]

    def single(self, thing: str) -> None:
        """Return None: one report cannot be read."""

    def quiet_for(self, row: Any, now: float) -> float:  # noqa: ARG002 - the base's signature
        """Look for a report that is not listed less often: it takes the whole list to know that."""
        return UNLISTED_PAUSE if row is None else 0.0


class Campaigns(Listing):
    """The list of campaigns, newest first (assumed)."""

    name = "campaigns"

    def parts(self, wanted: Known, now: float) -> Sequence[Part]:  # noqa: ARG002 - the base's signature
        """Return the list, in large pages."""
        return [Part(flinque.LIST_CAMPAIGNS(priority=Priority.POLL), LargePages(), wanted)]

    def single(self, thing: str) -> Call:
        """Return the request that reads one campaign."""
        return flinque.GET_CAMPAIGN(path={"campaign_id": thing}, priority=Priority.POLL)


@dataclass(frozen=True)
class ReportWatch(Watch):
    """A report.

    :param report_id: the report
    """

    report_id: str

    hook = FlinqueHook
    listing = Reports()

    def poll(self) -> Generator[Call, Any, Verdict]:
        """Walk the list of reports, newest first, as far as the report."""
        found = yield from find_rows(
            flinque.LIST_REPORTS(priority=Priority.POLL), Hints(), lambda row: row.get("id") == self.report_id
        )
        return self._judged(found[0] if found else None)

    def ids(self) -> list[str]:
        """Return the report."""
        return [self.report_id]

    def judge(self, rows: Mapping[str, Any]) -> Verdict:
        """Judge the report's row."""
        return self._judged(rows[self.report_id])

    def _judged(self, report: Mapping[str, Any] | None) -> Verdict:
        if report is None:
            return Verdict(WaitState.UNKNOWN, "not listed", f"Flinque lists no report {self.report_id}")
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
    listing = Campaigns()

    def poll(self) -> Generator[Call, Any, Verdict]:
        """Read the campaign."""
        campaign = yield self.listing.single(self.campaign_id)
        return self._judged(campaign)

    def ids(self) -> list[str]:
        """Return the campaign."""
        return [self.campaign_id]

    def judge(self, rows: Mapping[str, Any]) -> Verdict:
        """Judge the campaign's row."""
        return self._judged(rows[self.campaign_id])

    def _judged(self, campaign: Mapping[str, Any]) -> Verdict:
        status = str(campaign.get("status"))
        state = state_of(status, self.targets, flinque.CAMPAIGN_PENDING, flinque.CAMPAIGN_ENDED)
        return Verdict(state, status, f"Flinque campaign {self.campaign_id}: {status}", campaign)
