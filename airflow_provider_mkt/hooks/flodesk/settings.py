# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Custom fields, webhooks and campaigns of Flodesk.

Vendor documents: Flodesk API reference, version 1.0.0; its OpenAPI description for campaigns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_mkt import validation
from airflow_provider_mkt.client.paging import MAX_PAGE, PageNumbers, Unpaged
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.hooks.flodesk.audience import pages
from airflow_provider_mkt.vendors import flodesk

MAX_DESIGN = 1_000_000
"""Characters of a design's field: bodies of about 1 MB are assumed to be accepted."""


class SettingMethods(MarketingHook):
    """The part of the hook that deals with custom fields, webhooks and campaigns."""

    vendor = flodesk.VENDOR

    def list_custom_fields(self, *, per_page: int = MAX_PAGE) -> Iterator[dict[str, Any]]:
        """Yield all custom fields, page by page.

        :param per_page: rows per request, at most 100
        """
        return self.rows(flodesk.LIST_CUSTOM_FIELDS(), pages(per_page))

    def create_custom_field(self, label: str) -> dict[str, Any]:
        """Create a custom field. Several may have one label, so look for it in :meth:`list_all_custom_fields` first.

        :param label: what people call it
        :return: ``label`` and ``key``, which the vendor makes
        :raises OutcomeUnknownError: when it is unknown whether it was created
        """
        return self.fetch(flodesk.CREATE_CUSTOM_FIELD(body={"label": validation.text("label", label)}))

    def list_all_custom_fields(self) -> Iterator[dict[str, Any]]:
        """Yield all custom fields, read with one request."""
        return self.rows(flodesk.LIST_ALL_CUSTOM_FIELDS(), Unpaged())

    def list_webhooks(self, *, per_page: int = MAX_PAGE) -> Iterator[dict[str, Any]]:
        """Yield the webhook subscriptions. Their names are not shown.

        :param per_page: rows per request, at most 100
        """
        return self.rows(flodesk.LIST_WEBHOOKS(), pages(per_page))

    def create_webhook(self, name: str, post_url: str, events: Sequence[str]) -> dict[str, Any]:
        """Subscribe to events. Deliveries are not signed: put an unguessable token into the address.

        :param name: what people call it
        :param post_url: where deliveries go, https and public
        :param events: ``subscriber.created``, ``subscriber.added_to_segment``, ``subscriber.unsubscribed``
        :return: the subscription
        :raises OutcomeUnknownError: when it is unknown whether it was created
        """
        return self.fetch(flodesk.CREATE_WEBHOOK(body=self._webhook(name, post_url, events)))

    def get_webhook(self, webhook_id: str) -> dict[str, Any]:
        """Read a subscription.

        :param webhook_id: the subscription
        """
        return self.fetch(flodesk.GET_WEBHOOK(path={"webhook_id": webhook_id}))

    def update_webhook(self, webhook_id: str, name: str, post_url: str, events: Sequence[str]) -> dict[str, Any]:
        """Replace a subscription. Whether omitted fields would stay is not documented, so all three are sent.

        :param webhook_id: the subscription
        :param name: as for :meth:`create_webhook`
        :param post_url: as for :meth:`create_webhook`
        :param events: as for :meth:`create_webhook`
        """
        body = self._webhook(name, post_url, events)
        return self.fetch(flodesk.UPDATE_WEBHOOK(path={"webhook_id": webhook_id}, body=body))

    def delete_webhook(self, webhook_id: str) -> None:
        """Unsubscribe.

        :param webhook_id: the subscription
        :raises NotFoundError: when there is none, and none was deleted by this very call
        """
        self.send(flodesk.DELETE_WEBHOOK(path={"webhook_id": webhook_id}))

    def _webhook(self, name: str, post_url: str, events: Sequence[str]) -> dict[str, Any]:
        return {
            "name": validation.text("name", name),
            "post_url": self.callback("post_url", post_url),
            "events": validation.choices("events", events, flodesk.EVENTS),
        }

    def list_campaigns(
        self,
        *,
        search: str | None = None,
        status: str | None = None,
        shared_as_template: bool | None = None,
        order_by: str | None = None,
        sort: str | None = None,
        per_page: int = MAX_PAGE,
    ) -> Iterator[dict[str, Any]]:
        """Yield campaigns. No route of the vendor sends or schedules one.

        :param search: part of the name
        :param status: only ``draft``, ``pending``, ``scheduled``, ``composing``, ``sending``, ``done`` or ``failed``
        :param shared_as_template: only those that are, or are not, shared as templates
        :param order_by: what to sort by; the vendor does not say what it takes
        :param sort: in which direction; the vendor does not say what it takes
        :param per_page: rows per request, at most 100
        """
        if status is not None:
            validation.choice("status", status, flodesk.CAMPAIGN_STATUSES)
        shared = None
        if shared_as_template is not None:
            shared = "true" if validation.flag("shared_as_template", shared_as_template) else "false"
        query = {"Search": search, "Status": status, "SharedAsTemplate": shared, "OrderBy": order_by, "Sort": sort}
        # There is no count of pages here: a short page is the last.
        return self.rows(flodesk.LIST_CAMPAIGNS(query=query), PageNumbers(per_page))

    def publish_canva_design(self, design: Mapping[str, str]) -> dict[str, Any]:
        """Make a draft campaign of a Canva design. It is sent exactly once, even when the vendor asks to wait.

        :param design: any of ``bundle_url``, ``title``, ``design_token``, ``page_id``, ``campaign_id``
        :return: ``id`` of the campaign and its ``url``
        :raises OutcomeUnknownError: when it is unknown whether it was made
        """
        return self.fetch(flodesk.PUBLISH_CANVA_DESIGN(body=design_body(design, flodesk.CANVA_FIELDS)))

    def get_canva_design_state(self) -> dict[str, Any]:
        """Read which Canva design was published last.

        :return: ``design_id`` and ``campaign_id``
        """
        return self.fetch(flodesk.GET_CANVA_DESIGN_STATE())

    def publish_studio_design(self, design: Mapping[str, str]) -> dict[str, Any]:
        """Make a draft campaign of a studio design. It is sent exactly once, even when the vendor asks to wait.

        :param design: any of ``html``, ``title``, ``campaign_id``, ``asset_id``
        :return: ``id`` of the campaign and its ``url``
        :raises OutcomeUnknownError: when it is unknown whether it was made
        """
        return self.fetch(flodesk.PUBLISH_STUDIO_DESIGN(body=design_body(design, flodesk.STUDIO_FIELDS)))


def design_body(design: Mapping[str, str], known: Sequence[str]) -> dict[str, str]:
    """Return the checked fields of a design; none is required by itself.

    :raises ValidationError: naming the field, or when there is none
    """
    validation.known_fields("design", design, known)
    body = {
        name: validation.text(f"design.{name}", value, longest=MAX_DESIGN)
        for name, value in design.items()
        if value is not None
    }
    if not body:
        raise ValidationError(f"design is empty; give some of {', '.join(known)}.")
    return body
