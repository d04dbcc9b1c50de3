# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Vendors that issue tokens, and spend refresh tokens once."""

from __future__ import annotations

import time
from collections.abc import Callable

from airflow_provider_mkt.client.auth import Token
from airflow_provider_mkt.exceptions import (
    OutcomeUnknownError,
    ValidationError,
)
from airflow_provider_mkt.state.tokens.shared import Tokens

KEY = "flodesk/https://api.flodesk.com/v1/client"
DAY = 86_400.0
LEASE = 30.0

Make = Callable[..., Tokens]


class Fetching:
    """A vendor that issues token-1, token-2 …"""

    def __init__(self, lifetime: float = DAY) -> None:
        self.lifetime = lifetime
        self.calls = 0
        self.error: BaseException | None = None

    def __call__(self) -> Token:
        self.calls += 1
        if self.error:
            raise self.error
        return Token(f"token-{self.calls}", self.lifetime)


class Rotating:
    """A vendor with single-use refresh tokens: access-1 with refresh-1, and so on. The seed is refresh-0.

    ``script`` says, call by call, what goes wrong: an error to raise before the refresh is executed, or after it.
    """

    def __init__(self, *script: tuple[str, BaseException] | None) -> None:
        self.script = list(script)
        self.sent: list[str] = []
        self.valid = "refresh-0"
        self.issued = 0

    def __call__(self, refresh_token: str) -> Token:
        self.sent.append(refresh_token)
        when, error = (self.script.pop(0) if self.script else None) or ("", None)
        if when == "before" and error:
            raise error
        if refresh_token != self.valid:
            raise INVALID_GRANT
        self.issued += 1
        self.valid = f"refresh-{self.issued}"
        if error:
            raise error
        return Token(f"access-{self.issued}", DAY, self.valid)


INVALID_GRANT = ValidationError("Flodesk refused POST /oauth2/token (HTTP 400)", status=400, code="invalid_grant")
LOST = OutcomeUnknownError("nobody knows")


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
