# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The work of :class:`.webhooks.EnsureWebhookBase`: look, plan, create, correct, delete."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.client.endpoint import Call, Safety
from airflow_provider_mkt.client.paging import find_rows
from airflow_provider_mkt.exceptions import MalformedResponseError, NotFoundError, OutcomeUnknownError
from airflow_provider_mkt.hooks.webhooks import secrets_of
from airflow_provider_mkt.operators.ensure_webhook.plan import Subscription, normal, plan, same_address
from airflow_provider_mkt.submission.record import INTENT, SUBMITTED, Record
from airflow_provider_mkt.submission.request import ABSENT, SubmissionRequest
from airflow_provider_mkt.submission.submit import SETTLED, Submission

if TYPE_CHECKING:
    from airflow_provider_mkt.client.adapter import Fence
    from airflow_provider_mkt.operators.ensure_webhook.operator import EnsureWebhookBase
    from airflow_provider_mkt.operators.ensure_webhook.routes import DesiredWebhook
    from airflow_provider_mkt.state.exclusive import ExclusiveLease
    from airflow_provider_mkt.state.webhook_secrets import Kept

log = logging.getLogger(__name__)

MAX_RECENT = 1_000
"""New subscriptions that are looked through for a lost one."""


class Work:
    """One run of the operator, while it is its turn.

    :param operator: knows the vendor
    :param submission: the record of what this task creates
    :param turn: the right to be the only one at work on this address
    :param wanted: what there shall be
    """

    def __init__(
        self, operator: EnsureWebhookBase[Any], submission: Submission, turn: ExclusiveLease, wanted: DesiredWebhook
    ) -> None:
        self.operator, self.routes, self.submission, self.turn = operator, operator.routes, submission, turn
        self.wanted = wanted
        self.hook: Any = operator.hook
        self.vendor = operator.hook.vendor.name
        self.secrets = secrets_of(self.hook.account)
        self.answered: set[str] = set()
        self.key = ""

    def done(self, round_: int) -> dict[str, Any]:
        """Do what is missing and return the task's result.

        :param round_: changes when a user clears the task
        """
        if self.routes.signed:
            self.secrets.ready_for_secrets()
        pending = self.submission.record()
        if pending is not None and pending.state == INTENT:
            self._submit()
        there = plan(self._mine(), self.wanted.address, frozenset(self.wanted.events), updatable=self.routes.updatable)
        updated = there.keep is not None and bool(there.why)
        kept = there.keep if there.keep is None or self._corrected(there.keep, there.why) else None
        webhook_id = kept.webhook_id if kept else self._created(there.why)
        self._delete(there.surplus)
        return self._result(webhook_id, round_, updated=updated and kept is not None)

    def _result(self, webhook_id: str, round_: int, *, updated: bool) -> dict[str, Any]:
        """Tell what was done. The record knows of earlier tries that died before they could tell."""
        record = self.submission.record()
        created = (
            record is not None
            and (record.state, record.clear_count) == (SUBMITTED, round_)
            and record.receipt.get("webhook_id") == webhook_id
        )
        replaced = created and record is not None and bool(record.baseline.get("replaced"))
        return {
            "webhook_id": webhook_id,
            "url": self.wanted.url,
            "events": self.wanted.events,
            "created": created,
            "updated": updated,
            "replaced": replaced,
        }

    def _corrected(self, keep: Subscription, why: str) -> bool:
        """Correct the subscription that stays, if there is a reason why. Returns False when it has gone meanwhile."""
        webhook_id, url = keep.webhook_id, self.wanted.url
        if why:
            try:
                self.operator.update(webhook_id, self.wanted.address, self.wanted.events)
            except NotFoundError:
                self.secrets.retire([webhook_id])
                return False
            log.info("%s: changed webhook %s for %s: %s.", self.vendor, webhook_id, url, why)
        else:
            log.info("%s: webhook %s for %s is as it should be; nothing to do.", self.vendor, webhook_id, url)
        if not self.routes.signed and webhook_id not in self._kept():
            # By that it is found again when its token is replaced.
            self.secrets.keep(webhook_id, self.wanted.name, self.wanted.events, None)
        return True

    def _created(self, why: str) -> str:
        log.info("%s: creating a webhook for %s: %s.", self.vendor, self.wanted.url, why)
        return self._submit()

    def _delete(self, surplus: Sequence[Subscription]) -> None:
        """Delete what another subscription replaces. Noted first: what is gone must not be waited for in the list."""
        if surplus:
            self.turn.ensure_owner()
            self.secrets.retire([each.webhook_id for each in surplus])
        for each in surplus:
            try:
                self.hook.delete_webhook(each.webhook_id)
            except NotFoundError:
                log.info("%s: webhook %s was gone already.", self.vendor, each.webhook_id)
            else:
                log.info("%s: deleted webhook %s for %s.", self.vendor, each.webhook_id, self.wanted.url)

    # What there is

    def _kept(self) -> dict[str, Kept]:
        from airflow_provider_mkt.state.encryption import digest  # noqa: PLC0415

        name = digest(self.wanted.name)
        return {each.webhook_id: each for each in self.secrets.rows() if each.address == name}

    def _mine(self) -> list[Subscription]:
        """Return the subscriptions for our address: those listed, and those that the list does not show yet."""
        kept = self._kept()
        rows = {row["id"]: row for row in self._rows()}
        unlisted = {each: self._unlisted(kept[each]) for each in kept if each not in rows and not kept[each].retired}
        rows.update({each: row for each, row in unlisted.items() if row is not None})
        mine = [self._read(row, kept.get(each)) for each, row in rows.items() if self._ours(row, each in kept)]
        return self._trusting(mine)

    def _rows(self) -> Iterator[dict[str, Any]]:
        return (row for row in self.hook.list_webhooks() if isinstance(row.get("id"), str))

    def _ours(self, row: dict[str, Any], made_here: bool) -> bool:
        shown = row.get(self.routes.address)
        if not isinstance(shown, str):
            return made_here
        # Made here for this address, with a token that was replaced since.
        former = made_here and not self.routes.signed and normal(shown).startswith(f"{self.wanted.name}/")
        return former or same_address(shown, self.wanted.address)

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
        log.warning("%s: webhook %s for %s was deleted elsewhere.", self.vendor, kept.webhook_id, self.wanted.url)
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

    # Creating

    def _submit(self) -> str:
        """Create one, or settle a creation whose answer was lost, and return its id."""
        record = self.submission.record()
        if record is not None and record.state == SUBMITTED:
            # It is not there any more, or of no more use: the vendor's state counts, not the record.
            self.submission.fail(record)
        record = self.submission.submit(self._request(record), self._send, self.hook.client.run)
        return str(record.receipt["webhook_id"])

    def _request(self, previous: Record | None) -> SubmissionRequest:
        body, field = self.operator.body(self.wanted.url, self.wanted.events), self.routes.address
        if previous is not None and previous.state == INTENT and previous.body.get(field) == body[field]:
            # What was begun is finished as it was; what was changed since is corrected afterwards.
            body = previous.body
        return SubmissionRequest(
            vendor=self.vendor,
            what="webhook",
            body=body,
            call=self._call,
            receipt=partial(self._receipt, body["events"]),
            reference=self.wanted.url,
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
        self.turn.ensure_owner()
        return self.hook.client.send(call, fence=fence)

    def _prepare(self) -> dict[str, Any]:
        """Note which subscriptions there are, so that none of them is taken for the one to come."""
        rows = [(row["id"], row.get(self.routes.address)) for row in self._rows()]
        ours = [each for each, shown in rows if isinstance(shown, str) and same_address(shown, self.wanted.address)]
        hidden = [each for each, shown in rows if not isinstance(shown, str)]
        self.turn.ensure_owner()
        return {"known": [*ours, *hidden], "replaced": ours}

    def _receipt(self, events: list[str], answer: dict[str, Any]) -> dict[str, Any]:
        """Keep the secret; only then return what to follow the subscription by."""
        secret = answer.get("secret") if self.routes.signed else None
        if self.routes.signed and (not isinstance(secret, str) or not secret):
            raise MalformedResponseError(
                f"{self.vendor} created webhook {answer['id']} without telling its secret", executed=True
            )
        if secret is not None:
            self.hook.hide(secret)
        self.secrets.keep(answer["id"], self.wanted.name, events, secret, made_by=self.key)
        self.answered.add(answer["id"])
        return {"webhook_id": answer["id"]}

    def _trace(self, record: Record) -> Generator[Call, Any, dict[str, Any] | None]:
        """Find out what became of a creation: its receipt, ABSENT, or None when that cannot be told."""
        kept = self._kept()
        for each in kept.values():
            if each.made_by == record.key:
                # The answer did arrive; the process ended before it was recorded.
                return {"webhook_id": each.webhook_id}
        known = {*record.baseline.get("known", []), *kept}
        new = yield from find_rows(
            self.routes.list(), self.routes.paging, lambda row: row.get("id") not in known, most=MAX_RECENT
        )
        shown = [(row.get("id"), row.get(self.routes.address)) for row in new]
        ours = [each for each, where in shown if isinstance(where, str) and same_address(where, self.wanted.address)]
        if ours and isinstance(ours[0], str):
            return {"webhook_id": ours[0]}
        conclusive = not ours and len(new) < MAX_RECENT and all(isinstance(where, str) for _, where in shown)
        return ABSENT if conclusive else None
