# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Whatever is wrong with a connection is said by name, with the remedy, before a request is sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mkt.client.endpoint import Limit
from airflow_provider_mkt.exceptions import ApiError, ValidationError
from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.hooks.flokit import FlokitHook
from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.vendors import VENDORS

HOOKS: dict[str, type[MarketingHook]] = {
    "flinque": FlinqueHook,
    "flow_social": FlowSocialHook,
    "flodesk": FlodeskHook,
    "flow_living": FlowLivingHook,
    "flokit": FlokitHook,
}
TYPES = tuple(HOOKS)

# fields of the connection, what the message says of the problem, and of the remedy
ANY_TYPE: dict[str, tuple[dict[str, Any], str, str]] = {
    "no password": ({"password": ""}, "the password is missing", "enter the"),
    "blank password": ({"password": "   "}, "the password is missing", "enter the"),
    "space at the end": ({"password": "s3cret-key "}, "the password has a space at an end", "copy the"),
    "line break": ({"password": "s3cret-key\n"}, "line break", "copy the"),
    "line break inside": ({"password": "s3cret\nkey"}, "line break", "copy the"),
    "not ASCII": ({"password": "s3cret-kéy"}, "non-ASCII", "copy the"),
    "bullet": ({"password": "s3cret•key"}, "non-ASCII", "copy the"),
    "other scheme": ({"host": "ftp://s3cret.example"}, "the host must be a base URL like https://", "or empty"),
    "one slash": ({"host": "https:/s3cret.example"}, "the host must be a base URL", "or empty"),
    "no host in it": ({"host": "https://"}, "the host must be a base URL", "or empty"),
    "query": ({"host": "https://s3cret.example/v1?a=b"}, "the host must be a base URL", "or empty"),
    "fragment": ({"host": "https://s3cret.example/v1#a"}, "the host must be a base URL", "or empty"),
    "login in the host": ({"host": "https://me:s3cret-key@api.example"}, "the host must be a base URL", "or empty"),
    "password in the host": ({"host": "https://:s3cret-key@api.example"}, "the host must be a base URL", "or empty"),
    "space in the host": ({"host": "https://api s3cret.example"}, "the host must be a base URL", "or empty"),
    "port": ({"host": "https://api.example:s3cret"}, "the host must be a base URL", "or empty"),
    "port too high": ({"host": "https://api.example:70000"}, "the host must be a base URL", "or empty"),
    "port field too high": ({"host": "api.example", "port": 70000}, "the host must be a base URL", "or empty"),
    "bracket alone": ({"host": "[::1"}, "the host must be a base URL", "or empty"),
    "two ports": ({"host": "https://api.example:81", "port": 82}, "the port and the host disagree", "whole base URL"),
    "two schemes": ({"host": "http://api.example", "schema": "https"}, "the schema and the host disagree", "whole"),
    "two paths": ({"host": "api.example/v1", "schema": "v2"}, "the path in the schema and the host disagree", "whole"),
    "query in the schema": ({"host": "api.example", "schema": "v1?a=b"}, "the host must be a base URL", "or empty"),
    "schema alone": ({"host": "", "schema": "https"}, "there is a schema but no host", "or no schema"),
    "port alone": ({"host": "", "port": 443}, "there is a port but no host", "or no port"),
    "bracket": ({"host": "https://[::1"}, "the host must be a base URL", "or empty"),
    "extra is not JSON": ({"extra": "{s3cret-key"}, "the extra is not a JSON object", 'write it as {"key": "value"}'),
    "extra is a list": ({"extra": '["s3cret-key"]'}, "the extra is not a JSON object", 'write it as {"key": "value"}'),
    "extra is text": ({"extra": '"s3cret-key"'}, "the extra is not a JSON object", 'write it as {"key": "value"}'),
    "unknown key": ({"extra": {"colour": "s3cret-key"}}, "unknown key 'colour'", "known are "),
    "unknown key, close": ({"extra": {"time_out": 5}}, "unknown key 'time_out'", "did you mean 'timeout'?"),
    "unknown key, case": ({"extra": {"Verify": 5}}, "unknown key 'Verify'", "did you mean 'verify'?"),
    "timeout is text": ({"extra": {"timeout": "soon"}}, "'timeout' must be a number", "above 0"),
    "timeout is 0": ({"extra": {"timeout": 0}}, "'timeout' must be a number", "above 0"),
    "timeout is negative": ({"extra": {"timeout": -1}}, "'timeout' must be a number", "above 0"),
    "timeout is true": ({"extra": {"timeout": True}}, "'timeout' must be a number", "above 0"),
    "timeout is a list": ({"extra": {"timeout": [30]}}, "'timeout' must be a number", "above 0"),
    "timeout is NaN": ({"extra": {"timeout": "nan"}}, "'timeout' must be a number", "above 0"),
    "timeout is endless": ({"extra": {"timeout": "inf"}}, "'timeout' must be a number", "up to 100000"),
    "share above 1": ({"extra": {"budget_share": 1.5}}, "'budget_share' must be a number", "up to 1,"),
    "share of 0": ({"extra": {"budget_share": 0}}, "'budget_share' must be a number", "above 0"),
    "share in percent": ({"extra": {"budget_share": "50%"}}, "'budget_share' must be a number", "above 0, up to 1,"),
    "half a request": ({"extra": {"requests_per_minute": 0.5}}, "must be a whole number", "above 0"),
    "no requests": ({"extra": {"requests_per_minute": 0}}, "'requests_per_minute' must be a whole number", "above 0"),
    "no such bundle": ({"extra": {"verify": "/no/such.pem"}}, "CA bundle '/no/such.pem'", "does not exist"),
    "bundle beyond reason": ({"extra": {"verify": "x" * 5000}}, "CA bundle", "does not exist"),
    "webhook secret": ({"extra": {"previous_webhook_secret": " s3cret-key"}}, "space at an end", "copy the Previous"),
    "webhook secret is a list": ({"extra": {"previous_webhook_secret": ["s3cret-key"]}}, "must be text", "in quotes"),
}

