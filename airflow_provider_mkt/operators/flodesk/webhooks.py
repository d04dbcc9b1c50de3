# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Webhook subscriptions at Flodesk. Vendor document: Flodesk API reference, version 1.0.0."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_mkt import validation
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.operators.ensure_webhook.operator import EnsureWebhookBase
from airflow_provider_mkt.vendors import flodesk

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from airflow_provider_mkt.hooks.flodesk import FlodeskHook
    from airflow_provider_mkt.operators.ensure_webhook.operator import WebhookParameters
    from airflow_provider_mkt.operators.ensure_webhook.routes import Routes

TOKEN = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]{15,}")
"""What an address holds as it is, and is hard to guess."""


class FlodeskEnsureWebhookOperator(EnsureWebhookBase["FlodeskHook"]):
    """Ensures that Flodesk has exactly one subscription for an address, with exactly these events.

    Flodesk does not sign its deliveries. Its address therefore ends with the connection's ``webhook_token``, which is
    added here: it stands neither in the DAG nor in any record. After the token was replaced, the next run gives the
    subscription its new address.

    :param url: where deliveries go, https and public, without the token
    :param events: ``subscriber.created``, ``subscriber.added_to_segment``, ``subscriber.unsubscribed``
    :param name: what people call the subscription; Flodesk does not show it, so a new name alone changes nothing
    :param flodesk_conn_id: connection, with the extra ``webhook_token``
    """

    template_fields: Sequence[str] = ("url", "events", "name", "flodesk_conn_id")
    ui_color = flodesk.VENDOR.color
    vendor = flodesk.VENDOR

    def __init__(
        self,
        *,
        name: str = "Airflow",
        flodesk_conn_id: str = flodesk.VENDOR.default_conn_id,
        **kwargs: Unpack[WebhookParameters],
    ) -> None:
        super().__init__(conn_id=flodesk_conn_id, **kwargs)
        self.name = name

    @cached_property
    def routes(self) -> Routes:
        """How the vendor's subscriptions are dealt with."""
        from airflow_provider_mkt.client.paging import MAX_PAGE
        from airflow_provider_mkt.hooks.flodesk.audience import pages
        from airflow_provider_mkt.operators.ensure_webhook.routes import Routes

        return Routes(
            flodesk.CREATE_WEBHOOK,
            flodesk.LIST_WEBHOOKS,
            pages(MAX_PAGE),
            flodesk.EVENTS,
            address="post_url",
            signed=False,
        )

    def address(self, url: str) -> str:
        """Return ``url`` with the connection's token at its end: a secret.

        :raises ValidationError: when there is no token, it is easy to guess, or ``url`` has it already
        """
        token = self.hook.account.extras["webhook_token"] or ""
        if TOKEN.fullmatch(token) is None:
            raise ValidationError(
                f"Connection {self.conn_id!r} (Flodesk): the extra 'webhook_token' must be 16 characters or more, of "
                "letters, digits, '-', '_', '.' and '~'; enter a long random text."
            )
        if token in url or url.endswith("/") or urlsplit(url).query:
            raise ValidationError(
                "url must be the address without the token, a query and a slash at its end; leave them out."
            )
        return f"{url}/{token}"

    def body(self, url: str, events: list[str]) -> dict[str, Any]:
        """Return the body of a creation without the token."""
        return {"name": validation.text("name", self.name), "post_url": url, "events": events}

    def update(self, webhook_id: str, address: str, events: list[str]) -> None:
        """Give a subscription this address and these events."""
        self.hook.update_webhook(webhook_id, validation.text("name", self.name), address, events)
