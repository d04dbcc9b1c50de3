# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Whatever is sent: answers keep to the published description, errors to the vendor's envelope, nothing crashes."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import requests

from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.sandbox.vendors.registry import VENDORS
from tests.unit.sandbox.vendors import Caller
from tests.vendors import FACTS

PREFIXES = {prefix: kind.name for kind in VENDORS for prefix in kind.prefixes}
"""Whose path begins so."""
DEEP = "[" * 100_000 + "]" * 100_000
HOSTILE = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"5",
    b'"x"',
    b"{}",
    b'{"a": NaN}',
    b'{"a": 1e999}',
    b'{"a": -Infinity}',
    b'{"content": "\\ud800"}',
    b'{"a": ' + b"9" * 5000 + b"}",
    b"\xff\xfe\xfd",
    DEEP.encode(),
    b'{"a":' * 500 + b"1" + b"}" * 500,
]


def vendor_of(path: str) -> str:
    return next(name for prefix, name in PREFIXES.items() if path == prefix or path.startswith(f"{prefix}/"))


def check_error(path: str, answer: requests.Response) -> None:
    body = answer.json()
    if "/oauth2/token" in path or "/oauth2/authorize" in path:
        assert set(body) in ({"error", "error_description"}, {"code", "message"})
        return
    assert set(body) == FACTS[vendor_of(path)].envelope, body
    assert "detail" not in body


@pytest.fixture
def description(sandbox: Sandbox, call: Caller) -> dict[str, Any]:
    sandbox.limits({"*": None})
    found: dict[str, Any] = call.session.get(f"{sandbox.url}/__sandbox__/openapi.json", timeout=10).json()
    return found


def operations(description: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, item in description["paths"].items()
        for method, operation in item.items()
    ]


def test_routes_are_complete(description: dict[str, Any]) -> None:
    counts = Counter(vendor_of(path) for _, path, _ in operations(description))
    assert counts == {name: facts.routes + len(facts.assumed_routes) for name, facts in FACTS.items()}
    assert "HTTPValidationError" not in json.dumps(description)


@pytest.mark.slow
def test_hostile_bodies_are_refused_politely(description: dict[str, Any], call: Caller) -> None:
    for method, path, operation in operations(description):
        if method == "GET" or "application/json" not in operation.get("requestBody", {}).get("content", {}):
            continue
        target = re.sub(r"\{[^}]*\}", "x", path)
        for body in HOSTILE:
            answer = call(method, target, data=body, headers={"Content-Type": "application/json"})
            assert answer.status_code < 500, (method, path, body[:40], answer.text)
            if answer.status_code >= 400:
                check_error(path, answer)


def test_odd_targets(call: Caller, description: dict[str, Any]) -> None:
    assert description
    for prefix in (kind.prefixes[0] for kind in VENDORS):
        for tail, code in (("/nope", 404), ("", 404), ("/", 404), ("/%00%ff", 404)):
            answer = call("GET", prefix + tail)
            assert answer.status_code == code
            check_error(prefix, answer)
    for method, path in (
        ("PUT", "/flokit/v1/events"),
        ("PATCH", "/flodesk/v1/segments"),
        ("DELETE", "/flinque/v1/reports"),
    ):
        answer = call(method, path)
        assert (answer.status_code, bool(answer.headers["Allow"])) == (405, True)
        check_error(path, answer)
    assert call("GET", "/elsewhere").status_code == 404


def test_sizes_and_media_types(call: Caller, description: dict[str, Any]) -> None:
    assert description
    for path in ("/flow-social/v1/posts", "/flokit/v1/events", "/flodesk/v1/subscribers", "/flinque/v1/campaigns"):
        large = call("POST", path, data=b" " * (1024 * 1024 + 1), headers={"Content-Type": "application/json"})
        assert large.status_code == 413
        check_error(path, large)
        if "flodesk" not in path:
            text = call("POST", path, data=b"{}", headers={"Content-Type": "text/plain"})
            assert text.status_code == 400
            check_error(path, text)


def test_without_credentials_everything_is_closed(sandbox: Sandbox, description: dict[str, Any]) -> None:
    opened = []
    with requests.Session() as session:
        session.trust_env = False
        for method, path, _ in operations(description):
            target = sandbox.url + re.sub(r"\{[^}]*\}", "x", path)
            answer = session.request(method, target, timeout=10, allow_redirects=False)
            if answer.status_code != 401:
                opened.append(path)
            else:
                check_error(path, answer)
    assert set(opened) == set().union(*(facts.open_routes for facts in FACTS.values()))


def sample(schema: dict[str, Any], root: dict[str, Any], chance: random.Random) -> Any:  # noqa: C901, PLR0911 - a table
    """Something that a schema permits, or nearly."""
    if "$ref" in schema:
        return sample(root["components"]["schemas"][schema["$ref"].rpartition("/")[2]], root, chance)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return sample(chance.choice(schema[key]), root, chance)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return chance.choice(schema["enum"])
    if schema.get("format") in ("date-time", "date"):
        return chance.choice(
            ["2031-05-05T10:00:00Z", "2031-05-05", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59Z"]
        )
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        names = [
            name for name in schema.get("properties", {}) if name in schema.get("required", []) or chance.random() < 0.7
        ]
        return {name: sample(schema["properties"][name], root, chance) for name in names}
    if kind == "array":
        return [sample(schema.get("items", {}), root, chance) for _ in range(chance.randint(1, 3))]
    if kind == "integer":
        return chance.choice([schema.get("minimum", 0), 1, 50, 10**20])
    if kind == "number":
        return chance.choice([0, 1.5, 10**18, 1e-9])
    if kind == "boolean":
        return chance.random() < 0.5
    if kind == "string":
        return chance.choice(
            ["x", "channel_1", "a@example.com", "ca_1", "#AABBCC", "\u0000", "\U0001f600" * 20, "https://h.example/x"]
        )
    return None


@pytest.mark.slow
def test_answers_keep_to_the_description(sandbox: Sandbox, call: Caller, description: dict[str, Any]) -> None:
    chance = random.Random(7)
    ids = [
        "ca_1",
        "cr_1",
        "channel_1",
        "conn_1",
        "key_2",
        "seg_news",
        "wf_viewing",
        "int_adjust",
        "act_01",
        "ws_1",
        "sub_1",
        "twitter",
    ]
    checked = 0
    for _ in range(4):
        for method, path, operation in operations(description):
            if "oauth2" in path or path.endswith("/oauth/token"):
                continue
            target = re.sub(r"\{[^}]*\}", lambda _: chance.choice(ids), path)
            query = {
                item["name"]: sample(item["schema"], description, chance)
                for item in operation.get("parameters", [])
                if item["in"] == "query" and (item.get("required") or chance.random() < 0.3)
            }
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            body = sample(content["schema"], description, chance) if content else None
            options = {"json": body} if content else {}
            answer = call(method, target, params=query, **options)
            assert answer.status_code < 500, (method, target, query, body, answer.text)
            known = operation["responses"].get(str(answer.status_code))
            assert known is not None or answer.status_code == 405, (method, target, answer.status_code)
            schema = (known or {}).get("content", {}).get("application/json", {}).get("schema")
            if schema and answer.headers.get("Content-Type") == "application/json":
                jsonschema.validate(answer.json(), {**schema, "components": description["components"]})
                checked += answer.ok
    assert checked > 100
    assert not [entry for entry in sandbox.requests() if entry["status"] is None]
