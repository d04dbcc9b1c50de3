# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Hook for Flodesk. Vendor document: Flodesk API reference, version 1.0.0.

Most of its methods are kept by resource, in the modules whose names begin like this one's.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from airflow_provider_mkt import validation
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.hooks.account import Account
from airflow_provider_mkt.hooks.flodesk.audience import AudienceMethods, subscriber_body
from airflow_provider_mkt.hooks.flodesk.settings import SettingMethods
from airflow_provider_mkt.vendors import flodesk

if TYPE_CHECKING:
    from airflow_provider_mkt.client.api_client import ApiClient
    from airflow_provider_mkt.client.auth import Auth, Token

__all__ = ["FlodeskHook", "subscriber_body"]


class FlodeskHook(AudienceMethods, SettingMethods):
    """Keeps an e-mail audience in step.

    :param flodesk_conn_id: connection with an API key as password, or with OAuth client id and secret
    """

    conn_name_attr = "flodesk_conn_id"
    default_conn_name = "flodesk_default"
    conn_type = "flodesk"
    hook_name = flodesk.VENDOR.name

    def __init__(self, flodesk_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(flodesk_conn_id, **kwargs)

    @property
    def headers(self) -> Mapping[str, str]:  # type: ignore[override]
        """The headers of every request: the vendor wants integrations to introduce themselves."""
        return {"User-Agent": self.account.extras["user_agent"] or flodesk.USER_AGENT}

    def bases(self, account: Account) -> dict[str, str]:
        """Return the API's base, and the one of OAuth, which lies beside its ``/v1``."""
        return {"api": account.base_url, "oauth": account.base_url.removesuffix("/v1")}

    def auth(self, account: Account) -> Auth:
        """Return the scheme: Basic with the API key, or OAuth when the connection has a client id."""
        from airflow_provider_mkt.client.auth import BasicAuth, TokenAuth
        from airflow_provider_mkt.state.tokens.shared import TOKENS

        if not account.login:
            return BasicAuth(account.password)
        seed = account.extras["refresh_token"] or ""
        get = partial(TOKENS.get_rotating, self._token_key, seed, self._refresh, account.base_url)
        return TokenAuth(get, partial(TOKENS.discard, self._token_key), shared=self._token_key)

    @property
    def _token_key(self) -> str:
        """What the tokens are kept under. Not the secret, which may be replaced while the tokens live on."""
        return f"{self.conn_type}/{self.account.base_url}/{self.account.login}/{self.conn_id}"

    def _refresh(self, refresh_token: str) -> Token:
        """Exchange a refresh token. It is single-use: its successor comes back with the access token."""
        from airflow_provider_mkt.client.auth import Token, lifetime_of

        self.hide(refresh_token)
        answer = self._token_call({"grant_type": "refresh_token", "refresh_token": refresh_token}, self.client)
        return Token(
            answer["access_token"], lifetime_of(answer, flodesk.TOKEN_LIFETIME), refresh_token=answer["refresh_token"]
        )

    def _token_call(self, form: dict[str, str], client: ApiClient) -> dict[str, Any]:
        from airflow_provider_mkt.client.auth import basic
        from airflow_provider_mkt.client.secret import concealed

        headers = {"Authorization": basic(self.account.login, self.account.password)}
        answer = concealed(client.send(flodesk.TOKEN(body=concealed(form), headers=headers)))
        for name in ("access_token", "refresh_token"):
            self.hide(answer[name])
        return answer

    def authorize_url(self, redirect_uri: str, state: str) -> str:
        """Return the address at which the account's owner consents, for their browser. Nothing is sent.

        :param redirect_uri: where the vendor sends them back with ``code`` and ``state``; exactly as registered
        :param state: unguessable text that has to come back unchanged
        :raises ValidationError: naming the field; also when the connection has no OAuth client id
        """
        self._need_client("authorize_url")
        query = {
            "client_id": self.account.login,
            "redirect_uri": validation.https_url("redirect_uri", redirect_uri, anywhere=True),
            "response_type": "code",
            "state": validation.text("state", state, longest=1_024),
        }
        call = flodesk.AUTHORIZE()
        return f"{call.url(self.bases(self.account)[call.endpoint.base])}?{urlencode(query)}"

    def exchange_code(self, code: str, redirect_uri: str) -> dict[str, Any]:
        """Exchange the code of a consent for tokens. A code works once and for 30 minutes, so this is not repeated.

        The new tokens go into the shared store at once, in place of what it had; the connection needs no
        ``refresh_token``. The tokens are secrets: do not return them from a task.

        :param code: what the vendor sent the browser back with
        :param redirect_uri: the same as for :meth:`authorize_url`
        :return: ``access_token``, ``refresh_token``, ``expires_in``, ``token_type``, ``scopes``
        :raises OutcomeUnknownError: when the answer was lost; the owner has to consent again
        :raises StoreError: when the tokens could not be stored; the owner has to consent again
        """
        from airflow_provider_mkt.client.auth import Token, lifetime_of
        from airflow_provider_mkt.state.tokens.shared import TOKENS

        self._need_client("exchange_code")
        self.hide(validation.text("code", code, longest=4_096))
        uri = validation.https_url("redirect_uri", redirect_uri, anywhere=True)
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": uri}
        # The first consent comes before there is a refresh token, which all other calls need.
        answer = self._token_call(form, self.unsigned)
        lifetime = lifetime_of(answer, flodesk.TOKEN_LIFETIME)
        token = Token(answer["access_token"], lifetime, answer["refresh_token"])
        TOKENS.adopt(self._token_key, self.account.extras["refresh_token"] or "", token)
        return answer

    def get_userinfo(self) -> dict[str, Any]:
        """Read who gave the consent.

        :return: ``id``, ``email``, ``full_name``, ``created_at``
        :raises ValidationError: when the connection uses an API key, which this route does not take
        """
        self._need_client("get_userinfo")
        return self.fetch(flodesk.GET_USERINFO())

    def _need_client(self, method: str) -> None:
        if not self.account.login:
            raise ValidationError(
                f"Connection {self.conn_id!r} (Flodesk): {method} needs OAuth; enter the client id as login and the "
                "client secret in place of the API key."
            )

    def check(self) -> str:
        """Read one page of segments."""
        next(iter(self.list_segments(per_page=1)), None)
        return "Flodesk accepts the credentials."
