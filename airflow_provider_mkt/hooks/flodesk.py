# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Hook for Flodesk. Vendor document: Flodesk API reference, version 1.0.0."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.client.pages import LARGEST_PAGE, PageNumbers
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.hooks import checks
from airflow_provider_mkt.hooks.account import Account
from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.vendors import flodesk

if TYPE_CHECKING:
    from airflow_provider_mkt.client.auth import Auth, Token

TEXT_FIELDS = frozenset({"id", "first_name", "last_name", "optin_ip", "optin_timestamp"})
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


class FlodeskHook(MarketingHook):
    """Keeps an e-mail audience in step.

    :param flodesk_conn_id: connection with an API key as password, or with OAuth client id, secret and refresh token
    """

    vendor = flodesk.VENDOR
    conn_name_attr = "flodesk_conn_id"
    default_conn_name = "flodesk_default"
    conn_type = "flodesk"
    hook_name = "Flodesk"

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
        from airflow_provider_mkt.client.auth import BasicAuth, TokenAuth  # noqa: PLC0415
        from airflow_provider_mkt.state.tokens import TOKENS  # noqa: PLC0415

        if not account.login:
            return BasicAuth(account.password)
        if not account.extras["refresh_token"]:
            raise ValidationError(
                f"Connection {self.conn_id!r} (Flodesk): it has an OAuth client id but the extra 'refresh_token' is "
                "missing; add it, or empty the login to use an API key."
            )
        key = "/".join(account.identity)
        get = partial(TOKENS.get_rotating, key, account.extras["refresh_token"], self._refresh)
        return TokenAuth(get, partial(TOKENS.discard, key))

    def _refresh(self, refresh_token: str) -> Token:
        """Exchange a refresh token. It is single-use: its successor comes back with the access token."""
        from airflow_provider_mkt.client.auth import Token, lifetime_of  # noqa: PLC0415

        self.hide(refresh_token)
        answer = self._token_call({"grant_type": "refresh_token", "refresh_token": refresh_token})
        return Token(
            answer["access_token"], lifetime_of(answer, flodesk.TOKEN_LIFETIME), refresh_token=answer["refresh_token"]
        )

    def _token_call(self, form: dict[str, str]) -> dict[str, Any]:
        credentials = f"{self.account.login}:{self.account.password}"
        headers = {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"}
        answer: dict[str, Any] = self.send(flodesk.TOKEN(body=form, headers=headers))
        for name in ("access_token", "refresh_token"):
            self.hide(answer[name])
        return answer

    def list_segments(self, *, per_page: int = LARGEST_PAGE) -> Iterator[dict[str, Any]]:
        """Yield all segments.

        :param per_page: rows per request, at most 100
        """
        return self.rows(flodesk.LIST_SEGMENTS(), PageNumbers(per_page, total_pages="total_pages"))

    def get_segment(self, segment_id: str) -> dict[str, Any]:
        """Read a segment.

        :param segment_id: the segment
        """
        return self.send(flodesk.GET_SEGMENT(path={"segment_id": segment_id}))  # type: ignore[no-any-return]

    def get_subscriber(self, id_or_email: str) -> dict[str, Any]:
        """Read a subscriber.

        :param id_or_email: Flodesk's id, or the e-mail address
        """
        return self.send(flodesk.GET_SUBSCRIBER(path={"id_or_email": id_or_email}))  # type: ignore[no-any-return]

    def upsert_subscriber(self, subscriber: Mapping[str, Any]) -> dict[str, Any]:
        """Create or update one subscriber; the vendor does not say which. Repeating it changes nothing.

        :param subscriber: ``email`` or ``id``, and any of ``first_name``, ``last_name``, ``custom_fields`` (text
            values), ``segment_ids`` (added, at most 50), ``double_optin``, ``optin_ip``, ``optin_timestamp``
        :return: the subscriber
        :raises ValidationError: naming the field, before anything is sent; or the vendor's refusal
        """
        return self.send(flodesk.UPSERT_SUBSCRIBER(body=subscriber_body(subscriber)))  # type: ignore[no-any-return]

    def upsert_subscribers(self, subscribers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Create or update up to 50 subscribers in one request. Some may fail: read ``failures``.

        :param subscribers: as for :meth:`upsert_subscriber`
        :return: ``successes`` (in any order) and ``failures`` (with the ``index`` in the request)
        """
        if not 1 <= len(subscribers) <= flodesk.MOST_IN_BATCH:
            raise ValidationError(
                f"subscribers has {len(subscribers)} entries; a batch takes 1 to {flodesk.MOST_IN_BATCH}. Split it."
            )
        bodies = [subscriber_body(subscriber, f"subscribers[{index}]") for index, subscriber in enumerate(subscribers)]
        return self.send(flodesk.UPSERT_SUBSCRIBERS(body={"subscribers": bodies}))  # type: ignore[no-any-return]

    def check(self) -> str:
        """Read one page of segments."""
        next(iter(self.list_segments(per_page=1)), None)
        return "Flodesk accepts the credentials."


def subscriber_body(subscriber: Mapping[str, Any], field: str = "subscriber") -> dict[str, Any]:
    """Return the checked body of an upsert.

    :param subscriber: as for :meth:`FlodeskHook.upsert_subscriber`
    :param field: how messages call it; they never quote its values, which are personal data
    :raises ValidationError: naming the field, the problem and the remedy
    """
    if not isinstance(subscriber, Mapping):
        raise ValidationError(f"{field} must be an object with an 'email' or an 'id'.")
    unknown = sorted(set(map(str, subscriber)) - flodesk.SUBSCRIBER_FIELDS)
    if unknown:
        known = ", ".join(sorted(flodesk.SUBSCRIBER_FIELDS))
        raise ValidationError(f"{field} has unknown fields {', '.join(unknown)}; known are {known}.")
    email = subscriber.get("email")
    if not email and not subscriber.get("id"):
        raise ValidationError(f"{field} has neither 'email' nor 'id'; one of them is needed.")
    if email and (not isinstance(email, str) or not EMAIL.fullmatch(email)):
        raise ValidationError(f"{field}.email is not an e-mail address; correct or remove the entry.")
    for name in TEXT_FIELDS & set(subscriber):
        if not isinstance(subscriber[name], (str, type(None))):
            raise ValidationError(f"{field}.{name} must be text; put it in quotes.")
    if not isinstance(subscriber.get("double_optin"), (bool, type(None))):
        raise ValidationError(f"{field}.double_optin must be true or false.")
    custom = subscriber.get("custom_fields")
    custom = {} if custom is None else custom
    if not isinstance(custom, Mapping) or not all(isinstance(value, str) for value in custom.values()):
        raise ValidationError(f"{field}.custom_fields must map field keys to text; convert numbers and dates to text.")
    if subscriber.get("segment_ids") is not None:
        checks.texts(f"{field}.segment_ids", subscriber["segment_ids"], most=flodesk.MOST_SEGMENTS, least=0)
    return {name: value for name, value in subscriber.items() if value is not None}
