# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Webhooks, API keys and usage figures of Flow Social. Vendor pages "Webhooks", "Authentication", "Overview"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from airflow_provider_mkt import validation
from airflow_provider_mkt.client.paging import MAX_PAGE, PageNumbers
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.vendors import flow_social


class SettingMethods(MarketingHook):
    """The part of the hook that deals with webhooks, API keys and usage."""

    vendor = flow_social.VENDOR

    def list_webhooks(self, *, per_page: int = MAX_PAGE) -> Iterator[dict[str, Any]]:
        """Yield the webhook subscriptions, without their secrets.

        :param per_page: rows per request, at most 100
        """
        return self.rows(flow_social.LIST_WEBHOOKS(), PageNumbers(per_page))

    def create_webhook(self, url: str, events: Sequence[str], idempotency_key: str | None = None) -> dict[str, Any]:
        """Subscribe to events.

        :param url: where deliveries go, https and public
        :param events: ``post.created``, ``post.delivered``, ``post.failed``, ``post.blocked``, ``channel.created``,
            ``channel.updated``, ``webhook.test``
        :param idempotency_key: names this subscription for 24 hours; by default a new key for this call
        :return: the subscription with its ``secret``, which the vendor shows this once
        """
        body = {"url": self.callback("url", url), "events": validation.choices("events", events, flow_social.EVENTS)}
        webhook = self.fetch(flow_social.CREATE_WEBHOOK(body=body, idempotency_key=validation.key(idempotency_key)))
        self.hide_in(webhook, "secret")
        return webhook

    def get_webhook(self, webhook_id: str) -> dict[str, Any]:
        """Read a subscription, without its secret.

        :param webhook_id: the subscription
        """
        return self.fetch(flow_social.GET_WEBHOOK(path={"webhook_id": webhook_id}))

    def update_webhook(
        self,
        webhook_id: str,
        *,
        url: str | None = None,
        events: Sequence[str] | None = None,
        active: bool | None = None,
    ) -> dict[str, Any]:
        """Change a subscription.

        :param webhook_id: the subscription
        :param url: where deliveries go from now on
        :param events: as for :meth:`create_webhook`
        :param active: whether there are deliveries at all
        """
        body: dict[str, Any] = {}
        if url is not None:
            body["url"] = self.callback("url", url)
        if events is not None:
            body["events"] = validation.choices("events", events, flow_social.EVENTS)
        if active is not None:
            body["active"] = validation.flag("active", active)
        if not body:
            raise ValidationError("url, events and active are all missing; give at least one of them.")
        return self.fetch(flow_social.UPDATE_WEBHOOK(path={"webhook_id": webhook_id}, body=body))

    def delete_webhook(self, webhook_id: str) -> None:
        """Unsubscribe.

        :param webhook_id: the subscription
        :raises NotFoundError: when there is none, and none was deleted by this very call
        """
        self.send(flow_social.DELETE_WEBHOOK(path={"webhook_id": webhook_id}))

    def list_webhook_deliveries(
        self, webhook_id: str, status: str | None = None, *, per_page: int = MAX_PAGE
    ) -> Iterator[dict[str, Any]]:
        """Yield what was delivered to a subscription.

        :param webhook_id: the subscription
        :param status: only ``pending``, ``delivered`` or ``failed`` ones
        :param per_page: rows per request, at most 100
        """
        if status is not None:
            validation.choice("status", status, flow_social.DELIVERY_STATUSES)
        call = flow_social.LIST_WEBHOOK_DELIVERIES(path={"webhook_id": webhook_id}, query={"status": status})
        return self.rows(call, PageNumbers(per_page))

    def test_webhook(self, webhook_id: str) -> dict[str, Any]:
        """Have a ``webhook.test`` event delivered.

        :param webhook_id: the subscription
        :return: the delivery
        """
        return self.fetch(flow_social.TEST_WEBHOOK(path={"webhook_id": webhook_id}))

    def list_api_keys(self, *, per_page: int = MAX_PAGE) -> Iterator[dict[str, Any]]:
        """Yield the account's API keys, without their secret parts.

        :param per_page: rows per request, at most 100
        """
        return self.rows(flow_social.LIST_API_KEYS(), PageNumbers(per_page))

    def create_api_key(
        self, name: str, permissions: Sequence[str] | None = None, idempotency_key: str | None = None
    ) -> dict[str, Any]:
        """Create an API key.

        :param name: what people call it
        :param permissions: e.g. ``["posts:read"]``; by default everything
        :param idempotency_key: names this key for 24 hours; by default a new one for this call
        :return: holds ``apiKey``, which the vendor shows this once
        """
        body: dict[str, Any] = {"name": validation.text("name", name)}
        if permissions is not None:
            body["permissions"] = validation.choices("permissions", permissions, flow_social.PERMISSIONS)
        created = self.fetch(flow_social.CREATE_API_KEY(body=body, idempotency_key=validation.key(idempotency_key)))
        self.hide_in(created, "apiKey")
        return created

    def get_api_key(self, key_id: str) -> dict[str, Any]:
        """Read about an API key.

        :param key_id: the key's id, not the key
        """
        return self.fetch(flow_social.GET_API_KEY(path={"key_id": key_id}))

    def update_api_key(self, key_id: str, name: str) -> dict[str, Any]:
        """Rename an API key (field assumed).

        :param key_id: the key's id
        :param name: its new name
        """
        return self.fetch(
            flow_social.UPDATE_API_KEY(path={"key_id": key_id}, body={"name": validation.text("name", name)})
        )

    def delete_api_key(self, key_id: str) -> None:
        """Revoke an API key.

        :param key_id: the key's id
        :raises NotFoundError: when there is none, and none was deleted by this very call
        """
        self.send(flow_social.DELETE_API_KEY(path={"key_id": key_id}))

    def get_usage(self) -> dict[str, Any]:
        """Read the account's usage of the current period."""
        return self.fetch(flow_social.GET_USAGE())

    def get_usage_history(self, start: date | str | None = None, end: date | str | None = None) -> list[dict[str, Any]]:
        """Read the usage day by day.

        :param start: first day, ``YYYY-MM-DD`` (assumed name ``from``)
        :param end: last day (assumed name ``to``)
        """
        first = None if start is None else validation.day("start", start)
        last = None if end is None else validation.day("end", end)
        validation.in_order("start", first, "end", last)
        days: list[dict[str, Any]] = self.send(flow_social.GET_USAGE_HISTORY(query={"from": first, "to": last}))
        return days

    def get_usage_day(self, day: date | str | None = None) -> dict[str, Any]:
        """Read the usage of one day.

        :param day: ``YYYY-MM-DD`` (assumed name ``date``); by default today
        """
        query = {"date": None if day is None else validation.day("day", day)}
        return self.fetch(flow_social.GET_USAGE_DAY(query=query))
