# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Webhook subscriptions at Flinque. Vendor document: Flinque Help Centre, "Developer API"."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from airflow_provider_mkt.operators.ensure_webhook.operator import EnsureWebhookBase
from airflow_provider_mkt.vendors import flinque

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from airflow_provider_mkt.hooks.flinque import FlinqueHook
    from airflow_provider_mkt.operators.ensure_webhook.operator import WebhookParameters
    from airflow_provider_mkt.operators.ensure_webhook.routes import Routes


class FlinqueEnsureWebhookOperator(EnsureWebhookBase["FlinqueHook"]):
    """Ensures that Flinque has exactly one subscription for an address, with exactly these events.

    Flinque can neither change a subscription nor show its secret again. Where events differ or the secret is not known
    here, a new one is created and the old one deleted.

    :param url: where deliveries go, https and public; it is stored and shown, so it must not hold a secret
    :param events: ``campaign.created``, ``campaign.updated``, ``order.attributed``, ``creator.added``, ``report.ready``
    :param flinque_conn_id: connection
    """

    template_fields: Sequence[str] = ("url", "events", "flinque_conn_id")
    ui_color = flinque.VENDOR.color
    vendor = flinque.VENDOR

    def __init__(
        self, *, flinque_conn_id: str = flinque.VENDOR.default_conn_id, **kwargs: Unpack[WebhookParameters]
    ) -> None:
        super().__init__(conn_id=flinque_conn_id, **kwargs)

    @cached_property
    def routes(self) -> Routes:
        """How the vendor's subscriptions are dealt with."""
        from airflow_provider_mkt.client.paging import Hints
        from airflow_provider_mkt.operators.ensure_webhook.routes import Routes

        return Routes(
            flinque.CREATE_WEBHOOK, flinque.LIST_WEBHOOKS, Hints(), flinque.EVENTS, single=False, updatable=False
        )
