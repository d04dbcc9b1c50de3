# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Tracebacks that show local variables, and reprs, tell no secret and nobody's address."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback

import pytest
import requests

from airflow_provider_mkt.client.auth import BasicAuth, BearerAuth
from airflow_provider_mkt.client.endpoint import Endpoint, Safety
from airflow_provider_mkt.client.secret import Secret, concealed
from airflow_provider_mkt.exceptions import ApiError, ValidationError
from airflow_provider_mkt.hooks import transport
from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
from tests.contract.wire import Raw, answer

KEY, SEED, TOKEN = "pl4nted-key-1", "pl4nted-seed-2", "pl4nted-token-3"


BOTH = '{"access_token": "pl4nted-token-3", "refresh_token": "pl4nted-token-3"}'


def test_a_secret_is_a_text_that_is_not_shown() -> None:
    secret = Secret(KEY)
    assert (secret, f"{secret}", json.dumps({"a": secret})) == (KEY, KEY, f'{{"a": "{KEY}"}}')
    assert KEY not in repr([secret, {"a": secret}, concealed({"t": KEY, "n": 7})])
    assert pickle.loads(pickle.dumps(secret)) == copy.deepcopy(secret) == KEY


def test_a_call_shows_nobody() -> None:
    call = Endpoint("GET", "/subscribers/{id}", Safety.READ)(path={"id": "jane.doe@example.com"})
    assert "jane" not in repr(call)


@pytest.mark.parametrize("auth", [BasicAuth("u", KEY), BearerAuth(KEY)])
def test_a_signed_request_shows_nothing(auth: BasicAuth | BearerAuth) -> None:
    request = requests.Request("GET", "http://x.example/", auth=auth).prepare()
    assert KEY in request.headers["Authorization"] or isinstance(auth, BasicAuth)
    shown = repr(request.headers) + repr(vars(request)) + repr(vars(auth))
    assert KEY not in shown
    assert "Basic" not in shown


def shown_locals(error: BaseException) -> str:
    """What a log with local variables shows of this package's frames."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "\n".join(f"{frame.name} {frame.locals}" for frame in told.stack if "airflow_provider_mkt" in frame.filename)


@pytest.mark.proof
@pytest.mark.parametrize(
    ("kind", "parts", "reply"),
    [
        (FlinqueHook, {"login": "c"}, '{"access_token": "pl4nted-token-3", "expires_in": 60}'),
        (FlinqueHook, {"login": "c"}, '{"wrong": 1}'),
        (FlodeskHook, {"login": "c", "extra": {"refresh_token": SEED}}, BOTH),
        (FlodeskHook, {}, '{"wrong": 1}'),
        (FlowLivingHook, {"login": "c", "extra": {"request_type": "r"}}, '{"accessToken": "pl4nted-token-3"}'),
    ],
)
def test_local_variables(
    kind: type[MarketingHook], parts: dict[str, object], reply: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: MarketingHook, secret: str, *_: object) -> None:
        if secret == TOKEN:
            raise ApiError("something broke behind the answer")

    monkeypatch.setattr(MarketingHook, "hide", broken)
    with Raw(answer(reply)) as server:
        connection = {"conn_type": kind.conn_type, "host": server.url, "password": KEY, **parts}
        monkeypatch.setenv("AIRFLOW_CONN_ODD", json.dumps(connection))
        hook = kind("odd")
        with pytest.raises(ApiError) as caught:
            hook._refresh(Secret(SEED)) if isinstance(hook, FlodeskHook) and hook.account.login else hook.check()
    shown = shown_locals(caught.value)
    assert not any(word in shown for word in (KEY, SEED, TOKEN)), shown


@pytest.fixture
def unwarned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_warned", set())


@pytest.mark.parametrize(
    ("parts", "warned"),
    [
        ({"host": "http://gateway.example:8080"}, ["gateway.example in plain http"]),
        ({"host": "http://10.0.0.7"}, ["10.0.0.7 in plain http"]),
        ({"extra": {"verify": "false"}}, ["api.flowliving.com without a check"]),
        (
            {"host": "https://a.example", "extra": {"analytics_host": "http://b.example"}},
            ["b.example in plain http"],
        ),
        (
            {"host": "https://a.example", "extra": {"analytics_host": "b.example", "verify": "false"}},
            ["a.example without a check", "b.example without a check"],
        ),
        ({"host": "http://127.0.0.1:1", "extra": {"verify": "false"}}, []),
        ({"host": "http://localhost:1"}, []),
        ({"host": "http://[::1]:1"}, []),
        ({}, []),
    ],
)
def test_credentials_on_an_open_road(
    parts: dict[str, object],
    warned: list[str],
    unwarned: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A warning, once per process."""
    connection = {"conn_type": "flow_living", "login": "c", "password": KEY, **parts}
    connection["extra"] = {"request_type": "r", **dict(parts.get("extra", {}))}  # type: ignore[call-overload]
    monkeypatch.setenv("AIRFLOW_CONN_ODD", json.dumps(connection))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert FlowLivingHook("odd").client
    found = [record.getMessage() for record in caplog.records if record.name == transport.log.name]
    assert len(found) == len(warned)
    assert all(part in line for part, line in zip(warned, found, strict=True))


@pytest.mark.parametrize(
    "parts",
    [
        {"host": "s3cr3t@Pa55word@db"},
        {"host": "https://user:Pa55word@vendor.example"},
        {"extra": {"analytics_host": "https://user:Pa55word@b.example"}},
        {"extra": {"analytics_host": "user:Pa55word@b.example"}},
    ],
)
def test_credentials_in_an_address_are_refused_unquoted(
    parts: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {"conn_type": "flow_living", "login": "c", "password": KEY, **parts}
    connection["extra"] = {"request_type": "r", **dict(parts.get("extra", {}))}  # type: ignore[call-overload]
    monkeypatch.setenv("AIRFLOW_CONN_ODD", json.dumps(connection))
    hook = FlowLivingHook("odd")
    with pytest.raises(ValidationError) as caught:
        hook.client  # noqa: B018 - building it is the check
    assert "Pa55word" not in str(caught.value)
    assert "user" not in str(caught.value).replace("user name", "")
