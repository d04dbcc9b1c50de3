# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Creating a subscription once, with its secret kept before it counts as created."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.client.endpoint import Call, Safety
from airflow_provider_mkt.client.paging import find_rows
from airflow_provider_mkt.exceptions import MalformedResponseError
from airflow_provider_mkt.operators.ensure_webhook.inventory import WebhookInventory
from airflow_provider_mkt.operators.ensure_webhook.plan import same_address
from airflow_provider_mkt.operators.ensure_webhook.routes import DesiredWebhook, WebhookVendor
from airflow_provider_mkt.submission.record import INTENT, SUBMITTED, Record
from airflow_provider_mkt.submission.request import ABSENT, SubmissionRequest
from airflow_provider_mkt.submission.submit import Submission

if TYPE_CHECKING:
    from airflow_provider_mkt.client.adapter import Fence
    from airflow_provider_mkt.state.exclusive import ExclusiveLease

MAX_RECENT = 1_000
"""New subscriptions that are looked through for a lost one."""


class WebhookCreation:
    """Creates a subscription, or settles a creation whose answer was lost.

    :param vendor: the operator, which knows the vendor
    :param submission: the record of what this task creates
    :param lease: the right to be the only one at work on this address
    :param inventory: the subscriptions that there are
    :param desired: what there shall be
    """

    def __init__(
        self,
        vendor: WebhookVendor,
        submission: Submission,
        lease: ExclusiveLease,
        inventory: WebhookInventory,
        desired: DesiredWebhook,
    ) -> None:
        self.operator, self.hook, self.routes = vendor, vendor.hook, vendor.routes
        self.submission, self.lease, self.inventory, self.desired = submission, lease, inventory, desired
        self.key = ""

    def settle(self) -> None:
        """Find out what became of a creation whose answer was lost, if there is one."""
        pending = self.submission.record()
        if pending is not None and pending.state == INTENT:
            self.create()

    def create(self) -> str:
        """Create one, or settle a creation whose answer was lost, and return its id."""
        record = self.submission.record()
        if record is not None and record.state == SUBMITTED:
            # It is not there any more, or unusable: the vendor's state counts, not the record.
            self.submission.fail(record)
        record = self.submission.submit(self._request(record), self._send, self.hook.client.run)
        return str(record.receipt["webhook_id"])

    def _request(self, previous: Record | None) -> SubmissionRequest:
        body, field = self.operator.body(self.desired.url, self.desired.events), self.routes.address
        if previous is not None and previous.state == INTENT and previous.body.get(field) == body[field]:
            # What was begun is finished as it was; what was changed since is corrected afterwards.
            body = previous.body
        return SubmissionRequest(
            vendor=self.hook.vendor.name,
            what="webhook",
            body=body,
            call=self._call,
            receipt=partial(self._receipt, body["events"]),
            reference=self.desired.url,
            id_field="webhook_id",
            prepare=self._prepare,
            trace=self._trace,
        )

    def _call(self, body: dict[str, Any], key: str) -> Call:
        self.key = key
        sent = {**body, self.routes.address: self.operator.address(body[self.routes.address])}
        keyed = self.routes.create.safety is Safety.KEYED
        return self.routes.create(body=sent, idempotency_key=key if keyed else None)

    def _send(self, call: Call, fence: Fence) -> Any:
        # Two must not create, and what is created must be storable.
        self.lease.ensure_owner()
        return self.hook.client.send(call, fence=fence)

    def _prepare(self) -> dict[str, Any]:
        """Note which subscriptions there are, so that none of them is taken for the one to come."""
        rows = [(row["id"], row.get(self.routes.address)) for row in self.inventory.rows()]
        ours = [each for each, shown in rows if isinstance(shown, str) and same_address(shown, self.desired.address)]
        hidden = [each for each, shown in rows if not isinstance(shown, str)]
        self.lease.ensure_owner()
        return {"known": [*ours, *hidden], "replaced": ours}

    def _receipt(self, events: list[str], answer: dict[str, Any]) -> dict[str, Any]:
        """Keep the secret; only then return what to follow the subscription by."""
        secret = answer.get("secret") if self.routes.signed else None
        if self.routes.signed and (not isinstance(secret, str) or not secret):
            raise MalformedResponseError(
                f"{self.hook.vendor.name} created webhook {answer['id']} without telling its secret", executed=True
            )
        if secret is not None:
            self.hook.hide(secret)
        self.inventory.secrets.keep(answer["id"], self.desired.name, events, secret, made_by=self.key)
        self.inventory.answered.add(answer["id"])
        return {"webhook_id": answer["id"]}

    def _trace(self, record: Record) -> Generator[Call, Any, dict[str, Any] | None]:
        """Find out what became of a creation: its receipt, ABSENT, or None when that cannot be told."""
        kept = self.inventory.kept()
        for each in kept.values():
            if each.made_by == record.key:
                # The answer did arrive; the process ended before it was recorded.
                return {"webhook_id": each.webhook_id}
        known = {*record.baseline.get("known", []), *kept}
        new = yield from find_rows(
            self.routes.list(), self.routes.paging, lambda row: row.get("id") not in known, most=MAX_RECENT
        )
        shown = [(row.get("id"), row.get(self.routes.address)) for row in new]
        ours = [each for each, where in shown if isinstance(where, str) and same_address(where, self.desired.address)]
        if ours and isinstance(ours[0], str):
            return {"webhook_id": ours[0]}
        conclusive = not ours and len(new) < MAX_RECENT and all(isinstance(where, str) for _, where in shown)
        return ABSENT if conclusive else None