ONE_TYPE: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "flinque without login": ("flinque", {"login": ""}, "the login is missing", "enter the Client ID"),
    "flinque blank login": ("flinque", {"login": "  "}, "the login is missing", "enter the Client ID"),
    "flinque plan": ("flinque", {"extra": {"plan": "gold"}}, "'plan' must be one of", "free, starter, enterprise"),
    "flinque plan is a number": ("flinque", {"extra": {"plan": 3}}, "'plan' must be one of", "free, starter"),
    "flinque secret with a space": ("flinque", {"extra": {"webhook_secret": "a b "}}, "space at an end", "copy the"),
    "flow living login": ("flow_living", {"login": None}, "the login is missing", "enter the Client ID"),
    "flow living type": ("flow_living", {"extra": {"request_type": ""}}, "'request_type' is missing", "manager"),
    "flow living list": ("flow_living", {"extra": {"request_type": ["a"]}}, "must be text", "in quotes"),
    "flow living typo": ("flow_living", {"extra": {"requestType": "a"}}, "'requestType'", "mean 'request_type'?"),
    "flodesk agent": ("flodesk", {"extra": {"user_agent": {"a": 1}}}, "'user_agent' must be text", "in quotes"),
}  # fmt: skip


def refusal(conn_type: str, conn_id: str) -> str:
    with pytest.raises(ValidationError) as caught:
        _ = HOOKS[conn_type](conn_id).client
    return str(caught.value)


@pytest.mark.parametrize("conn_type", TYPES)
@pytest.mark.parametrize("case", ANY_TYPE)
def test_bad_fields(conn_type: str, case: str, vendors: Sandbox, connect: Callable[..., str]) -> None:
    fields, problem, remedy = ANY_TYPE[case]
    message = refusal(conn_type, connect(conn_type, **fields))
    vendor = next(vendor for vendor in VENDORS if vendor.conn_type == conn_type)
    assert message.startswith(f"Connection 'changed' ({vendor.name}): ")
    assert problem in message
    assert remedy in message
    assert "s3cret" not in message
    assert vendors.requests() == []


@pytest.mark.parametrize("case", ONE_TYPE)
def test_bad_fields_of_one_vendor(case: str, vendors: Sandbox, connect: Callable[..., str]) -> None:
    conn_type, fields, problem, remedy = ONE_TYPE[case]
    message = refusal(conn_type, connect(conn_type, **fields))
    assert message.startswith("Connection 'changed' (")
    assert problem in message
    assert remedy in message
    assert vendors.requests() == []


