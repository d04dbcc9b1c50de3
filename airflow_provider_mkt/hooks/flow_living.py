# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Hook for Flow Living. Vendor document: Flow Platform, "API Scripts"."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.client.endpoint import Call
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.hooks import checks
from airflow_provider_mkt.hooks.account import Account
from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.vendors import flow_living

if TYPE_CHECKING:
    from airflow_provider_mkt.client.auth import Auth, Token


class FlowLivingHook(MarketingHook):
    """Publishes and follows property ad campaigns.

    :param flow_living_conn_id: connection with client id, API key and the extra ``request_type``
    """

    vendor = flow_living.VENDOR
    headers = flow_living.HEADERS
    conn_name_attr = "flow_living_conn_id"
    default_conn_name = "flow_living_default"
    conn_type = "flow_living"
    hook_name = "Flow Living"

    def __init__(self, flow_living_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(flow_living_conn_id, **kwargs)

    def auth(self, account: Account) -> Auth:
        """Return the scheme: a JWT from the token call, renewed before its own expiry, and on 401 and 403."""
        from airflow_provider_mkt.client.auth import TokenAuth  # noqa: PLC0415
        from airflow_provider_mkt.state.tokens import TOKENS  # noqa: PLC0415

        if not account.extras["request_type"]:
            raise ValidationError(
                f"Connection {self.conn_id!r} (Flow Living): the extra 'request_type' is missing; "
                "your Flow account manager knows the value for campaigns."
            )
        key = "/".join(account.identity) + "/" + account.extras["request_type"]
        return TokenAuth(
            partial(TOKENS.get, key, self._fetch_token), partial(TOKENS.discard, key), renewable=flow_living.RENEWABLE
        )

    def _fetch_token(self) -> Token:
        from airflow_provider_mkt.client.auth import Token, jwt_lifetime  # noqa: PLC0415

        account = self.account
        kind = account.extras["request_type"]
        query = {"organisationId": account.login, "apiKey": account.password, "requestType": kind}
        value = self.send(flow_living.TOKEN(query=query))["accessToken"]
        self.hide(value)
        return Token(value, jwt_lifetime(value, time.time()) or flow_living.TOKEN_LIFETIME)

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
        :raises OutcomeUnknownError: when nobody can know whether it was published
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
        return self.send(self.publish_call(body))  # type: ignore[no-any-return]

    def publish_call(self, body: dict[str, Any]) -> Call:
        """Return the call that publishes ``body``, or only has it validated when it says ``dryRun``."""
        endpoint = flow_living.VALIDATE if body.get("dryRun") else flow_living.PUBLISH
        return endpoint(query={"clientId": self.account.login}, body=body)

    def get_campaign_status(self, campaign_tracking_id: str) -> dict[str, Any]:
        """Read the status of a campaign.

        :param campaign_tracking_id: one of the ids that publishing returned
        :return: ``status``, ``message`` and, once created, ``campaign_id``
        """
        return self.send(flow_living.STATUS(path={"campaign_tracking_id": campaign_tracking_id}))  # type: ignore[no-any-return]

    def update_campaign_status(
        self, campaign_tracking_id: str, status: str, reason: str | None = None
    ) -> dict[str, Any]:
        """Ask for another status. A non-empty ``error`` in the answer means: not confirmed, read the status.

        :param campaign_tracking_id: one of the ids that publishing returned
        :param status: ``paused``; ``published`` (resume) and ``cancelled`` are assumed to exist
        :param reason: why, for the vendor's staff
        :return: ``status``, ``message``, ``error``
        """
        body = {"status": status, **({"reason": reason} if reason else {})}
        return self.send(flow_living.UPDATE_STATUS(path={"campaign_tracking_id": campaign_tracking_id}, body=body))  # type: ignore[no-any-return]

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
    budget_override: float | None = None,
    order_ref: str | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Return the checked body of a publish request; parameters as in :meth:`FlowLivingHook.publish_campaign`.

    :raises ValidationError: naming the field, the problem and the remedy
    """
    listings = checks.texts("listing_external_ids", listing_external_ids, most=flow_living.MOST_LISTINGS)
    start = checks.moment("start_date", start_date)
    end = checks.moment("end_date", end_date)
    if start and end and end <= start:
        raise ValidationError(f"end_date must be after start_date: {end} is not after {start}; move one of them.")
    body = {
        "planRef": checks.text("plan_ref", plan_ref, longest=flow_living.LONGEST_TEXT),
        "listingExternalIds": listings,
        "branchId": checks.text("branch_id", branch_id, longest=flow_living.LONGEST_TEXT),
        "agentExternalId": agent_external_id and checks.text("agent_external_id", agent_external_id),
        "startDate": start,
        "endDate": end,
        "budgetOverride": None if budget_override is None else checks.amount("budget_override", budget_override),
        "orderRef": order_ref and checks.text("order_ref", order_ref, longest=flow_living.LONGEST_TEXT),
        "dryRun": True if dry_run else None,
    }
    return {name: value for name, value in body.items() if value is not None}


def check_dates(body: dict[str, Any]) -> None:
    """Refuse a publish body whose dates have passed.

    :raises ValidationError: naming the date. Kept apart from :func:`publish_body`, because a retry that only attaches
        to a published campaign may come after its start
    """
    checks.not_in_the_past("start_date", body.get("startDate"))
    checks.not_in_the_past("end_date", body.get("endDate"))
