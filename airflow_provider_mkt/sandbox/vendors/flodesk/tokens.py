# Licensed under the Apache License, Version 2.0; see LICENSE.
"""OAuth grants: codes, access tokens, and refresh tokens that can be used once."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_provider_mkt.sandbox.engine.clock import DAY

CLIENT_ID = "sandbox-flodesk-client"
CLIENT_SECRET = "sandbox-flodesk-client-secret"  # noqa: S105 - a documented sandbox credential
REDIRECT_URI = "https://app.example.com/oauth/callback"
LOOPBACK_URI = "http://127.0.0.1:8769/callback"
"""Registered as well: an application without a web server listens there."""
FIRST_REFRESH_TOKEN = "fd_rt_sandbox_0001"  # noqa: S105 - a documented sandbox credential
ACCESS_LIFE = DAY
CODE_LIFE = 1800.0


@dataclass
class _Spent:
    at: float
    answer: dict[str, Any]


class Grants:
    """All codes and tokens of the account.

    :param shelf: reads the clock by which they age
    """

    def __init__(self, shelf: Callable[[], float]) -> None:
        self._shelf = shelf
        self._access: dict[str, float] = {}
        self._codes: dict[str, tuple[str, float]] = {}
        self._refresh = [FIRST_REFRESH_TOKEN]
        self._spent: dict[str, _Spent] = {}

    def accepts(self, token: str) -> bool:
        """Whether an access token is alive."""
        return self._access.get(token, 0.0) > self._shelf()

    def revoke(self, token: str) -> None:
        """End the life of an access token."""
        self._access.pop(token, None)

    def current_refresh(self) -> str | None:
        """The youngest refresh token that is not spent."""
        return self._refresh[-1] if self._refresh else None

    def new_code(self, redirect_uri: str) -> str:
        """A code for a consent just given."""
        code = f"fd_code_{secrets.token_hex(12)}"
        self._codes[code] = (redirect_uri, self._shelf() + CODE_LIFE)
        return code

    def redeem(self, code: str, redirect_uri: str) -> dict[str, Any] | None:
        """Tokens for a code, which is spent by it; None when it is unknown, used, old or for another address."""
        known, until = self._codes.pop(code, ("", 0.0))
        if known != redirect_uri or until <= self._shelf():
            return None
        return self._issue()

    def refresh(self, token: str, grace: float) -> dict[str, Any] | None:
        """Tokens for a refresh token, which is spent by it.

        :param grace: seconds for which a spent one still yields the answer that it yielded first
        """
        if token in self._refresh:
            self._refresh.remove(token)
            answer = self._issue()
            self._spent[token] = _Spent(self._shelf(), answer)
            return answer
        spent = self._spent.get(token)
        return spent.answer if spent is not None and self._shelf() - spent.at < grace else None

    def _issue(self) -> dict[str, Any]:
        access, refresh = f"fd_at_{secrets.token_hex(24)}", f"fd_rt_{secrets.token_hex(24)}"
        self._access[access] = self._shelf() + ACCESS_LIFE
        self._refresh.append(refresh)
        return {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": int(ACCESS_LIFE),
            "scopes": "all",
            "refresh_token": refresh,
        }