@pytest.mark.parametrize("conn_type", TYPES)
def test_empty_host_is_the_vendors(conn_type: str, connect: Callable[..., str]) -> None:
    account = HOOKS[conn_type](connect(conn_type, host="")).account
    assert account.base_url == account.vendor.base_url


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"host": "api.example"}, "https://api.example"),
        ({"host": "https://api.example/v1/"}, "https://api.example/v1"),
        ({"host": " http://api.example:81/v1 "}, "http://api.example:81/v1"),
        ({"host": "api.example/v1", "port": 8443}, "https://api.example:8443/v1"),
        ({"host": "http://api.example:81", "port": 81}, "http://api.example:81"),
        ({"host": "api.example", "schema": "http"}, "http://api.example"),
        ({"host": "http://api.example/v1", "schema": "HTTP"}, "http://api.example/v1"),
        ({"host": "api.example/v1", "schema": "v1"}, "https://api.example/v1"),
        ({"host": "127.0.0.1", "port": 18095, "schema": "flokit/v1"}, "http://127.0.0.1:18095/flokit/v1"),
        ({"host": "127.0.0.1", "schema": "https"}, "https://127.0.0.1"),
        ({"host": "localhost:8095/flokit/v1"}, "http://localhost:8095/flokit/v1"),
        ({"host": "api.flokit.ai"}, "https://api.flokit.ai/v1"),
        ({"host": "api.flokit.ai", "schema": "v2"}, "https://api.flokit.ai/v2"),
        ({"host": "http://[::1]:81/v1"}, "http://[::1]:81/v1"),
    ],
)
def test_hosts(fields: dict[str, Any], expected: str, connect: Callable[..., str]) -> None:
    assert FlokitHook(connect("flokit", **fields)).account.base_url == expected


