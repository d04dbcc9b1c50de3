# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What Python and Airflow print by themselves: debug output of the standard library, and masked logs."""

from __future__ import annotations

import http.client
import json

import pytest

from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
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
