# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Forms that another site makes a signed-in person's browser send are refused.

=============================================  =================================
attack                                         what refuses it
=============================================  =================================
a form on another site                         ``Origin``, ``Sec-Fetch-Site``
a form on a sister host of the same site       the same
a script on another site                       the content type, ``Origin``
a form in a frame without an origin            ``Origin: null``
a token of the attacker's own session          the person in it
a token with a cookie of the attacker's        the person in it
a token that lay about for a day               its age
a token without the cookie                     the number in both
nothing that tells where it comes from         that it is missing
=============================================  =================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from starlette.requests import Request

from airflow_provider_mkt.pages import forms
from airflow_provider_mkt.pages.forms import COOKIE, FIELD, KIND, MAX_BODY, ForgedError, form_of, token_for

pytestmark = pytest.mark.slow

HOST, ORIGIN = "airflow.example.com", "https://airflow.example.com"


@pytest.fixture(autouse=True)
def signing_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__SECRET_KEY", "a key of the tests")


def request(body: bytes = b"", **headers: str) -> Request:
    given = {"host": HOST, "content-type": KIND, "origin": ORIGIN, "sec-fetch-site": "same-origin"}
    given.update({name.replace("_", "-"): value for name, value in headers.items()})
    raw = [(name.encode(), value.encode()) for name, value in given.items() if value]

    async def receive() -> Mapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": raw, "scheme": "https"}
    return Request(scope, receive)


def signed(user: str = "ada") -> tuple[bytes, str]:
    token, number = token_for(request(), user)
    return f"{FIELD}={token}&why=prices".encode(), f"{COOKIE}={number}"


async def taken(body: bytes, cookie: str, user: str = "ada", **headers: str) -> dict[str, str]:
    return await form_of(request(body, cookie=cookie, **headers), user)


@pytest.fixture
def run() -> Any:
    import asyncio

    return asyncio.run


@pytest.mark.parametrize("headers", [{}, {"sec_fetch_site": ""}, {"origin": ""}])
def test_a_form_of_ones_own_is_taken(headers: dict[str, str], run: Any) -> None:
    assert run(taken(*signed(), **headers)) == {"why": "prices"}


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example.net", "sec_fetch_site": "cross-site"},
        {"origin": "https://evil.example.net", "sec_fetch_site": ""},
        {"origin": "https://wiki.example.com", "sec_fetch_site": "same-site"},
        {"origin": "null"},
        {"sec_fetch_site": "none"},
        {"origin": "", "sec_fetch_site": ""},
        {"content_type": "text/plain"},
        {"content_type": "application/json"},
        {"content_type": "multipart/form-data; boundary=x"},
    ],
)
def test_what_comes_from_elsewhere_is_refused(headers: dict[str, str], run: Any) -> None:
    with pytest.raises(ForgedError):
        run(taken(*signed(), **headers))


def test_a_token_of_somebody_else_is_refused(run: Any) -> None:
    with pytest.raises(ForgedError, match="another session"):
        run(taken(*signed("mallory")))


def test_a_token_without_its_cookie_is_refused(run: Any) -> None:
    body, _ = signed()
    _, other = signed()
    for cookie in ("", other, f"{COOKIE}=é"):
        with pytest.raises(ForgedError, match="another session"):
            run(taken(body, cookie))


@pytest.mark.parametrize("body", [b"", b"token=", b"token=WyJhZGEiXQ.x.y", b"why=prices"])
def test_no_token_is_refused(body: bytes, run: Any) -> None:
    with pytest.raises(ForgedError, match="token"):
        run(taken(body, signed()[1]))


def test_an_old_token_is_refused(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    body, cookie = signed()
    monkeypatch.setattr(forms, "AGE", -1)
    with pytest.raises(ForgedError, match="too old"):
        run(taken(body, cookie))


def test_a_token_of_another_server_is_refused(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    body, cookie = signed()
    monkeypatch.setenv("AIRFLOW__API__SECRET_KEY", "another key")
    with pytest.raises(ForgedError):
        run(taken(body, cookie))


def test_a_large_body_is_not_read(run: Any) -> None:
    with pytest.raises(ForgedError, match="larger"):
        run(taken(b"x" * (MAX_BODY + 1), signed()[1]))


def test_behind_a_proxy_the_configured_address_counts(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://marketing.example.org/airflow")
    assert run(taken(*signed(), origin="https://marketing.example.org"))
