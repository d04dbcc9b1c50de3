# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The work of :class:`.operator.EnsureWebhookBase`: look, plan, correct or create, delete."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.exceptions import NotFoundError
from airflow_provider_mkt.operators.ensure_webhook.creation import WebhookCreation
from airflow_provider_mkt.operators.ensure_webhook.inventory import WebhookInventory
from airflow_provider_mkt.operators.ensure_webhook.plan import Subscription, plan
from airflow_provider_mkt.operators.ensure_webhook.routes import DesiredWebhook, WebhookVendor
from airflow_provider_mkt.submission.record import SUBMITTED
from airflow_provider_mkt.submission.submit import Submission

if TYPE_CHECKING:
    from airflow_provider_mkt.state.exclusive import ExclusiveLease

log = logging.getLogger(__name__)


class WebhookReconciler:
    """One run of the operator, while it is its turn.

    :param vendor: the operator, which knows the vendor
    :param submission: the record of what this task creates
    :param lease: the right to be the only one at work on this address
    :param desired: what there shall be
    """

    def __init__(
        self, vendor: WebhookVendor, submission: Submission, lease: ExclusiveLease, desired: DesiredWebhook
    ) -> None:
        self.operator, self.hook, self.routes = vendor, vendor.hook, vendor.routes
        self.submission, self.lease, self.desired = submission, lease, desired
        self.vendor = vendor.hook.vendor.name
        self.inventory = WebhookInventory(vendor, submission, desired)
        self.creation = WebhookCreation(vendor, submission, lease, self.inventory, desired)

    def reconcile(self, clear_count: int) -> dict[str, Any]:
        """Do what is missing and return the task's result.

        :param clear_count: changes when a user clears the task
        """
        desired = self.desired
        if self.routes.signed:
            self.inventory.secrets.ready_for_secrets()
        self.creation.settle()
        mine = self.inventory.mine()
        planned = plan(mine, desired.address, frozenset(desired.events), updatable=self.routes.updatable)
        if planned.keep is not None and self._corrected(planned.keep, planned.why):
            webhook_id, updated = planned.keep.webhook_id, bool(planned.why)
        else:
            log.info("%s: creating a webhook for %s: %s.", self.vendor, desired.url, planned.why)
            webhook_id, updated = self.creation.create(), False
        self._delete(planned.surplus)
        return self._result(webhook_id, clear_count, updated=updated)

    def _result(self, webhook_id: str, clear_count: int, *, updated: bool) -> dict[str, Any]:
        """Tell what was done. The record knows of earlier tries that died before they could tell."""
        record = self.submission.record()
        created = (
            record is not None
            and (record.state, record.clear_count) == (SUBMITTED, clear_count)
            and record.receipt.get("webhook_id") == webhook_id
        )
        replaced = created and record is not None and bool(record.baseline.get("replaced"))
        return {
            "webhook_id": webhook_id,
            "url": self.desired.url,
            "events": self.desired.events,
            "created": created,
            "updated": updated,
            "replaced": replaced,
        }

    def _corrected(self, keep: Subscription, why: str) -> bool:
        """Correct the subscription that stays, if there is a reason why. Returns False when it has gone meanwhile."""
        webhook_id, url = keep.webhook_id, self.desired.url
        if why:
            try:
                self.operator.update(webhook_id, self.desired.address, self.desired.events)
            except NotFoundError:
                self.inventory.secrets.retire([webhook_id])
                return False
            log.info("%s: changed webhook %s for %s: %s.", self.vendor, webhook_id, url, why)
        else:
            log.info("%s: webhook %s for %s is as it should be; nothing to do.", self.vendor, webhook_id, url)
        if not self.routes.signed and webhook_id not in self.inventory.kept():
            # By that it is found again when its token is replaced.
            self.inventory.secrets.keep(webhook_id, self.desired.name, self.desired.events, None)
        return True

    def _delete(self, surplus: Sequence[Subscription]) -> None:
        """Delete what another subscription replaces. Noted first: what is gone must not be waited for in the list."""
        if surplus:
            self.lease.ensure_owner()
            self.inventory.secrets.retire([each.webhook_id for each in surplus])
        for each in surplus:
            try:
                self.hook.delete_webhook(each.webhook_id)
            except NotFoundError:
                log.info("%s: webhook %s was gone already.", self.vendor, each.webhook_id)
            else:
                log.info("%s: deleted webhook %s for %s.", self.vendor, each.webhook_id, self.desired.url)
