# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the vendors' hooks share. The HTTP client is imported at the first request, not when a DAG is parsed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseHook

from airflow_provider_mkt import validation
from airflow_provider_mkt.client.endpoint import Call, Limit
from airflow_provider_mkt.exceptions import ApiError
from airflow_provider_mkt.hooks.account import Account, account_of
from airflow_provider_mkt.hooks.transport import check_transport
from airflow_provider_mkt.vendors.base import Vendor

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from airflow_provider_mkt.client.api_client import ApiClient
    from airflow_provider_mkt.client.auth import Auth
    from airflow_provider_mkt.client.paging import Paging
    from airflow_provider_mkt.client.redaction import Redactor


class MarketingHook(BaseHook):
    """Base of the vendors' hooks.

    A subclass names its ``vendor`` and says in :meth:`auth` how requests are signed.

    :param conn_id: id of the Airflow connection
    :param connection: the connection itself, when the caller has looked it up already (as triggers do)
    """

    vendor: ClassVar[Vendor]
    headers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, conn_id: str, connection: Connection | None = None) -> None:
        super().__init__()
        self.conn_id = conn_id
        self._connection = connection

    def auth(self, account: Account) -> Auth:
        """Return how requests of ``account`` are signed."""
        raise NotImplementedError

    def bases(self, account: Account) -> dict[str, str]:
        """Return the account's base URLs by name."""
        return {"api": account.base_url}

    def limits(self, account: Account) -> Mapping[str, Limit]:
        """Return the vendor's rate limits, the main one replaced by the connection's ``requests_per_minute``."""
        override = account.extras["requests_per_minute"]
        return {**self.vendor_limits(account), **({"default": Limit(override)} if override else {})}

    def vendor_limits(self, account: Account) -> Mapping[str, Limit]:  # noqa: ARG002 - some vendors' depend on it
        """Return the documented rate limits of ``account``."""
        return self.vendor.limits

    @cached_property
    def account(self) -> Account:
        """The checked connection.

        :raises ValidationError: naming the field that is wrong, and the remedy
        """
        return account_of(self.vendor, self._connection or self.get_connection(self.conn_id))

    @cached_property
    def redactor(self) -> Redactor:
        """Hides the connection's secrets; they are also masked in Airflow's logs."""
        from airflow_provider_mkt.client.redaction import Redactor

        redactor = Redactor()
        for secret in self.account.secrets:
            self.hide(secret, redactor)
        return redactor

    @cached_property
    def client(self) -> ApiClient:
        """The client for this account. Hooks of one account share its rate budget and its token."""
        return self.client_with(self.auth(self.account))

    @cached_property
    def unsigned(self) -> ApiClient:
        """The client for calls without this account's usual credentials, such as a call for other ones."""
        from airflow_provider_mkt.client.auth import Auth

        return self.client_with(Auth())

    def client_with(self, auth: Auth) -> ApiClient:
        """Return a client for this account that signs with ``auth``."""
        from airflow_provider_mkt.client.api_client import ApiClient, Settings
        from airflow_provider_mkt.state.budgets.shared import budget_for

        account = self.account
        bases = self.bases(account)
        check_transport(account, bases)
        settings = Settings(
            vendor=self.vendor.name,
            bases=bases,
            headers=self.headers,
            read_timeout=account.extras["timeout"],
            verify=account.extras["verify"],
            account="/".join(account.identity),
        )
        budget = budget_for(
            account.identity, self.limits(account), account.extras["budget_share"], self.vendor.rate_headers
        )
        return ApiClient(settings, auth, budget, self.redactor)

    def get_conn(self) -> ApiClient:
        """Return the client."""
        return self.client

    def hide(self, secret: str, redactor: Redactor | None = None) -> None:
        """Keep ``secret`` out of this hook's messages and Airflow's logs, in every spelling in which it is sent."""
        from airflow.sdk.log import mask_secret

        from airflow_provider_mkt.client.spelling import sent_spellings

        (redactor or self.redactor).add(secret)
        for spelling in sent_spellings(secret, self.account.login):
            mask_secret(spelling)

    def hide_in(self, answer: Mapping[str, Any], *names: str) -> None:
        """Keep the secrets that ``answer`` holds under ``names`` out of messages and logs."""
        for name in names:
            if isinstance(answer.get(name), str):
                self.hide(answer[name])

    def send(self, call: Call) -> Any:
        """Send ``call`` and return the vendor's JSON; see :meth:`ApiClient.send`."""
        return self.client.send(call)

    def fetch(self, call: Call) -> dict[str, Any]:
        """Send ``call``, whose endpoint is answered with an object, and return that."""
        answer: dict[str, Any] = self.send(call)
        return answer

    def rows(self, call: Call, paging: Paging) -> Iterator[dict[str, Any]]:
        """Yield the rows of a list; see :meth:`ApiClient.rows`."""
        return self.client.rows(call, paging)

    def callback(self, field: str, url: Any) -> str:
        """Return the checked address of a webhook: https and public, unless the vendor itself is reached over http.

        :raises ValidationError: naming ``field``
        """
        return validation.https_url(field, url, anywhere=self.account.base_url.startswith("http:"))

    def check(self) -> str:
        """Make one cheap, harmless call and return what it proved."""
        raise NotImplementedError

    def test_connection(self) -> tuple[bool, str]:
        """Try the connection for Airflow's "Test" button.

        :return: whether it works, and a sentence that says what was proved or what to do
        """
        try:
            return True, self.check()
        except ApiError as error:
            return False, str(error)
