# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Webhook subscriptions at Flow Social. Vendor document: Flow developer documentation, "API Reference"."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from airflow_provider_mkt.operators.ensure_webhook.operator import EnsureWebhookBase
from airflow_provider_mkt.vendors import flow_social

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
    from airflow_provider_mkt.operators.ensure_webhook.operator import WebhookParameters
    from airflow_provider_mkt.operators.ensure_webhook.routes import Routes


class FlowSocialEnsureWebhookOperator(EnsureWebhookBase["FlowSocialHook"]):
    """Ensures that Flow Social has exactly one active subscription for an address, with exactly these events.

    Events are changed, and an inactive subscription is made active, in place. One whose secret is not known here is
    replaced.

    :param url: where deliveries go, https and public; it is stored and shown, so it must not hold a secret
    :param events: ``post.created``, ``post.delivered``, ``post.failed``, ``post.blocked``, ``channel.created``,
        ``channel.updated``, ``webhook.test``
    :param flow_social_conn_id: connection
    """

    template_fields: Sequence[str] = ("url", "events", "flow_social_conn_id")
    ui_color = flow_social.VENDOR.color
    vendor = flow_social.VENDOR

    def __init__(
        self, *, flow_social_conn_id: str = flow_social.VENDOR.default_conn_id, **kwargs: Unpack[WebhookParameters]
    ) -> None:
        super().__init__(conn_id=flow_social_conn_id, **kwargs)

    @cached_property
    def routes(self) -> Routes:
        """How the vendor's subscriptions are dealt with."""
        from airflow_provider_mkt.client.paging import PageNumbers
        from airflow_provider_mkt.operators.ensure_webhook.routes import Routes

        return Routes(flow_social.CREATE_WEBHOOK, flow_social.LIST_WEBHOOKS, PageNumbers(), flow_social.EVENTS)

    def update(self, webhook_id: str, address: str, events: list[str]) -> None:
        """Change the events and make the subscription active."""
        self.hook.update_webhook(webhook_id, events=events, active=True)
