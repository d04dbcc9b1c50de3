# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Hook for Flinque. Vendor document: Flinque Help Centre, "Developer API"."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.client.endpoint import Limit
from airflow_provider_mkt.client.pages import Hints
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.hooks.account import Account
from airflow_provider_mkt.hooks.base import MarketingHook
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
    hook_name = "Flinque"

    def __init__(self, flinque_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(flinque_conn_id, **kwargs)

    def auth(self, account: Account) -> Auth:
        """Return the scheme: OAuth 2.0 client credentials, a token of 24 hours."""
        from airflow_provider_mkt.client.auth import TokenAuth  # noqa: PLC0415
        from airflow_provider_mkt.state.tokens import TOKENS  # noqa: PLC0415

        key = "/".join(account.identity)
        return TokenAuth(partial(TOKENS.get, key, self._fetch_token), partial(TOKENS.discard, key))

    def _fetch_token(self) -> Token:
        from airflow_provider_mkt.client.auth import Token, lifetime_of  # noqa: PLC0415

        body = {
            "grant_type": "client_credentials",
            "client_id": self.account.login,
            "client_secret": self.account.password,
        }
        answer = self.send(flinque.TOKEN(body=body))
        self.hide(answer["access_token"])
        return Token(answer["access_token"], lifetime_of(answer, flinque.TOKEN_LIFETIME))

    def vendor_limits(self, account: Account) -> Mapping[str, Limit]:
        """Return the rate limit of the connection's plan."""
        return {"default": flinque.PLANS[account.extras["plan"]]}

    def list_campaigns(self) -> Iterator[dict[str, Any]]:
        """Yield the workspace's campaigns."""
        return self.rows(flinque.LIST_CAMPAIGNS(), Hints())

    def list_attribution_orders(self, *, start: str | None = None, end: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield orders credited to creators.

        :param start: from this moment on, ISO 8601 (assumed filter ``from``)
        :param end: up to this moment, ISO 8601 (assumed filter ``to``)
        """
        return self.rows(flinque.LIST_ATTRIBUTION_ORDERS(query={"from": start, "to": end}), Hints())

    def get_attribution_revenue(self, *, start: str | None = None, end: str | None = None) -> dict[str, Any]:
        """Read the revenue credited to creators.

        :param start: from this moment on, ISO 8601 (assumed filter ``from``)
        :param end: up to this moment, ISO 8601 (assumed filter ``to``)
        """
        return self.send(flinque.GET_ATTRIBUTION_REVENUE(query={"from": start, "to": end}))  # type: ignore[no-any-return]

    def list_reports(self) -> Iterator[dict[str, Any]]:
        """Yield the workspace's reports."""
        return self.rows(flinque.LIST_REPORTS(), Hints())

    def generate_report(self, report: Mapping[str, Any]) -> dict[str, Any]:
        """Start generating a report.

        :param report: the request, e.g. ``{"type": "campaign", "campaign_id": "ca_1"}``; its fields are not published
        :return: the report, pending, with its ``id``
        :raises OutcomeUnknownError: when nobody can know whether it was started
        """
        return self.send(flinque.GENERATE_REPORT(body=report_body(report)))  # type: ignore[no-any-return]

    def export_report(self, report_id: str) -> Iterator[bytes]:
        """Yield the file of a finished report in chunks of at most 64 KiB.

        :param report_id: the report
        :raises NotFoundError: when it does not exist or is not ready
        """
        return self.client.stream(flinque.EXPORT_REPORT(path={"report_id": report_id}))

    def list_workspaces(self) -> Iterator[dict[str, Any]]:
        """Yield the workspaces of the credentials."""
        return self.rows(flinque.LIST_WORKSPACES(), Hints())

    def check(self) -> str:
        """List the workspaces."""
        return f"Flinque accepts the credentials; they reach {len(list(self.list_workspaces()))} workspace(s)."


def report_body(report: Any) -> dict[str, Any]:
    """Return the body of a report request.

    :raises ValidationError: when it is not an object, is empty, or holds what is not JSON
    """
    if not isinstance(report, Mapping) or not report:
        raise ValidationError(f"report must be an object such as {{'type': 'campaign'}}, got {report!r}.")
    for name, value in report.items():
        if not isinstance(name, str) or not _is_json(value):
            raise ValidationError(f"report[{name!r}] is not JSON: {value!r}; write dates and decimals as text.")
    return dict(report)


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True
