# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Operators for Flinque. Vendor document: Flinque Help Centre, "Developer API"."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt import validation
from airflow_provider_mkt.exceptions import ApiError
from airflow_provider_mkt.operators.base import MarketingOperator
from airflow_provider_mkt.operators.submitting import SubmittingOperator
from airflow_provider_mkt.tasks.reschedule import reschedule_when_rate_limited
from airflow_provider_mkt.vendors import flinque

if TYPE_CHECKING:
    from airflow.sdk import Context
    from typing_extensions import Unpack

    from airflow_provider_mkt.hooks.flinque import FlinqueHook
    from airflow_provider_mkt.submission.record import Record
    from airflow_provider_mkt.submission.request import SubmissionRequest, TaskKey
    from airflow_provider_mkt.tasks.parameters import OperatorParameters, PollingParameters
    from airflow_provider_mkt.waiting.base import Verdict
    from airflow_provider_mkt.waiting.flinque import CampaignWatch


log = logging.getLogger(__name__)


class FlinqueCreateCampaignOperator(SubmittingOperator["FlinqueHook"]):
    """Creates a campaign, once.

    Returns ``campaign_id`` and, after waiting, ``campaign`` (the vendor's last answer), each also as an XCom of its
    own. It does not wait by default: a new campaign is a draft until somebody starts it.

    The vendor has no idempotency key, but lists campaigns. After a lost answer the next try looks for a new campaign of
    the same name there. It attaches to the only one, and creates it when there is certainly none. Where several fit,
    one shows other values, or a new one was changed since, a person has to look.

    :param campaign: the campaign, e.g. ``{"start_date": "2026-06-08", "budget": "1000.00", "currency": "USD"}``; its
        fields are not published. A ``name`` is added when there is none, made of DAG, run, task and map index
    :param target_statuses: what to wait for, with ``wait_for_completion``; a campaign that ends otherwise is a failure.
        The statuses are assumed
    :param flinque_conn_id: connection
    """

    template_fields: Sequence[str] = ("campaign", "target_statuses", "flinque_conn_id")
    ui_color = flinque.VENDOR.color
    vendor = flinque.VENDOR

    def __init__(
        self,
        *,
        campaign: Mapping[str, Any],
        target_statuses: Sequence[str] | str = flinque.CAMPAIGN_LIVE,
        flinque_conn_id: str = flinque.VENDOR.default_conn_id,
        wait_for_completion: bool = False,
        **kwargs: Unpack[PollingParameters],
    ) -> None:
        super().__init__(conn_id=flinque_conn_id, wait_for_completion=wait_for_completion, **kwargs)
        self.campaign = campaign
        self.target_statuses = target_statuses

    def submission_request(self, task_key: TaskKey) -> SubmissionRequest:
        """Return the campaign."""
        from airflow_provider_mkt.client.paging import Hints
        from airflow_provider_mkt.hooks.flinque.hook import campaign_body
        from airflow_provider_mkt.submission.list_lookup import ListLookup

        self._targets()
        body = validation.json_object("campaign", self.campaign, "{'budget': '1000.00', 'currency': 'USD'}")
        lookup = ListLookup("campaign", flinque.CREATE_CAMPAIGN, flinque.LIST_CAMPAIGNS, Hints(), renamable=True)
        return lookup.request(self.hook, campaign_body(lookup.named(body, task_key)), task_key)

    def watch(self, record: Record) -> CampaignWatch:
        """Return the campaign."""
        from airflow_provider_mkt.waiting.flinque import CampaignWatch

        return CampaignWatch(record.receipt["campaign_id"], self._targets())

    def _targets(self) -> list[str]:
        return validation.statuses("target_statuses", self.target_statuses, flinque.CAMPAIGN_STATUSES, closed=False)

    def result(self, record: Record, verdict: Verdict | None) -> dict[str, Any]:
        """Return the campaign's id and the campaign."""
        return record.receipt if verdict is None else {**record.receipt, "campaign": verdict.answer}


class FlinqueUpdateCampaignOperator(MarketingOperator["FlinqueHook"]):
    """Changes a campaign, and makes sure that the vendor's answer shows the new values.

    It may be repeated, so every failure may be retried. Returns ``campaign_id`` and ``campaign``, the vendor's answer.

    :param campaign_id: the campaign
    :param changes: fields to their new values, e.g. ``{"status": "paused"}``; values, not increments
    :param flinque_conn_id: connection
    """

    template_fields: Sequence[str] = ("campaign_id", "changes", "flinque_conn_id")
    ui_color = flinque.VENDOR.color
    vendor = flinque.VENDOR

    def __init__(
        self,
        *,
        campaign_id: str,
        changes: Mapping[str, Any],
        flinque_conn_id: str = flinque.VENDOR.default_conn_id,
        **kwargs: Unpack[OperatorParameters],
    ) -> None:
        super().__init__(conn_id=flinque_conn_id, **kwargs)
        self.campaign_id = campaign_id
        self.changes = changes

    def execute(self, context: Context) -> dict[str, Any]:
        """Ask for the changes and confirm them."""
        hook = self.hook
        campaign_id = validation.text("campaign_id", self.campaign_id)
        with reschedule_when_rate_limited():
            campaign = hook.update_campaign(campaign_id, self.changes)
        self._confirm(campaign_id, campaign)
        return {"campaign_id": campaign_id, "campaign": hook.redactor.data(campaign)}

    def _confirm(self, campaign_id: str, campaign: Mapping[str, Any]) -> None:
        from airflow_provider_mkt.submission.echo import differing

        wrong = differing(campaign, self.changes)
        if campaign["id"] != campaign_id:
            wrong = ["id", *wrong]
        if wrong:
            told = ", ".join(f"{name} is {campaign[name]!r}" for name in wrong)
            raise ApiError(
                f"Flinque did not confirm the changes of campaign {campaign_id}: {self.hook.redactor.text(told)}.",
                vendor=flinque.VENDOR.name,
            )
        hidden = sorted(name for name, value in self.changes.items() if campaign.get(name) is None is not value)
        if hidden:
            log.warning("Flinque accepted the changes of %s but does not show %s.", campaign_id, ", ".join(hidden))
        log.info("Flinque campaign %s is changed: %s.", campaign_id, ", ".join(sorted(self.changes)))
