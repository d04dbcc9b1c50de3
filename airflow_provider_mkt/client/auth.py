# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Authentication schemes. What they need of a vendor's token call is handed in."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from requests import PreparedRequest
from requests.auth import AuthBase

from airflow_provider_mkt.client.durations import DAY
from airflow_provider_mkt.client.secret import Secret

MAX_LIFETIME = 366 * DAY
"""Seconds. An access token that claims to live longer than a year is not believed."""


@dataclass(frozen=True)
class Token:
    """An access token.

    :param value: the token itself
    :param lifetime: seconds it is good for, from now
    :param refresh_token: the single-use token for the next refresh, where the vendor rotates them

    The secrets are not shown by ``repr``.
    """

    value: str = field(repr=False)
    lifetime: float
    refresh_token: str | None = field(default=None, repr=False)


class Auth(AuthBase):
    """Base of all schemes.

    ``renewable`` holds the HTTP statuses that a renewed credential may cure; empty for credentials that do not change.
    """

    renewable: Collection[int] = ()
    shared: str | None = None
    """What the credentials are shared by, when fetching them may take long; one :meth:`fetch` is enough for all."""

    def fetch(self) -> None:
        """Have the credentials at hand."""

    def renew(self, refused: PreparedRequest) -> None:
        """Have the next request use another credential than the one that ``refused`` carried."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"


class BearerAuth(Auth):
    """``Authorization: Bearer <key>`` with a key that does not change (Flow Social, Flokit).

    :param key: the API key
    """

    def __init__(self, key: str) -> None:
        self._key = Secret(key)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign ``request``."""
        request.headers["Authorization"] = Secret(f"Bearer {self._key}")
        return request


class BasicAuth(Auth):
    """HTTP Basic with exactly ``user:password``; Flodesk's API key is the user name with an empty password.

    :param user: user name
    :param password: password
    """

    def __init__(self, user: str, password: str = "") -> None:
        self._value = basic(user, password)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign ``request``."""
        request.headers["Authorization"] = self._value
        return request


def basic(user: str, password: str) -> Secret:
    """Return the value of an ``Authorization`` header: HTTP Basic with exactly ``user:password``."""
    return Secret(f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}")


class TokenAuth(Auth):
    """A bearer token that is fetched when needed, shared, and replaced when the vendor refuses it.

    :param get: returns the live token, making the vendor's token call when there is none
    :param discard: forgets a token that was refused, unless it was replaced already
    :param renewable: statuses that mean "get a new one": 401, for Flow Living 403 as well
    :param shared: the account's key, by which its calls from an event loop share one token call
    """

    def __init__(
        self,
        get: Callable[[], str],
        discard: Callable[[str], None],
        renewable: Collection[int] = (401,),
        shared: str | None = None,
    ) -> None:
        self._get = get
        self.shared = shared
        self._discard = discard
        self.renewable = renewable

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign ``request`` with the live token."""
        request.headers["Authorization"] = Secret(f"Bearer {self._get()}")
        return request

    def fetch(self) -> None:
        """Get the live token, so that signing finds it."""
        self._get()

    def renew(self, refused: PreparedRequest) -> None:
        """Discard the token that ``refused`` carried."""
        self._discard(refused.headers["Authorization"].removeprefix("Bearer "))


def lifetime_of(answer: dict[str, Any], default: float) -> float:
    """Return the seconds that a token answer's ``expires_in`` says, or ``default``."""
    seconds = answer.get("expires_in")
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < MAX_LIFETIME:
        return default
    return float(seconds)


def jwt_lifetime(token: str, now: float) -> float | None:
    """Return how many seconds a new JWT is good for, by its own claims, or None when it does not say.

    The difference of ``exp`` and ``iat`` is preferred: it does not depend on this machine's clock. The signature is the
    vendor's business and not checked.

    :param token: the compact form, three dot-separated parts
    :param now: the time in Unix seconds, used when there is no ``iat``
    """
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        lifetime = float(claims["exp"]) - float(claims.get("iat", now))
    except (IndexError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError):
        return None
    return lifetime if 0 < lifetime < MAX_LIFETIME else None
