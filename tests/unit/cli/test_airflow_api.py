# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Airflow's REST API under odd circumstances: a redirect, a .netrc, a page in place of an answer."""

from __future__ import annotations

import http.client
import logging
from pathlib import Path

import pytest

from airflow_provider_mkt.cli.airflow_api import AirflowApi, AirflowApiError, Instance
from tests.contract.wire import Raw, answer

INSTANCE = Instance("d", "r", "t", -1)


@pytest.fixture(autouse=True)
def administrator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_API_USERNAME", "admin")
    monkeypatch.setenv("AIRFLOW_API_PASSWORD", "Pa55word")


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_the_password_does_not_follow_a_redirect(status: str) -> None:
    with Raw(answer('{"access_token": "stolen"}')) as thief:
        target = thief.url.replace("127.0.0.1", "localhost")
        with Raw(answer("", status, Location=f"{target}/auth/token?x=1")) as server:
            with pytest.raises(AirflowApiError, match="redirects to localhost") as caught:
                AirflowApi(server.url)
            assert len(server.requests) == 1
        assert thief.requests == []
        assert "x=1" not in str(caught.value)


def test_a_netrc_does_not_replace_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with Raw(answer('{"access_token": "t", "dag_runs": []}')) as server:
        assert list(AirflowApi(server.url).runs("d", 5)) == []
        assert list(AirflowApi(server.url, "mine").runs("d", 5)) == []
        first, second, third = server.requests
    assert b"Authorization" not in first
    assert b"Authorization: Bearer t\r\n" in second
    assert b"Authorization: Bearer mine\r\n" in third


def test_debug_output_shows_neither_password_nor_token(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    with caplog.at_level(logging.DEBUG), Raw(answer('{"access_token": "t0ken-1234", "dag_runs": []}')) as server:
        assert list(AirflowApi(server.url).runs("d", 5)) == []
    printed = capfd.readouterr()
    assert not any(word in printed.out + printed.err + caplog.text for word in ("Pa55word", "t0ken-1234"))


def test_nobody_is_there() -> None:
    with Raw(answer("{}")) as server:
        url = server.url
    with pytest.raises(AirflowApiError, match="cannot be reached"):
        AirflowApi(url)


@pytest.mark.parametrize("body", ["<html><body>Sign in</body></html>", "text", "[]", '{"other": 1}', "[" * 5000])
def test_something_else_answers(body: str) -> None:
    with Raw(answer(body)) as server:
        api = AirflowApi(server.url, "t")
        for ask in (lambda: list(api.runs("d", 5)), lambda: api.task_state(INSTANCE), lambda: api.state(INSTANCE)):
            with pytest.raises(AirflowApiError, match="does not answer as Airflow's API does"):
                ask()


def test_what_it_says_is_cut_and_redacted() -> None:
    page = f"<html><h1>Bad</h1>token=abcdef jane@localhost {'x ' * 1000}</html>"
    with Raw(answer(page, "500 Oh")) as server, pytest.raises(AirflowApiError) as caught:
        list(AirflowApi(server.url, "t").runs("d", 5))
    assert "Bad token=*** *** x x" in str(caught.value)
    assert len(str(caught.value)) < 700


def test_what_it_says_is_told_without_the_json_around_it() -> None:
    said = '{"detail": "The Dag with ID: `spring` was not found"}'
    with Raw(answer(said, "404 Not Found")) as server, pytest.raises(AirflowApiError) as caught:
        list(AirflowApi(server.url, "t").runs("spring", 5))
    assert str(caught.value).endswith("/dagRuns: HTTP 404: The Dag with ID: `spring` was not found")
