# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Hook for Flow Living. Vendor document: Flow Platform, "API Scripts"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt import clock, validation
from airflow_provider_mkt.client.endpoint import Call, Endpoint
from airflow_provider_mkt.client.paging import Unpaged
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.hooks.account import Account
from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.vendors import flow_living

if TYPE_CHECKING:
    from airflow_provider_mkt.client.api_client import ApiClient
    from airflow_provider_mkt.client.auth import Auth, Token
    from airflow_provider_mkt.state.launches.launch import Effect


class FlowLivingHook(MarketingHook):
    """Publishes and follows property ad campaigns.

    :param flow_living_conn_id: connection with client id, API key and the extra ``request_type``
    """

    vendor = flow_living.VENDOR
    headers = flow_living.HEADERS
    conn_name_attr = "flow_living_conn_id"
    default_conn_name = "flow_living_default"
    conn_type = "flow_living"
    hook_name = flow_living.VENDOR.name

    def __init__(self, flow_living_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(flow_living_conn_id, **kwargs)

    def bases(self, account: Account) -> dict[str, str]:
        """Return the API's base, and the one of the analytics host where it is configured."""
        host = account.extras["analytics_host"] or ""
        return {"api": account.base_url, "analytics": host if "://" in host or not host else f"https://{host}"}

    def auth(self, account: Account) -> Auth:
        """Return the scheme: a JWT from the token call, renewed before its own expiry, and on 401 and 403."""
        return self._token_auth(account, self._request_type(account))

    def _request_type(self, account: Account) -> str:
        if not account.extras["request_type"]:
            raise ValidationError(
                f"Connection {self.conn_id!r} (Flow Living): the extra 'request_type' is missing; "
                "your Flow account manager knows the value for campaigns."
            )
        return str(account.extras["request_type"])

    def _token_auth(self, account: Account, request_type: str) -> Auth:
        """Return the scheme with a token of one request type; each type has its own."""
        from airflow_provider_mkt.client.auth import TokenAuth
        from airflow_provider_mkt.state.tokens.shared import TOKENS

        key = "/".join((*account.identity, request_type))
        get = partial(TOKENS.get, key, partial(self._fetch_token, request_type))
        return TokenAuth(get, partial(TOKENS.discard, key), renewable=flow_living.RENEWABLE, shared=key)

    def _fetch_token(self, request_type: str | None = None) -> Token:
        from airflow_provider_mkt.client.auth import Token, jwt_lifetime
        from airflow_provider_mkt.client.secret import Secret

        account = self.account
        kind = request_type or self._request_type(account)
        client = self._listing_client if kind == flow_living.LISTING_REQUEST_TYPE else self.client
        query = {"organisationId": account.login, "apiKey": account.password, "requestType": kind}
        value = Secret(client.send(flow_living.TOKEN(query=query))["accessToken"])
        self.hide(value)
        return Token(value, jwt_lifetime(value, clock.now()) or flow_living.TOKEN_LIFETIME)

    def publish_campaign(
        self,
        plan_ref: str,
        listing_external_ids: Sequence[str],
        branch_id: str,
        *,
        agent_external_id: str | None = None,
        start_date: datetime | str | None = None,
        end_date: datetime | str | None = None,
        budget_override: float | None = None,
        order_ref: str | None = None,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Publish a campaign. It spends money, and the vendor has no idempotency key: nothing here is repeated blindly.

        :param plan_ref: reference of the media plan, e.g. ``facebookv2``
        :param listing_external_ids: your ids of the listings, 1 to 50
        :param branch_id: Flow's id of the branch
        :param agent_external_id: your id of the agent in charge
        :param start_date: when to start, in the future; without a time zone it is UTC
        :param end_date: when to end, after the start
        :param budget_override: amount instead of the plan's budget, in the plan's currency
        :param order_ref: your own reference
        :param dry_run: validate only, publish nothing
        :return: ``{"campaign_tracking_ids": […], "status": "queued"}``
        :raises ValidationError: naming the field, before anything is sent; or the vendor's refusal
        :raises OutcomeUnknownError: when it is unknown whether it was published
        """
        body = publish_body(
            plan_ref=plan_ref,
            listing_external_ids=listing_external_ids,
            branch_id=branch_id,
            agent_external_id=agent_external_id,
            start_date=start_date,
            end_date=end_date,
            budget_override=budget_override,
            order_ref=order_ref,
            dry_run=dry_run,
        )
        check_dates(body)
        return self.fetch(self.publish_call(body))

    def publish_call(self, body: dict[str, Any]) -> Call:
        """Return the call that publishes ``body``, or only has it validated when it says ``dryRun``."""
        endpoint = flow_living.VALIDATE if body.get("dryRun") else flow_living.PUBLISH
        return endpoint(query={"clientId": self.account.login}, body=body)

    def get_campaign_status(self, tracking_id: str) -> dict[str, Any]:
        """Read the status of a campaign.

        :param tracking_id: one of the ids that publishing returned
        :return: ``status``, ``message`` and, once created, ``campaign_id``
        """
        return self.fetch(flow_living.STATUS(path={"campaign_tracking_id": tracking_id}))

    def update_campaign_status(self, tracking_id: str, status: str, reason: str | None = None) -> dict[str, Any]:
        """Ask for another status. A non-empty ``error`` in the answer means: not confirmed, read the status.

        :param tracking_id: one of the ids that publishing returned
        :param status: ``paused``; ``published`` (resume) and ``cancelled`` are assumed to exist
        :param reason: why, for the vendor's staff
        :return: ``status``, ``message``, ``error``
        """
        body = {"status": validation.text("status", status)}
        if reason:
            body["reason"] = validation.text("reason", reason, longest=flow_living.MAX_TEXT)
        return self.fetch(flow_living.UPDATE_STATUS(path={"campaign_tracking_id": tracking_id}, body=body))

    def process_listing(self, listing: Mapping[str, Any]) -> str:
        """Create or update a listing, which has to exist before a campaign can be published for it.

        The vendor documents this outside of "API Scripts", on its page "Listing API".

        :param listing: ``home_listing_id`` and the other fields of your feed, as agreed with Flow; in the vendor's
            sample every value is text, numbers and prices too
        :return: the vendor's sentence, which names its internal id of the listing
        """
        body = validation.json_object("listing", listing, "{'home_listing_id': 'listing_1', 'name': 'Harbour View 2'}")
        validation.text("listing.home_listing_id", body.get("home_listing_id"))
        call = flow_living.PROCESS_LISTING(query={"organisation": self.account.login}, body=body)
        return str(self._listing_client.send(call))

    @cached_property
    def _listing_client(self) -> ApiClient:
        """The client for listings, which want a token of a request type of their own."""
        return self.client_with(self._token_auth(self.account, flow_living.LISTING_REQUEST_TYPE))

    def list_branch_campaigns(self, branch_id: str) -> Iterator[dict[str, Any]]:
        """Yield the campaigns of a branch from the analytics host. Vendor page "Analytics API", 'Campaigns'.

        :param branch_id: Flow's id of the branch
        :raises ValidationError: when the connection does not say how to reach the analytics host
        """
        return self._analytics(flow_living.LIST_BRANCH_CAMPAIGNS, {"branchId": validation.text("branch_id", branch_id)})

    def list_agent_insights(
        self,
        start_date: datetime | str,
        end_date: datetime | str,
        *,
        agent_external_id: str | None = None,
        agent_email: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield an agent's daily figures from the analytics host. Vendor page "Analytics API", 'Insights'.

        :param start_date: from this moment on; without a time zone it is UTC
        :param end_date: up to this moment
        :param agent_external_id: your id of the agent; this or the next
        :param agent_email: the agent's e-mail address
        :raises ValidationError: when the connection does not say how to reach the analytics host
        """
        if (agent_external_id is None) == (agent_email is None):
            raise ValidationError("Give either agent_external_id or agent_email, and not both.")
        start, end = validation.moment("start_date", start_date), validation.moment("end_date", end_date)
        if start is None or end is None:
            raise ValidationError("start_date and end_date are both needed, like 2026-06-08T09:00:00Z.")
        validation.in_order("start_date", start, "end_date", end)
        body = {"startDate": start, "endDate": end}
        if agent_external_id is not None:
            body["agentExternalId"] = validation.text("agent_external_id", agent_external_id)
            return self._analytics(flow_living.LIST_AGENT_INSIGHTS_BY_ID, body)
        body["agentEmail"] = validation.text("agent_email", agent_email)
        return self._analytics(flow_living.LIST_AGENT_INSIGHTS_BY_EMAIL, body)

    def _analytics(self, endpoint: Endpoint, body: dict[str, str]) -> Iterator[dict[str, Any]]:
        return self.unsigned.rows(self.analytics_call(endpoint, body), Unpaged())

    @property
    def has_analytics(self) -> bool:
        """Whether the connection says how to reach the analytics host."""
        return all(self.account.extras[name] for name in flow_living.ANALYTICS_EXTRAS)

    def analytics_call(self, endpoint: Endpoint, body: dict[str, str]) -> Call:
        """Return a call to the analytics host, which has an authentication of its own.

        :raises ValidationError: when the connection does not say how to reach it
        """
        extras = self.account.extras
        missing = [name for name in flow_living.ANALYTICS_EXTRAS if not extras[name]]
        if missing:
            raise ValidationError(
                f"Connection {self.conn_id!r} (Flow Living): analytics needs the extra "
                f"{' and '.join(map(repr, missing))}; your Flow account manager knows the values."
            )
        validation.https_url("the extra 'analytics_host'", self.bases(self.account)["analytics"], anywhere=True)
        headers = {
            "flow-api-user-id": extras["analytics_user_id"],
            "flow-api-user-secret": extras["analytics_user_secret"],
        }
        return endpoint(body=body, headers=headers)

    def check(self) -> str:
        """Fetch a token: it proves client id, key and request type, and touches nothing."""
        self._fetch_token()
        return f"Flow Living issued a token for organisation {self.account.login}."


def publish_body(
    *,
    plan_ref: str,
    listing_external_ids: Sequence[str],
    branch_id: str,
    agent_external_id: str | None = None,
    start_date: datetime | str | None = None,
    end_date: datetime | str | None = None,
    budget_override: float | str | None = None,
    order_ref: str | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Return the checked body of a publish request; parameters as in :meth:`FlowLivingHook.publish_campaign`.

    :raises ValidationError: naming the field, the problem and the remedy
    """
    listings = validation.texts("listing_external_ids", listing_external_ids, most=flow_living.MAX_LISTINGS)
    start = validation.moment("start_date", start_date)
    end = validation.moment("end_date", end_date)
    if start and end and end <= start:
        raise ValidationError(f"end_date must be after start_date: {end} is not after {start}; move one of them.")
    body = {
        "planRef": validation.text("plan_ref", plan_ref, longest=flow_living.MAX_TEXT),
        "listingExternalIds": listings,
        "branchId": validation.text("branch_id", branch_id, longest=flow_living.MAX_TEXT),
        "agentExternalId": agent_external_id and validation.text("agent_external_id", agent_external_id),
        "startDate": start,
        "endDate": end,
        "budgetOverride": None if budget_override is None else validation.amount("budget_override", budget_override),
        "orderRef": order_ref and validation.text("order_ref", order_ref, longest=flow_living.MAX_TEXT),
        "dryRun": True if dry_run else None,
    }
    return {name: value for name, value in body.items() if value is not None}


def campaign_effect(body: dict[str, Any]) -> Effect:
    """Return what publishing ``body`` means to a marketer."""
    from airflow_provider_mkt.state.launches.launch import Effect

    number = len(body["listingExternalIds"])
    homes = "1 home" if number == 1 else f"{number} homes"
    return Effect(
        f"campaign for {homes} of branch {body['branchId']}, plan {body['planRef']}",
        spends=True,
        amount=body.get("budgetOverride"),
        plan=body["planRef"],
        goes_live=str(body.get("startDate") or ""),
    )


def check_dates(body: dict[str, Any]) -> None:
    """Refuse a publish body whose dates have passed.

    :raises ValidationError: naming the date. Kept apart from :func:`publish_body`, because a retry that only attaches
        to a published campaign may come after its start
    """
    validation.not_in_the_past("start_date", body.get("startDate"))
    validation.not_in_the_past("end_date", body.get("endDate"))
