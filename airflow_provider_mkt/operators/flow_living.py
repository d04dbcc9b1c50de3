# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Operators for Flow Living. Vendor document: Flow Platform, "API Scripts"."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt import validation
from airflow_provider_mkt.client.endpoint import Call
from airflow_provider_mkt.exceptions import ApiError, MalformedResponseError, ValidationError
from airflow_provider_mkt.operators.base import MarketingOperator
from airflow_provider_mkt.operators.submitting import SubmittingOperator
from airflow_provider_mkt.tasks.reschedule import reschedule_when_rate_limited
from airflow_provider_mkt.vendors import flow_living

if TYPE_CHECKING:
    from airflow.sdk import Context
    from typing_extensions import Unpack

    from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
    from airflow_provider_mkt.submission.record import Record
    from airflow_provider_mkt.submission.request import Finding, SubmissionRequest, TaskKey
    from airflow_provider_mkt.tasks.parameters import RetriedParameters, SubmittingParameters
    from airflow_provider_mkt.waiting.base import Verdict
    from airflow_provider_mkt.waiting.flow_living import CampaignWatch

SEEN_IN_ANALYTICS = "seen in analytics"  # an order whose answer was lost, and whose campaigns that host shows
UNKNOWN_BEFORE = "which ones there were before is not known"

CAMPAIGN = (
    "plan_ref",
    "listing_external_ids",
    "branch_id",
    "agent_external_id",
    "campaign_start_date",
    "campaign_end_date",
    "budget_override",
)
"""Parameters that make a campaign; a brief has these."""


