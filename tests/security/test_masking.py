# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What Python and Airflow print by themselves: debug output of the standard library, and masked logs."""

from __future__ import annotations

import http.client
import json
import logging

import pytest

from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.webhooks.trial import deliver
from tests.contract.wire import Raw, answer

KEY = "k\"e'y/+=%&\\1"


@pytest.mark.parametrize(("hook", "login"), [(FlodeskHook, ""), (FlinqueHook, "client")])
def test_every_spelling_that_is_sent_is_masked(
    hook: type[FlodeskHook | FlinqueHook], login: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow masks what it is told, to the letter."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_ODD", json.dumps({"conn_type": hook.conn_type, "login": login or None, "password": KEY})
    )
    masked: list[str] = []
    monkeypatch.setattr("airflow.sdk.log.mask_secret", masked.append)
    odd = hook("odd")
    assert odd.redactor is not None
    expected = {
        KEY,
        json.dumps(KEY)[1:-1],
        repr(json.dumps(KEY).encode())[3:-2],
        "k%22e%27y%2F%2B%3D%25%26%5C1",
        "ayJlJ3kvKz0lJlwxOg==",  # Basic, the key as the user name
    }
    if login:
        expected.add("Y2xpZW50OmsiZSd5Lys9JSZcMQ==")  # Basic, with the login
    assert expected <= set(masked)


def test_debug_output_of_http_client(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """It would print the request line with the e-mail address, and the credentials."""
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    with Raw(answer('{"id": "s", "email": "jane.doe@example.com"}')) as server:
        monkeypatch.setenv(
            "AIRFLOW_CONN_ODD", json.dumps({"conn_type": "flodesk", "host": server.url, "password": "fd_key_1234"})
        )
        FlodeskHook("odd").get_subscriber("jane.doe@example.com")
        assert server.requests
    printed = capfd.readouterr()
    assert not any(word in printed.out + printed.err for word in ("jane", "fd_key", "Basic"))


def test_a_made_up_delivery_does_not_show_the_token_in_its_address(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Deliveries of a vendor that signs nothing are proved by a token in their path."""
    token = "t0ken-of-the-webhook"
    connection = {"conn_type": "flokit", "password": "key-1234", "extra": {"webhook_token": token}}
    monkeypatch.setenv("AIRFLOW_CONN_UNSIGNED", json.dumps(connection))
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    with caplog.at_level(logging.DEBUG), Raw(answer("")) as server:
        assert deliver("unsigned", f"{server.url}/mkt") == 200
        assert token in server.requests[0].decode()
    printed = capfd.readouterr()
    assert "/mkt/webhooks/unsigned/" in caplog.text
    assert token not in printed.out + printed.err + caplog.text
