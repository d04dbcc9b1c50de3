# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Which URLs can be used, with which driver, and that no part of a password is ever shown."""

from __future__ import annotations

import logging
import traceback

import pytest

from airflow_provider_mkt.state.database import dialects
from airflow_provider_mkt.state.database.dialects import usable
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.errors import StoreError, StoreFailure

PASSWORDS = ["s3cr3t@Pa55word", "s3cr3t@Pa55word@", "s3cr3t:x@Pa55word", "s3cr3t/@Pa55word", "@s3cr3t@Pa55word"]


@pytest.mark.parametrize(
    ("url", "failure"),
    [
        ("not a url", StoreFailure.MISCONFIGURED),
        ("mysql://user:geheim@host/db", StoreFailure.MISCONFIGURED),
        ("postgresql+asyncpg://user:geheim@host/db", StoreFailure.MISCONFIGURED),
        ("sqlite+aiosqlite:////tmp/x.db", StoreFailure.MISCONFIGURED),
        ("sqlite://user:geheim@host/db", StoreFailure.MISCONFIGURED),
        ("sqlite://state.db", StoreFailure.MISCONFIGURED),
        ("postgresql://user:geheim@host:port/db", StoreFailure.MISCONFIGURED),
    ],
)
def test_urls_that_cannot_be_used(url: str, failure: StoreFailure) -> None:
    with pytest.raises(StoreError, match=r"\[mkt\] state_url must be a URL for sqlite or postgresql") as caught:
        Store(url)
    assert caught.value.failure is failure
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_that_is_not_escaped_is_refused_and_not_quoted(
    password: str, scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its second half would be taken for the host, and shown in every message."""
    with caplog.at_level(logging.DEBUG), pytest.raises(StoreError, match="%40") as caught:
        Store(f"{scheme}://airflow:{password}@db/airflow")
    assert caught.value.failure is StoreFailure.MISCONFIGURED
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(vars(caught.value))
    assert "Pa55word" not in shown + caplog.text
    assert "s3cr3t" not in shown + caplog.text


def test_a_slash_in_the_user_name_does_not_show_the_password_as_a_database() -> None:
    with pytest.raises(StoreError, match="%2F") as caught:
        Store("postgresql://air/flow:Pa55word@db/airflow")
    assert "Pa55word" not in str(caught.value)


def test_a_password_among_the_parameters_is_used_and_not_shown() -> None:
    made = Store("postgresql://airflow:other@db/airflow?password=s3cr3t%40Pa55word&sslmode=require")
    assert (made.url.password, dict(made.url.query)) == ("s3cr3t@Pa55word", {"sslmode": "require"})
    assert "Pa55word" not in repr(made.url) + repr(vars(made))


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("postgresql://a1rfl0w:123/s3cr3t", ["a1rfl0w", "123", "s3cr3t"]),
        ("postgresql+psycopg2://a1rfl0w:99999/s3cr3t", ["a1rfl0w", "99999", "s3cr3t"]),
        ("postgres://s3cr3t/Pa55word", ["s3cr3t", "Pa55word"]),
        ("postgresql://a1rfl0w:Pa55word/db", ["a1rfl0w", "Pa55word"]),
        ("s3cr3t://a1rfl0w@db/airflow", ["s3cr3t", "a1rfl0w"]),
        ("postgresql+s3cr3t://a1rfl0w@db/airflow", ["s3cr3t", "a1rfl0w"]),
        ("s3cr3t:a1rfl0w@db/airflow", ["s3cr3t", "a1rfl0w"]),
        ("mysql+s3cr3t://u:Pa55word@h/d", ["s3cr3t", "Pa55word"]),
        ("postgresql://u:Pa55word@[h/d", ["Pa55word"]),
        ("postgresql://u:Pa55word@h:70x/d", ["Pa55word"]),
    ],
)
def test_nothing_is_shown_of_a_url_that_is_not_safely_read(
    url: str, parts: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Where the host was forgotten, the user name looks like the host, and the password like port and database."""
    shown = ""
    with caplog.at_level(logging.DEBUG):
        try:
            made = Store(url, patience=0.2)
            shown += f"{made!r} {made.where}"
            made.run(lambda _: None, connection_wait=0.0)
        except StoreError as error:
            shown += "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    assert "StoreError" in shown
    traced = "\n".join(line for line in (shown + caplog.text).splitlines() if not line.startswith("  "))
    assert not [part for part in parts if part in traced]


@pytest.mark.parametrize("url", ["postgresql://localhost:5433/airflow", "postgresql://127.0.0.1:5433/airflow"])
def test_an_address_that_is_no_user_name_is_shown(url: str) -> None:
    assert Store(url).where.endswith(":5433/airflow")


@pytest.mark.parametrize("name", ["password", "sslpassword", "oauth_client_secret", "scram_client_key"])
def test_no_parameter_shows_a_secret(name: str) -> None:
    made = Store(f"postgresql://airflow@db/airflow?sslmode=require&{name}=s3cr3t%2FPa55word&{name}=s3cr3t%2FPa55word")
    assert "Pa55word" not in repr(made.url) + repr(vars(made)) + repr(made._engine.url) + str(made._engine.url)
    once = Store(f"postgresql://airflow@db/airflow?{name}=s3cr3t%2FPa55word")
    sent = {"password": once.url.password, **once._secrets}
    assert sent[name] == "s3cr3t/Pa55word"
    assert "Pa55word" not in repr(once.url) + repr(vars(once))


def test_an_escaped_password_is_used_and_not_shown() -> None:
    made = Store("postgresql://airflow:s3cr3t%40Pa55word@db/airflow")
    assert made.url.password == "s3cr3t@Pa55word"
    assert repr(made) == "<Store PostgreSQL, db:5432/airflow>"
    assert "Pa55word" not in f"{made.url!r} {made._engine!r}"


@pytest.mark.parametrize(
    ("installed", "url", "driver"),
    [
        ({"psycopg", "psycopg2"}, "postgresql://h/d", "postgresql+psycopg"),
        ({"psycopg2"}, "postgresql://h/d", "postgresql+psycopg2"),
        ({"psycopg2"}, "postgres://h/d", "postgresql+psycopg2"),
        ({"psycopg", "psycopg2"}, "postgresql+psycopg2://h/d", "postgresql+psycopg2"),
        (set(), "sqlite:////x", "sqlite+pysqlite"),
    ],
)
def test_the_driver_is_one_that_is_installed(
    monkeypatch: pytest.MonkeyPatch, installed: set[str], url: str, driver: str
) -> None:
    monkeypatch.setattr(dialects, "find_spec", lambda name: name if name in installed else None)
    assert usable(url).drivername == driver


@pytest.mark.parametrize("url", ["postgresql://h/d", "postgresql+psycopg2://h/d"])
def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr(dialects, "find_spec", lambda name: None)
    with pytest.raises(StoreError, match="needs a PostgreSQL driver; install psycopg2-binary"):
        usable(url)