class FlowLivingPublishCampaignOperator(SubmittingOperator["FlowLivingHook"]):
    """Publishes an ad campaign for property listings. It spends money, so it happens once.

    Returns ``campaign_tracking_ids``, ``order_ref``, ``status`` and, after waiting, ``campaigns`` (the last answer for
    each tracking id), each also as an XCom of its own.

    :param plan_ref: reference of the media plan, e.g. ``facebookv2``
    :param listing_external_ids: your ids of the listings, 1 to 50
    :param branch_id: Flow's id of the branch
    :param agent_external_id: your id of the agent in charge
    :param campaign_start_date: when to start, in the future; without a time zone it is UTC
    :param campaign_end_date: when to end, after the start
    :param budget_override: amount instead of the plan's budget, in the plan's currency
    :param order_ref: your own reference; by default made of DAG, run, task and map index
    :param dry_run: have the vendor validate the request and publish nothing; true or false, as text too
    :param target_statuses: one status or several to wait for. The vendor publishes no list, so any is taken but one
        that looks like a typing mistake
    :param flow_living_conn_id: connection
    """

    template_fields: Sequence[str] = (*CAMPAIGN, "order_ref", "dry_run", "target_statuses", "flow_living_conn_id")
    ui_color = flow_living.VENDOR.color
    vendor = flow_living.VENDOR

    def __init__(
        self,
        *,
        plan_ref: str,
        listing_external_ids: Sequence[str] | str,
        branch_id: str,
        agent_external_id: str | None = None,
        campaign_start_date: datetime | str | None = None,
        campaign_end_date: datetime | str | None = None,
        budget_override: float | str | None = None,
        order_ref: str | None = None,
        dry_run: bool | str = False,
        target_statuses: Sequence[str] | str = flow_living.LIVE,
        flow_living_conn_id: str = flow_living.VENDOR.default_conn_id,
        **kwargs: Unpack[SubmittingParameters],
    ) -> None:
        super().__init__(conn_id=flow_living_conn_id, **kwargs)
        self.plan_ref = plan_ref
        self.listing_external_ids = listing_external_ids
        self.branch_id = branch_id
        self.agent_external_id = agent_external_id
        self.campaign_start_date = campaign_start_date
        self.campaign_end_date = campaign_end_date
        self.budget_override = budget_override
        self.order_ref = order_ref
        # The name is BaseOperator's, for a method that Airflow 3 never calls; what is rendered is shown by this name.
        self.dry_run = dry_run  # type: ignore[assignment,method-assign]
        self.target_statuses = target_statuses

    def execute(self, context: Context) -> Any:
        """Publish; or, for a dry run, only have the request validated."""
        from airflow_provider_mkt.hooks.flow_living import check_dates
        from airflow_provider_mkt.submission.request import TaskKey

        if not validation.flag("dry_run", self.dry_run):
            return super().execute(context)
        self._targets()
        body = {**self._body(TaskKey.of(context, self.conn_id)), "dryRun": True}
        check_dates(body)
        with reschedule_when_rate_limited():
            answer = self.hook.send(self.hook.publish_call(body))
        self.log.info("Flow Living accepts the campaign (dry run, nothing was published): %s", answer["status"])
        return {"status": answer["status"], "order_ref": body["orderRef"], "campaign_tracking_ids": []}

    def submission_request(self, task_key: TaskKey) -> SubmissionRequest:
        """Return the publish request."""
        from airflow_provider_mkt.hooks.flow_living import campaign_effect, check_dates
        from airflow_provider_mkt.submission.request import OURS, OURS_RECEIPT, SETTLED, SubmissionRequest

        self._targets()
        body = self._body(task_key)
        own = body["orderRef"] == task_key.reference

        def prepare() -> dict[str, Any]:
            check_dates(body)
            listed = self._listed_already(body)
            # Another task of this run may use the same order_ref, but never this task's own reference.
            ours = {OURS: listed, OURS_RECEIPT: _seen(listed)} if own and listed else {}
            return {"known": listed, **ours}

        untraceable = self._untraceable(task_key, body["orderRef"])
        return SubmissionRequest(
            vendor=flow_living.VENDOR.name,
            what="campaign",
            body=body,
            call=lambda frozen, _: self.hook.publish_call(frozen),
            receipt=_receipt,
            reference=body["orderRef"],
            id_field="campaign_tracking_ids",
            prepare=prepare,
            trace=None if untraceable else self._trace,
            untraceable=untraceable,
            settled=max(SETTLED, self._analytics_delay),
            echoed=frozenset({"orderRef", "planRef", "branchId", "listingExternalIds"}),
            effect=campaign_effect(body),
        )

    @property
    def _analytics_delay(self) -> float:
        """Seconds after which analytics shows every new campaign; 0 where that is not known."""
        return float(self.hook.account.extras["analytics_delay"] or 0.0)

    def _untraceable(self, task_key: TaskKey, reference: str) -> str:
        """Say why analytics cannot tell what became of an order; "" when they can."""
        if not self.hook.has_analytics:
            return f"connection {self.conn_id!r} names no analytics host"
        if not task_key.is_only_name(reference):
            return "order_ref does not hold the run's id, so a campaign under it may be another run's"
        return ""

    def _trace(self, record: Record) -> Generator[Call, Any, Finding]:
        """Look for the reference in the names of the branch's campaigns (assumed), which have no tracking ids.

        Analytics may be late, so a campaign is ours only if no earlier generation can have that reference, and none
        proves something only where the connection says how late it may be.
        """
        from airflow_provider_mkt.client.answer import rows_of
        from airflow_provider_mkt.submission.request import Finding

        endpoint, known, delay = flow_living.LIST_BRANCH_CAMPAIGNS, record.baseline.get("known"), self._analytics_delay
        if known is None or (record.generation > 1 and not delay):
            why = UNKNOWN_BEFORE if known is None else "an earlier order of the same reference may show late"
            return Finding(showed=f"campaigns in analytics would prove nothing: {why}")
        answer = yield self.hook.analytics_call(endpoint, {"branchId": record.body["branchId"]})
        listed = [row.get("flowCampaignId") for row in rows_of(endpoint, answer) if _shows(row, record.body)]
        new = [each for each in listed if each not in known]
        if not new:
            late = f"yet; analytics show one within {delay:.0f} s" if delay else "yet; analytics may be late"
            return Finding(absent=delay > 0, showed=f"no new campaign of the branch names the reference {late}")
        return Finding(_seen(new))

    def _listed_already(self, body: dict[str, Any]) -> list[Any] | None:
        """Note which campaigns show the reference before the request; None when analytics cannot be asked.

        That is no reason not to publish: it only means that a lost answer will have to be settled by a person.
        """
        if not self.hook.has_analytics:
            return None
        try:
            rows = list(self.hook.list_branch_campaigns(body["branchId"]))
        except ApiError as error:
            self.log.warning("A lost answer could not be settled by analytics: %s", error)
            return None
        return [row.get("flowCampaignId") for row in rows if _shows(row, body)]

    def watch(self, record: Record) -> CampaignWatch | None:
        """Return the campaigns of all tracking ids; None when those were lost and only the campaigns were found."""
        from airflow_provider_mkt.waiting.flow_living import CampaignWatch

        if not record.receipt["campaign_tracking_ids"]:
            return None
        return CampaignWatch(
            record.receipt["campaign_tracking_ids"], self._targets(), record.accepted_at or record.intent_at
        )

    def result(self, record: Record, verdict: Verdict | None) -> dict[str, Any]:
        """Return the tracking ids and how they stand."""
        result = {**record.receipt, "order_ref": record.reference}
        return result if verdict is None else {**result, "status": verdict.status, "campaigns": verdict.answer}

    def _targets(self) -> list[str]:
        return validation.statuses("target_statuses", self.target_statuses, flow_living.STATUSES, closed=False)

    def _body(self, task_key: TaskKey) -> dict[str, Any]:
        from airflow_provider_mkt.hooks.flow_living import publish_body

        listings = self.listing_external_ids
        return publish_body(
            plan_ref=self.plan_ref,
            listing_external_ids=listings,
            branch_id=self.branch_id,
            agent_external_id=self.agent_external_id or None,
            start_date=self.campaign_start_date,
            end_date=self.campaign_end_date,
            budget_override=None if self.budget_override in (None, "") else self.budget_override,
            order_ref=self.order_ref or task_key.reference,
        )


