# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The operators that keep one subscription for an address, vendor by vendor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import text

from airflow_provider_mkt.hooks.account import secrets_of
from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.operators.ensure_webhook.operator import EnsureWebhookBase
from airflow_provider_mkt.operators.flinque import FlinqueEnsureWebhookOperator
from airflow_provider_mkt.operators.flodesk import FlodeskEnsureWebhookOperator
from airflow_provider_mkt.operators.flow_social import FlowSocialEnsureWebhookOperator
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state.database import shared as stores
from tests.unit.context import Task

URL = "https://airflow.example.com/mkt/webhooks/mine"

OTHER = "https://airflow.example.com/mkt/webhooks/other"

TOKEN = "t0ken-of-the-webhook-address"


@dataclass(frozen=True)
class Kind:
    """One vendor's operator.

    :param path: path of the vendor's webhooks in the sandbox
    :param events: what is subscribed to; ``others`` is something else
    :param address: field of the address
    """

    operator: type[EnsureWebhookBase]
    hook: type[Any]
    vendor: str
    path: str
    events: list[str]
    others: list[str]
    address: str = "url"
    options: dict[str, Any] = field(default_factory=dict)

    def __call__(self, **options: Any) -> EnsureWebhookBase:
        given = {"task_id": "publish", "url": URL, "events": self.events, **self.options, **options}
        return self.operator(**given)

    def there(self, url: str = URL, **connection: str) -> list[dict[str, Any]]:
        """Return the vendor's subscriptions for an address."""
        rows = self.hook(**connection).list_webhooks()
        return [row for row in rows if row[self.address].removesuffix(f"/{TOKEN}") == url]

    def add(self, url: str = URL, events: list[str] | None = None) -> str:
        """Subscribe in another way than by the operator."""
        hook, events = self.hook(), events or self.events
        row = (
            hook.create_webhook("x", f"{url}/{TOKEN}", events) if self is FLODESK else hook.create_webhook(url, events)
        )
        return str(row["id"])

    def made(self, vendors: Sandbox) -> int:
        return len(vendors.ledger(self.vendor, "webhook.created"))

    def secret(self, webhook_id: str) -> str | None:
        """Return the secret that is kept for a subscription."""
        kept = secrets_of(self.hook().account)
        return next((kept.secret(each) for each in kept.rows() if each.webhook_id == webhook_id), None)

    @property
    def create(self) -> str:
        return f"POST {self.path}"

    @property
    def list(self) -> str:
        return f"GET {self.path}"


FLINQUE = Kind(
    FlinqueEnsureWebhookOperator,
    FlinqueHook,
    "flinque",
    "/flinque/v1/webhooks",
    ["report.ready", "order.attributed"],
    ["report.ready"],
)

FLOW_SOCIAL = Kind(
    FlowSocialEnsureWebhookOperator,
    FlowSocialHook,
    "flow_social",
    "/flow-social/v1/webhooks",
    ["post.delivered", "post.failed"],
    ["post.failed"],
)

FLODESK = Kind(
    FlodeskEnsureWebhookOperator,
    FlodeskHook,
    "flodesk",
    "/flodesk/v1/webhooks",
    ["subscriber.created", "subscriber.unsubscribed"],
    ["subscriber.created"],
    "post_url",
    {"name": "Airflow"},
)

KINDS = {"flinque": FLINQUE, "flow_social": FLOW_SOCIAL, "flodesk": FLODESK}

SIGNED = {"flinque": FLINQUE, "flow_social": FLOW_SOCIAL}

every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)

every_signed = pytest.mark.parametrize("kind", SIGNED.values(), ids=SIGNED)


def settle(task: Task) -> None:
    """Let enough time pass for the vendor's list to be complete."""
    record = task.record
    times = {name: value - 1_000 for name, value in record.items() if name.endswith("_at") and value}
    task.store.set("mkt.submission.0", {**record, **times})
    stores.store().run(lambda connection: connection.execute(text("UPDATE mkt_webhook SET kept_at = kept_at - 1000")))


def effects(vendors: Sandbox, kind: Kind) -> list[str]:
    return [entry["effect"] for entry in vendors.ledger(kind.vendor) if entry["effect"].startswith("webhook.")]
