# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Hook for Flinque. Vendor document: Flinque Help Centre, "Developer API"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt import validation
from airflow_provider_mkt.client.endpoint import Call, Limit
from airflow_provider_mkt.client.page_walk import walk_pages
from airflow_provider_mkt.client.paging import Hints, LargePages, checked_page_size
from airflow_provider_mkt.hooks.account import Account
from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.hooks.flinque.report_download import export
from airflow_provider_mkt.vendors import flinque

if TYPE_CHECKING:
    from airflow_provider_mkt.client.auth import Auth, Token


class FlinqueHook(MarketingHook):
    """Runs influencer campaigns, reads attribution, generates reports.

    :param flinque_conn_id: connection with client id and client secret
    """

    vendor = flinque.VENDOR
    conn_name_attr = "flinque_conn_id"
    default_conn_name = "flinque_default"
    conn_type = "flinque"
    hook_name = flinque.VENDOR.name

    def __init__(self, flinque_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(flinque_conn_id, **kwargs)

    def auth(self, account: Account) -> Auth:
        """Return the scheme: OAuth 2.0 client credentials, a token of 24 hours."""
        from airflow_provider_mkt.client.auth import TokenAuth
        from airflow_provider_mkt.state.tokens.shared import TOKENS

        key = "/".join(account.identity)
        return TokenAuth(partial(TOKENS.get, key, self._fetch_token), partial(TOKENS.discard, key), shared=key)

    def _fetch_token(self) -> Token:
        from airflow_provider_mkt.client.auth import Token, lifetime_of
        from airflow_provider_mkt.client.secret import concealed

        body = {
            "grant_type": "client_credentials",
            "client_id": self.account.login,
            "client_secret": self.account.password,
        }
        answer = concealed(self.send(flinque.TOKEN(body=body)))
        self.hide(answer["access_token"])
        return Token(answer["access_token"], lifetime_of(answer, flinque.TOKEN_LIFETIME))

    def vendor_limits(self, account: Account) -> Mapping[str, Limit]:
        """Return the rate limit of the connection's plan."""
        return {"default": flinque.PLANS[account.extras["plan"]]}

    def list_creators(self) -> Iterator[dict[str, Any]]:
        """Yield the creators that the workspace can see."""
        return self.rows(flinque.LIST_CREATORS(), Hints())

    def get_creator(self, creator_id: str) -> dict[str, Any]:
        """Read a creator's profile.

        :param creator_id: the creator
        """
        return self.fetch(flinque.GET_CREATOR(path={"creator_id": creator_id}))

    def get_creator_audience(self, creator_id: str) -> dict[str, Any]:
        """Read who follows a creator.

        :param creator_id: the creator
        """
        return self.fetch(flinque.GET_CREATOR_AUDIENCE(path={"creator_id": creator_id}))

    def list_creator_posts(self, creator_id: str) -> Iterator[dict[str, Any]]:
        """Yield a creator's posts.

        :param creator_id: the creator
        """
        return self.rows(flinque.LIST_CREATOR_POSTS(path={"creator_id": creator_id}), Hints())

    def list_campaigns(self) -> Iterator[dict[str, Any]]:
        """Yield the workspace's campaigns."""
        return self.rows(flinque.LIST_CAMPAIGNS(), Hints())

    def create_campaign(self, campaign: Mapping[str, Any]) -> dict[str, Any]:
        """Create a campaign. The vendor has no idempotency key: nothing here is repeated blindly.

        :param campaign: ``name`` and what else the vendor takes; its fields are not published. Money as decimal text,
            dates as ISO 8601
        :return: the campaign, with its ``id``
        :raises ValidationError: naming the field, before anything is sent; or the vendor's refusal
        :raises OutcomeUnknownError: when it is unknown whether it was created
        """
        return self.fetch(flinque.CREATE_CAMPAIGN(body=campaign_body(campaign)))

    def get_campaign(self, campaign_id: str) -> dict[str, Any]:
        """Read a campaign.

        :param campaign_id: the campaign
        """
        return self.fetch(flinque.GET_CAMPAIGN(path={"campaign_id": campaign_id}))

    def update_campaign(self, campaign_id: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Change a campaign. It may be sent more than once, so it must name values, not increments.

        :param campaign_id: the campaign
        :param changes: fields to their new values
        :return: the campaign
        """
        body = validation.json_object("changes", changes, "{'status': 'active'}")
        return self.fetch(flinque.UPDATE_CAMPAIGN(path={"campaign_id": campaign_id}, body=body))

    def list_attribution_orders(
        self, *, start: datetime | str | None = None, end: datetime | str | None = None, per_page: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield orders credited to creators.

        :param start: from this moment on, ISO 8601 (assumed filter ``from``)
        :param end: up to this moment, ISO 8601 (assumed filter ``to``)
        :param per_page: rows asked for per request, at most 100 (assumed); None leaves it to Flinque, which gives 20
        """
        call = orders_call(start, end)
        if per_page is None:
            return self.rows(call, Hints())
        pages = walk_pages(self.client, call, LargePages(checked_page_size(per_page)))
        return chain.from_iterable(page.rows for page in pages)

    def get_attribution_revenue(
        self, *, start: datetime | str | None = None, end: datetime | str | None = None
    ) -> dict[str, Any]:
        """Read the revenue credited to creators.

        :param start: from this moment on, ISO 8601 (assumed filter ``from``)
        :param end: up to this moment, ISO 8601 (assumed filter ``to``)
        """
        return self.fetch(flinque.GET_ATTRIBUTION_REVENUE(query=_between(start, end)))

    def list_attribution_events(
        self, *, start: datetime | str | None = None, end: datetime | str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the steps that led to orders.

        :param start: from this moment on, ISO 8601 (assumed filter ``from``)
        :param end: up to this moment, ISO 8601 (assumed filter ``to``)
        """
        return self.rows(flinque.LIST_ATTRIBUTION_EVENTS(query=_between(start, end)), Hints())

    def list_reports(
        self, *, start: datetime | str | None = None, end: datetime | str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the workspace's reports.

        :param start: created from this moment on, ISO 8601 (assumed filter ``from``)
        :param end: created up to this moment, ISO 8601 (assumed filter ``to``)
        """
        return self.rows(flinque.LIST_REPORTS(query=_between(start, end)), Hints())

    def generate_report(self, report: Mapping[str, Any]) -> dict[str, Any]:
        """Start generating a report.

        :param report: the request, e.g. ``{"type": "campaign", "campaign_id": "ca_1"}``; its fields are not published
        :return: the report, pending, with its ``id``
        :raises OutcomeUnknownError: when it is unknown whether it was started
        """
        return self.fetch(flinque.GENERATE_REPORT(body=report_body(report)))

    def export_report(self, report_id: str) -> Iterator[bytes]:
        """Yield the file of a finished report in chunks of at most 64 KiB.

        Where the vendor answers with a link, the file behind it is read; a foreign host is not shown the credentials.

        :param report_id: the report
        :raises NotFoundError: when it does not exist
        :raises ApiError: with status 202 or 409 when it is not ready yet
        """
        call = flinque.EXPORT_REPORT(path={"report_id": validation.text("report_id", report_id)})
        return export(self.client, self.account.base_url, call)

    def list_workspaces(self) -> Iterator[dict[str, Any]]:
        """Yield the workspaces of the credentials."""
        return self.rows(flinque.LIST_WORKSPACES(), Hints())

    def get_workspace(self, workspace_id: str) -> dict[str, Any]:
        """Read a workspace.

        :param workspace_id: the workspace
        """
        return self.fetch(flinque.GET_WORKSPACE(path={"workspace_id": workspace_id}))

    def list_workspace_members(self, workspace_id: str) -> Iterator[dict[str, Any]]:
        """Yield the members of a workspace.

        :param workspace_id: the workspace
        """
        return self.rows(flinque.LIST_WORKSPACE_MEMBERS(path={"workspace_id": workspace_id}), Hints())

    def list_webhooks(self) -> Iterator[dict[str, Any]]:
        """Yield the webhook subscriptions, without their secrets."""
        return self.rows(flinque.LIST_WEBHOOKS(), Hints())

    def create_webhook(self, url: str, events: Sequence[str]) -> dict[str, Any]:
        """Subscribe to events. There is no way to change a subscription: create the new one, then delete the old one.

        :param url: where deliveries go, https and public
        :param events: ``campaign.created``, ``campaign.updated``, ``order.attributed``, ``creator.added``,
            ``report.ready``
        :return: the subscription with its ``secret``, which the vendor shows this once
        :raises OutcomeUnknownError: when it is unknown whether it was created
        """
        body = {"url": self.callback("url", url), "events": validation.choices("events", events, flinque.EVENTS)}
        webhook = self.fetch(flinque.CREATE_WEBHOOK(body=body))
        self.hide_in(webhook, "secret")
        return webhook

    def delete_webhook(self, webhook_id: str) -> None:
        """Unsubscribe.

        :param webhook_id: the subscription
        :raises NotFoundError: when there is none, and none was deleted by this very call
        """
        self.send(flinque.DELETE_WEBHOOK(path={"webhook_id": webhook_id}))

    def check(self) -> str:
        """List the workspaces."""
        return f"Flinque accepts the credentials; they reach {len(list(self.list_workspaces()))} workspace(s)."


def campaign_body(campaign: Any) -> dict[str, Any]:
    """Return the body of a new campaign.

    :raises ValidationError: when it is not an object, has no name, or holds what is not JSON
    """
    body = validation.json_object("campaign", campaign, "{'name': 'Spring open house'}")
    validation.text("campaign.name", body.get("name"))
    return body


def report_body(report: Any) -> dict[str, Any]:
    """Return the body of a report request.

    :raises ValidationError: when it is not an object, is empty, or holds what is not JSON
    """
    return validation.json_object("report", report, "{'type': 'campaign'}")


def orders_call(start: datetime | str | None, end: datetime | str | None) -> Call:
    """Return the call that lists attributed orders; parameters as for :meth:`FlinqueHook.list_attribution_orders`."""
    return flinque.LIST_ATTRIBUTION_ORDERS(query=_between(start, end))


def _between(start: datetime | str | None, end: datetime | str | None) -> dict[str, str | None]:
    first, last = validation.moment("start", start), validation.moment("end", end)
    validation.in_order("start", first, "end", last)
    return {"from": first, "to": last}