def _shows(row: dict[str, Any], body: dict[str, Any]) -> bool:
    """Tell whether an analytics row is about one of the listings and names this very reference."""
    named = re.search(rf"(?<![\w/-]){re.escape(body['orderRef'])}(?![\w/-])", str(row.get("campaignName")))
    return named is not None and row.get("listingReference") in body["listingExternalIds"]


def _seen(campaign_ids: list[Any]) -> dict[str, Any]:
    """Return the receipt of an order of which only the campaigns are known."""
    return {"campaign_tracking_ids": [], "status": SEEN_IN_ANALYTICS, "flow_campaign_ids": campaign_ids}


def _receipt(answer: dict[str, Any]) -> dict[str, Any]:
    tracking_ids = answer["campaign_tracking_ids"]
    if not tracking_ids or not all(isinstance(each, str) and each for each in tracking_ids):
        message = "Flow Living answered the publishing without usable campaign_tracking_ids"
        raise MalformedResponseError(message, executed=True, vendor=flow_living.VENDOR.name)
    return {"campaign_tracking_ids": tracking_ids, "status": answer["status"]}


class FlowLivingUpdateCampaignStatusOperator(MarketingOperator["FlowLivingHook"]):
    """Pauses a campaign, or asks for another status, and confirms it by reading the status afterwards.

    Returns the status of each tracking id.

    :param campaign_tracking_id: a tracking id, or all of an order
    :param status: ``paused``; ``published`` (resume) and ``cancelled`` are assumed to exist
    :param reason: why, for the vendor's staff
    :param flow_living_conn_id: connection
    """

    template_fields: Sequence[str] = ("campaign_tracking_id", "status", "reason", "flow_living_conn_id")
    ui_color = flow_living.VENDOR.color
    vendor = flow_living.VENDOR

    def __init__(
        self,
        *,
        campaign_tracking_id: str | Sequence[str],
        status: str,
        reason: str | None = None,
        flow_living_conn_id: str = flow_living.VENDOR.default_conn_id,
        multiple_outputs: bool = False,
        **kwargs: Unpack[RetriedParameters],
    ) -> None:
        # The result's fields are tracking ids, not names.
        super().__init__(conn_id=flow_living_conn_id, multiple_outputs=multiple_outputs, **kwargs)
        self.campaign_tracking_id = campaign_tracking_id
        self.status = status
        self.reason = reason

    def execute(self, context: Context) -> dict[str, str]:
        """Ask for the status and confirm it."""
        if self.status not in flow_living.UPDATES:
            raise ValidationError(f"status must be one of {', '.join(flow_living.UPDATES)}, got {self.status!r}.")
        with reschedule_when_rate_limited():
            return self._update_all()

    def _update_all(self) -> dict[str, str]:
        return {each: self._update(each) for each in validation.ids("campaign_tracking_id", self.campaign_tracking_id)}

    def _update(self, tracking_id: str) -> str:
        hook = self.hook
        answer = hook.update_campaign_status(tracking_id, self.status, self.reason)
        # The vendor's own example holds a message of success and an error at once, so only the status itself counts.
        now = str(hook.get_campaign_status(tracking_id)["status"])
        if now != self.status:
            told = hook.redactor.text(str(answer.get("error") or answer.get("message") or "no reason given"))
            raise ApiError(
                f"Flow Living did not confirm {self.status!r} for {tracking_id}: it is {now!r} ({told}).",
                vendor=flow_living.VENDOR.name,
            )
        self.log.info("Flow Living campaign %s is %s.", tracking_id, now)
        return now
