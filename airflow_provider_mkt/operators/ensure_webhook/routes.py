# Licensed under the Apache License, Version 2.0; see LICENSE.
"""How a vendor's subscriptions are dealt with, and what there shall be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from airflow_provider_mkt.client.endpoint import Endpoint
from airflow_provider_mkt.client.paging import Paging
from airflow_provider_mkt.operators.ensure_webhook.plan import normal


@dataclass(frozen=True)
class Routes:
    """How a vendor's subscriptions are dealt with.

    :param create: the route that creates one
    :param list: the route that lists them, without secrets
    :param paging: how that list is walked
    :param events: what may be subscribed to
    :param address: name of the field with the address
    :param signed: whether the answer to a creation holds a secret, shown this once
    :param single: whether a single one can be read
    :param updatable: whether one can be changed
    """

    create: Endpoint
    list: Endpoint
    paging: Paging
    events: tuple[str, ...]
    address: str = "url"
    signed: bool = True
    single: bool = True
    updatable: bool = True


@dataclass(frozen=True)
class DesiredWebhook:
    """What there shall be.

    :param url: where deliveries go, without a token
    :param address: the same with its token, where there is one; not shown by ``repr``
    :param events: what for
    """

    url: str
    address: str = field(repr=False)
    events: list[str]

    @property
    def name(self) -> str:
        """What the address is remembered by."""
        return normal(self.url)


class WebhookVendor(Protocol):
    """What an operator knows of its vendor's subscriptions."""

    @property
    def routes(self) -> Routes:
        """How they are dealt with."""

    @property
    def hook(self) -> Any:
        """The vendor's hook: it lists and deletes them, and reads a single one where ``routes.single`` says so."""

    def address(self, url: str) -> str:
        """Return the address that the vendor is given for ``url``."""

    def body(self, url: str, events: list[str]) -> dict[str, Any]:
        """Return the body of a creation, as it is recorded: without any secret."""

    def update(self, webhook_id: str, address: str, events: list[str]) -> None:
        """Give a subscription this address and these events, and make it active."""
