# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Credentials on requests, and how long tokens are believed."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_mkt.client.auth import (
    MAX_LIFETIME,
    BasicAuth,
    BearerAuth,
    Token,
    TokenAuth,
    jwt_lifetime,
    lifetime_of,
)

NOW = 1_800_000_000.0


def jwt(claims: Any) -> str:
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{part}.c2lnbmF0dXJl"


def signed(auth: Any) -> str:
    return requests.Request("GET", "http://vendor.test/", auth=auth).prepare().headers["Authorization"]


def test_schemes() -> None:
    assert signed(BearerAuth("k+/=")) == "Bearer k+/="
    assert base64.b64decode(signed(BasicAuth("key")).removeprefix("Basic ")) == b"key:"
    assert base64.b64decode(signed(BasicAuth("u", "p:ü")).removeprefix("Basic ")).decode() == "u:p:ü"


def test_a_refused_token_is_discarded_by_its_value() -> None:
    tokens, discarded = ["first", "second"], []
    auth = TokenAuth(lambda: tokens[0], discarded.append, renewable=(401, 403))
    request = requests.Request("GET", "http://vendor.test/", auth=auth).prepare()
    tokens.pop(0)
    auth.renew(request)
    assert discarded == ["first"]
    assert signed(auth) == "Bearer second"


def test_nothing_is_shown() -> None:
    shown = [
        Token("s3cret", 1.0, "s3cret"),
        BearerAuth("s3cret"),
        BasicAuth("s3cret"),
        TokenAuth(lambda: "s3cret", print),
    ]
    assert "s3cret" not in repr(shown)


@pytest.mark.parametrize(
    ("claims", "lifetime"),
    [
        ({"exp": NOW + 600}, 600.0),
        ({"exp": NOW + 600, "iat": NOW - 300}, 900.0),
        ({"exp": str(NOW + 600)}, 600.0),
        ({"exp": NOW - 1}, None),
        ({"exp": NOW, "iat": NOW}, None),
        ({"exp": NOW + MAX_LIFETIME * 2}, None),
        ({"exp": 10**400}, None),
        ({"exp": float("nan")}, None),
        ({"exp": float("inf")}, None),
        ({"exp": None}, None),
        ({"exp": [1]}, None),
        ({"exp": NOW + 600, "iat": "x"}, None),
        ({}, None),
        ([], None),
        ("exp", None),
        (7, None),
        (None, None),
    ],
)
def test_jwt_lifetime(claims: Any, lifetime: float | None) -> None:
    assert jwt_lifetime(jwt(claims), NOW) == lifetime


@pytest.mark.parametrize(
    "token", ["", ".", "a.b", "a.!!!.c", "a.ZZ.c", "ü.ü.ü", "a." + "W" * 99_999 + ".c", "a.bnVs\n.c"]
)
def test_tokens_that_are_no_jwt(token: str) -> None:
    assert jwt_lifetime(token, NOW) is None


def test_deeply_nested_claims() -> None:
    nested = base64.urlsafe_b64encode(b"[" * 100_000).decode()
    assert jwt_lifetime(f"a.{nested}.c", NOW) is None


@pytest.mark.slow
@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: f"a.{base64.urlsafe_b64encode(raw).decode()}.c"))
def test_any_token(token: str) -> None:
    lifetime = jwt_lifetime(token, NOW)
    assert lifetime is None or 0 < lifetime < MAX_LIFETIME


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(10**400) | st.lists(st.integers()))
def test_any_expires_in(value: Any) -> None:
    lifetime = lifetime_of({"expires_in": value}, 600.0)
    assert 0 < lifetime < MAX_LIFETIME
    assert isinstance(lifetime, float)
    if isinstance(value, (bool, str, list)) or value is None:
        assert lifetime == 600.0
