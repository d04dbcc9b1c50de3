# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Which subscriptions for an address there are: by the vendor's list, and by what is remembered here."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.exceptions import NotFoundError, OutcomeUnknownError
from airflow_provider_mkt.hooks.account import secrets_of
from airflow_provider_mkt.operators.ensure_webhook.plan import Subscription, normal, same_address
from airflow_provider_mkt.operators.ensure_webhook.routes import DesiredWebhook, WebhookVendor
from airflow_provider_mkt.submission.record import SUBMITTED
from airflow_provider_mkt.submission.submit import SETTLED, Submission

if TYPE_CHECKING:
    from airflow_provider_mkt.state.webhook_secrets import Kept

log = logging.getLogger(__name__)


class WebhookInventory:
    """The subscriptions for one address.

    :param vendor: the operator, which knows the vendor
    :param submission: the record of what this task creates
    :param desired: what there shall be
    """

    def __init__(self, vendor: WebhookVendor, submission: Submission, desired: DesiredWebhook) -> None:
        self.hook, self.routes, self.submission, self.desired = vendor.hook, vendor.routes, submission, desired
        self.vendor = vendor.hook.vendor.name
        self.secrets = secrets_of(self.hook.account)
        self.answered: set[str] = set()
        """Ids that this very try was answered with."""

    def kept(self) -> dict[str, Kept]:
        """Return what is remembered of subscriptions for the address, by their ids."""
        from airflow_provider_mkt.state.encryption import digest

        name = digest(self.desired.name)
        return {each.webhook_id: each for each in self.secrets.rows() if each.address == name}

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the vendor's subscriptions, for whatever address."""
        return (row for row in self.hook.list_webhooks() if isinstance(row.get("id"), str))

    def mine(self) -> list[Subscription]:
        """Return the subscriptions for our address: those listed, and those that the list does not show yet."""
        kept = self.kept()
        rows = {row["id"]: row for row in self.rows()}
        unlisted = {each: self._unlisted(kept[each]) for each in kept if each not in rows and not kept[each].retired}
        rows.update({each: row for each, row in unlisted.items() if row is not None})
        mine = [self._read(row, kept.get(each)) for each, row in rows.items() if self._ours(row, each in kept)]
        return self._trusting(mine)

    def _ours(self, row: dict[str, Any], made_here: bool) -> bool:
        shown = row.get(self.routes.address)
        if not isinstance(shown, str):
            return made_here
        # Made here for this address, with a token that was replaced since.
        former = made_here and not self.routes.signed and normal(shown).startswith(f"{self.desired.name}/")
        return former or same_address(shown, self.desired.address)

    def _read(self, row: dict[str, Any], kept: Kept | None) -> Subscription:
        shown, events = row.get(self.routes.address), row.get("events")
        known = frozenset(map(str, events)) if isinstance(events, list) else kept.events if kept else None
        return Subscription(
            webhook_id=row["id"],
            address=shown if isinstance(shown, str) else None,
            events=known,
            active=row.get("active") is not False,
            usable=not self.routes.signed or (kept is not None and self.secrets.secret(kept) is not None),
            retired=kept is not None and kept.retired,
        )

    def _unlisted(self, kept: Kept) -> dict[str, Any] | None:
        """Return a subscription that was made here but is not listed; None when it is gone.

        :raises OutcomeUnknownError: when that cannot be told yet
        """
        if self.routes.single:
            try:
                row: dict[str, Any] = self.hook.get_webhook(kept.webhook_id)
            except NotFoundError:
                pass
            else:
                return row
        elif kept.webhook_id in self.answered:
            return {"id": kept.webhook_id, "events": sorted(kept.events)}
        elif kept.age < SETTLED:
            raise self._too_early(kept)
        log.warning("%s: webhook %s for %s was deleted elsewhere.", self.vendor, kept.webhook_id, self.desired.url)
        self.secrets.retire([kept.webhook_id])
        return None

    def _too_early(self, kept: Kept) -> OutcomeUnknownError:
        error = OutcomeUnknownError(
            f"{self.vendor} does not list webhook {kept.webhook_id}, which was created {kept.age:.0f} s ago. Its list "
            "may be behind, or somebody may have deleted it; the next try can tell.",
            vendor=self.vendor,
            retry_after=SETTLED - kept.age,
        )
        error.reference, error.resolvable = kept.webhook_id, True
        return error

    def _trusting(self, mine: list[Subscription]) -> list[Subscription]:
        """Take the connection's secret for that of the only subscription there is.

        Not when the answer with its secret was lost to this very task: then the connection's is another one's.
        """
        if not self.hook.account.extras.get("webhook_secret") or len(mine) != 1 or mine[0].usable:
            return mine
        record = self.submission.record()
        found = record is not None and record.state == SUBMITTED and "status" not in record.receipt
        if found and record is not None and record.receipt.get("webhook_id") == mine[0].webhook_id:
            return mine
        return [replace(mine[0], usable=True)]
