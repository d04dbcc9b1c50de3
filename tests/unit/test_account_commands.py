# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Consent from a terminal, and the view of the rate budgets."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from airflow_provider_mkt import account_commands
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.sandbox.server import Sandbox


@pytest.fixture
def oauth(vendors: Sandbox, connect: Callable[..., str]) -> dict[str, str]:
    given = vendors.credentials()["flodesk"]
    connect(
        "flodesk",
        "consented",
        login=given["client_id"],
        password=given["client_secret"],
        extra={"refresh_token": "pending"},
    )
    return {str(name): str(value) for name, value in given.items()}


def consent(printed: str) -> str:
    """What the browser does: open the printed address, and come back to the redirect URI."""
    address = next(line.strip() for line in printed.splitlines() if line.strip().startswith("http"))
    return requests.get(address, allow_redirects=False, timeout=5).headers["Location"]


def test_a_consent_is_exchanged_and_shared(
    oauth: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: consent(capsys.readouterr().out))
    account_commands.authorize(argparse.Namespace(conn_id="consented", redirect_uri=oauth["redirect_uri"]))
    assert "share the new tokens" in capsys.readouterr().out
    assert next(iter(FlodeskHook("consented").list_segments()))["id"]


def test_an_address_of_another_consent_is_refused(oauth: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda _: f"{oauth['redirect_uri']}?code=stolen&state=other")
    with pytest.raises(SystemExit, match="does not belong"):
        account_commands.authorize(argparse.Namespace(conn_id="consented", redirect_uri=oauth["redirect_uri"]))


def test_a_refused_consent_says_so(
    oauth: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: str) -> str:
        state = parse_qs(urlsplit(consent(capsys.readouterr().out)).query)["state"][0]
        return f"{oauth['redirect_uri']}?error=access_denied&state={state}"

    monkeypatch.setattr("builtins.input", refuse)
    with pytest.raises(SystemExit, match="access_denied"):
        account_commands.authorize(argparse.Namespace(conn_id="consented", redirect_uri=oauth["redirect_uri"]))


def test_budgets_shows_what_is_used(vendors: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    FlodeskHook().check()
    account_commands.budgets(argparse.Namespace(output="json"))
    assert "flodesk" in capsys.readouterr().out
