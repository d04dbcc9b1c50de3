# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Webhook subscriptions: one active subscription for an address, with exactly these events and a secret known here.

Everything goes by what the vendor has, not by what was done before. The parts that could go wrong twice are done in
this order:

1. A turn in the shared store: of all tasks, one at a time works on an address.
2. A creation whose answer was lost is settled, by its idempotency key or by the vendor's list.
3. The vendor is asked, and the plan is made.
4. A new subscription is created through :mod:`airflow_provider_mkt.submission`. Its secret is in the shared store
   before the record says that it exists.
5. Only then the old ones are deleted, so that no event falls between two subscriptions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_mkt import validation
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.links.submission import SubmissionLink
from airflow_provider_mkt.operators.base import Hook, MarketingOperator
from airflow_provider_mkt.tasks.reschedule import reschedule_when_rate_limited

if TYPE_CHECKING:
    from airflow.sdk import Context
    from typing_extensions import Required

    from airflow_provider_mkt.operators.ensure_webhook.routes import Routes
    from airflow_provider_mkt.tasks.parameters import OperatorParameters

    class WebhookParameters(OperatorParameters, total=False):
        """What all take that ensure a subscription."""

        url: Required[str]
        events: Required[Sequence[str]]


class EnsureWebhookBase(MarketingOperator[Hook]):
    """Ensures that there is exactly one active subscription for an address, with exactly these events.

    Returns ``webhook_id``, ``url``, ``events``, ``created``, ``updated`` and ``replaced``, each also as an XCom of its
    own. Only subscriptions for the same address are ever touched.

    :param url: where deliveries go, https and public; it is stored and shown, so it must not hold a secret
    :param events: what to subscribe to
    :raises StoreError: when the shared store cannot be used; nothing was sent then, or the next try settles it
    """

    operator_extra_links = (SubmissionLink(),)

    def __init__(self, *, url: str, events: Sequence[str], multiple_outputs: bool = True, **kwargs: Any) -> None:
        super().__init__(multiple_outputs=multiple_outputs, **kwargs)
        self.url = url
        self.events = events

    @cached_property
    def routes(self) -> Routes:
        """How the vendor's subscriptions are dealt with."""
        raise NotImplementedError

    def address(self, url: str) -> str:
        """Return the address that the vendor is given for ``url``.

        :raises ValidationError: naming what is wrong
        """
        return url

    def body(self, url: str, events: list[str]) -> dict[str, Any]:
        """Return the body of a creation, as it is recorded: without any secret."""
        return {self.routes.address: url, "events": events}

    def update(self, webhook_id: str, address: str, events: list[str]) -> None:
        """Give a subscription this address and these events, and make it active."""
        raise NotImplementedError

    def execute(self, context: Context) -> dict[str, Any]:
        """Look, and do what is missing."""
        from airflow_provider_mkt.operators.ensure_webhook.reconcile import WebhookReconciler
        from airflow_provider_mkt.operators.ensure_webhook.routes import DesiredWebhook
        from airflow_provider_mkt.state.database.shared import store
        from airflow_provider_mkt.state.exclusive import ExclusiveLease
        from airflow_provider_mkt.submission.request import TaskKey
        from airflow_provider_mkt.submission.submit import Submission

        url = self._checked_url()
        events = validation.choices("events", self.events, self.routes.events)
        task_key = TaskKey.of(context, self.conn_id)
        desired = DesiredWebhook(url, self.address(url), events)
        key = "/".join(("webhook", *self.hook.account.identity, desired.name))
        with reschedule_when_rate_limited(), ExclusiveLease(store(), key) as lease:
            submission = Submission(context["task_state_store"], task_key, guard=self.guard(context))
            return WebhookReconciler(self, submission, lease, desired).reconcile(task_key.clear_count)

    def _checked_url(self) -> str:
        url = self.hook.callback("url", self.url)
        parts = urlsplit(url)
        if parts.fragment or "@" in parts.netloc:
            raise ValidationError("url must have neither a user name nor a fragment (#…); leave them out.")
        return url