@pytest.mark.parametrize("conn_type", TYPES)
def test_a_connection_of_another_type_is_refused(conn_type: str, vendors: Sandbox, connect: Callable[..., str]) -> None:
    """Its key is somebody else's."""
    other = TYPES[TYPES.index(conn_type) - 1]
    message = refusal(conn_type, connect(other, password="s3cret-key"))
    assert f"has the type {other!r}, and {conn_type!r} is needed" in message
    assert "s3cret" not in message
    assert vendors.requests() == []


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("flinque://id:s3cret@127.0.0.1:18095/flinque/v1", "http://127.0.0.1:18095/flinque/v1"),
        ("flinque://http://id:s3cret@127.0.0.1:18095/flinque/v1", "http://127.0.0.1:18095/flinque/v1"),
        ("flinque://id:s3cret@api.flinque.com/v1", "https://api.flinque.com/v1"),
        ("flinque://id:s3cret@", "https://api.flinque.com/v1"),
    ],
)
def test_uris_lose_nothing(uri: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BY_URI", uri)
    assert FlinqueHook("by_uri").account.base_url == expected


def test_a_uri_whose_type_has_an_underscore_says_what_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BY_URI", "flow_social://:s3cret-key@api.flowsocial.app/v1")
    message = refusal("flow_social", "by_uri")
    assert "write flow-social://…" in message
    assert "s3cret" not in message
    monkeypatch.setenv("AIRFLOW_CONN_BY_URI", "flow-social://:s3cret-key@api.flowsocial.app/v1")
    assert FlowSocialHook("by_uri").account.base_url == "https://api.flowsocial.app/v1"


def test_extras_have_defaults_and_types(connect: Callable[..., str], tmp_path: Path) -> None:
    extras = FlinqueHook(connect("flinque", extra=None)).account.extras
    assert extras == {
        "plan": "starter",
        "webhook_secret": None,
        "timeout": 30.0,
        "verify": True,
        "budget_share": 1.0,
        "requests_per_minute": None,
        "previous_webhook_secret": None,
        "caps": None,
        "currency": None,
    }
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    given = {"plan": "FREE", "timeout": "2.5", "verify": str(bundle), "requests_per_minute": "7", "budget_share": None}
    extras = FlinqueHook(connect("flinque", extra=given)).account.extras
    assert (extras["plan"], extras["timeout"], extras["verify"]) == ("free", 2.5, str(bundle))
    assert extras["requests_per_minute"] == 7
    assert isinstance(extras["requests_per_minute"], int)
    assert extras["budget_share"] == 1.0


@pytest.mark.parametrize("value", [False, "false", "No", 0, "0"])
def test_verify_off(value: Any, connect: Callable[..., str]) -> None:
    assert FlokitHook(connect("flokit", extra={"verify": value})).account.extras["verify"] is False


def test_limits_follow_plan_and_override(vendors: Sandbox, connect: Callable[..., str], monkeypatch: Any) -> None:
    monkeypatch.undo()  # the limits are the subject here
    vendors_connection = {"conn_type": "flinque", "login": "id", "password": "secret", "extra": {"plan": "enterprise"}}
    monkeypatch.setenv("AIRFLOW_CONN_PLAN", json.dumps(vendors_connection))
    hook = FlinqueHook("plan")
    assert hook.limits(hook.account) == {"default": Limit(500)}
    vendors_connection["extra"] = {"plan": "enterprise", "requests_per_minute": 42}
    monkeypatch.setenv("AIRFLOW_CONN_PLAN", json.dumps(vendors_connection))
    hook = FlinqueHook("plan")
    assert hook.limits(hook.account) == {"default": Limit(42)}


@pytest.mark.parametrize("conn_type", TYPES)
def test_nothing_shows_the_secrets(conn_type: str, connect: Callable[..., str]) -> None:
    secrets = {"previous_webhook_secret": "hidden-old-hook-secret"}
    hook = HOOKS[conn_type](connect(conn_type, password="hidden-password", extra=secrets))
    shown = " ".join(map(repr, [hook.account, hook.client, hook.client.auth, hook.redactor, hook]))
    assert "hidden" not in shown
    assert set(hook.account.secrets) >= {"hidden-password", "hidden-old-hook-secret"}
    assert "hidden" not in "".join(hook.account.identity)
    assert "hidden" not in hook.redactor.text("say hidden-password and hidden-old-hook-secret")


# The "Test" button


@pytest.mark.parametrize("conn_type", TYPES)
def test_connection_that_works(conn_type: str, vendors: Sandbox) -> None:
    assert HOOKS[conn_type](f"{conn_type}_default").test_connection()[0] is True
    assert [entry for entry in vendors.ledger() if entry["effect"] != "token.issued"] == []


@pytest.mark.parametrize("conn_type", TYPES)
def test_connection_with_a_wrong_key(conn_type: str, vendors: Sandbox, connect: Callable[..., str]) -> None:
    conn_id = connect(conn_type, password="wrong-key-4711")
    works, message = HOOKS[conn_type](conn_id).test_connection()
    assert works is False
    assert "HTTP 401" in message
    assert "refused" in message
    assert "4711" not in message
    assert len(vendors.requests()) == 1


@pytest.mark.parametrize("conn_type", TYPES)
def test_connection_to_nobody(conn_type: str, vendors: Sandbox, connect: Callable[..., str]) -> None:
    conn_id = connect(conn_type, host="http://127.0.0.1:1/v1", password="lonely-key-4711")
    works, message = HOOKS[conn_type](conn_id).test_connection()
    assert works is False
    assert "could not be reached" in message
    assert "4711" not in message
    assert vendors.requests() == []


@pytest.mark.parametrize("conn_type", TYPES)
def test_connection_with_a_wrong_field(conn_type: str, vendors: Sandbox, connect: Callable[..., str]) -> None:
    works, message = HOOKS[conn_type](connect(conn_type, extra={"time_out": 1})).test_connection()
    assert works is False
    assert "did you mean 'timeout'" in message
    assert vendors.requests() == []


@pytest.mark.parametrize("conn_type", TYPES)
def test_connection_to_something_else(conn_type: str, vendors: Sandbox) -> None:
    vendors.fault("* /*", "html", count=None, status=200)
    works, message = HOOKS[conn_type](f"{conn_type}_default").test_connection()
    assert works is False
    assert "the body is HTML" in message


def test_an_oauth_client_that_nobody_has_authorised(vendors: Sandbox, connect: Callable[..., str]) -> None:
    works, message = HOOKS["flodesk"](connect("flodesk", "nobody", login="client")).test_connection()
    assert not works
    assert "`airflow mkt authorize`" in message
    assert "'refresh_token'" in message
    assert "empty the login" in message
    assert vendors.requests() == []


def test_expired_flow_living_key(vendors: Sandbox, connect: Callable[..., str]) -> None:
    expired = vendors.credentials()["flow_living"]["expired_api_key"]
    works, message = FlowLivingHook(connect("flow_living", password=expired)).test_connection()
    assert works is False
    assert "API key expired" in message
    assert expired not in message


def test_read_only_flokit_key_passes_the_test_but_not_a_sync(vendors: Sandbox, connect: Callable[..., str]) -> None:
    hook = FlokitHook(connect("flokit", password=vendors.credentials()["flokit"]["read_only_api_key"]))
    assert hook.test_connection()[0] is True
    with pytest.raises(ApiError, match="read-only"):
        hook.trigger_sync("int_adjust")
    assert vendors.ledger("flokit") == []
