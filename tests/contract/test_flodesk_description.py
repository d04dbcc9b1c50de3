# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The simulated Flodesk describes itself as Flodesk's documents do, so that clients of Flodesk can be pointed at it.

The table repeats the vendor's reference page and description 1.0.0; it knows nothing of the sandbox's code.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from airflow_provider_mkt.sandbox.server import Sandbox

PAGED = frozenset({"page", "per_page"})
SUBSCRIBER = frozenset(
    [
        "id",
        "status",
        "email",
        "source",
        "first_name",
        "last_name",
        "segments",
        "custom_fields",
        "optin_ip",
        "optin_timestamp",
        "created_at",
    ]
)
UPSERT = frozenset(
    [
        "id",
        "email",
        "first_name",
        "last_name",
        "custom_fields",
        "segment_ids",
        "double_optin",
        "optin_ip",
        "optin_timestamp",
    ]
)
SEGMENT = frozenset({"id", "name", "total_active_subscribers", "created_at", "color", "segment_type"})
WEBHOOK = frozenset({"id", "post_url", "events", "created_at"})
HOOK_FIELDS = frozenset({"name", "post_url", "events"})
FIELD = frozenset({"key", "label"})
LIST = frozenset({"meta", "data"})
NONE: frozenset[str] = frozenset()


class Row(NamedTuple):
    """An operation: its success code, query parameters, body (required, all) and the fields of its answer."""

    code: str
    query: frozenset[str] = NONE
    required: frozenset[str] = NONE
    body: frozenset[str] = NONE
    answer: frozenset[str] | None = None
    rows: frozenset[str] | None = None


IDS = frozenset({"segment_ids"})
PEOPLE = "/subscribers/{id_or_email}"
REST = {
    "GET /subscribers": Row("200", PAGED | {"status", "segment_id"}, answer=LIST, rows=SUBSCRIBER),
    "POST /subscribers": Row("200", body=UPSERT, answer=SUBSCRIBER),
    "POST /subscribers/batch": Row(
        "200",
        required=frozenset({"subscribers"}),
        body=frozenset({"subscribers"}),
        answer=frozenset({"successes", "failures"}),
    ),
    f"GET {PEOPLE}": Row("200", answer=SUBSCRIBER),
    f"DELETE {PEOPLE}/segments": Row("200", required=IDS, body=IDS, answer=SUBSCRIBER),
    f"POST {PEOPLE}/segments": Row("200", required=IDS, body=IDS, answer=SUBSCRIBER),
    f"POST {PEOPLE}/unsubscribe": Row("200", answer=SUBSCRIBER),
    "GET /segments": Row("200", PAGED, answer=LIST, rows=SEGMENT),
    # Neither field is marked as required; that a name is needed all the same is assumed.
    "POST /segments": Row("201", required=frozenset({"name"}), body=frozenset({"name", "color"}), answer=SEGMENT),
    "GET /segments/colors": Row("200"),
    "GET /segments/{id}": Row("200", answer=SEGMENT),
    "GET /workflows": Row(
        "200", frozenset({"statuses", "page", "perPage"}), answer=LIST, rows=frozenset({"id", "name"})
    ),
    "POST /workflows/{workflow_id}/subscribers": Row("204", body=frozenset({"id", "email"})),
    "DELETE /workflows/{workflow_id}/subscribers/{id_or_email}": Row("204"),
    "GET /custom-fields": Row("200", PAGED, answer=LIST, rows=FIELD),
    "POST /custom-fields": Row("201", required=frozenset({"label"}), body=frozenset({"label"}), answer=FIELD),
    "GET /custom-fields/all": Row("200", rows=FIELD),
    "GET /webhooks": Row("200", PAGED, answer=LIST, rows=WEBHOOK),
    "POST /webhooks": Row("201", required=HOOK_FIELDS, body=HOOK_FIELDS, answer=WEBHOOK),
    "GET /webhooks/{id}": Row("200", answer=WEBHOOK),
    "PUT /webhooks/{id}": Row("200", body=HOOK_FIELDS, answer=WEBHOOK),
    "DELETE /webhooks/{id}": Row("204"),
    "GET /campaigns": Row(
        "200",
        PAGED | {"Search", "OrderBy", "Sort", "Status", "SharedAsTemplate"},
        answer=frozenset({"data"}),
        rows=frozenset({"id", "status", "name", "subject", "created_at", "updated_at"}),
    ),
    "POST /campaigns/canva": Row(
        "201",
        body=frozenset({"bundle_url", "title", "design_token", "page_id", "campaign_id"}),
        answer=frozenset({"id", "url"}),
    ),
    "GET /campaigns/canva/design-state": Row("200", answer=frozenset({"design_id", "campaign_id"})),
    "POST /campaigns/studio": Row(
        "201", body=frozenset({"html", "title", "campaign_id", "asset_id"}), answer=frozenset({"id", "url"})
    ),
}
OAUTH = {
    "GET /authorize": Row("302", frozenset({"client_id", "redirect_uri", "response_type", "state"})),
    "POST /token": Row(
        "200",
        required=frozenset({"grant_type"}),
        body=frozenset({"grant_type", "code", "redirect_uri", "refresh_token"}),
        answer=frozenset({"access_token", "token_type", "expires_in", "scopes", "refresh_token"}),
    ),
    "GET /userinfo": Row("200", answer=frozenset({"id", "email", "full_name", "created_at", "profile_url"})),
}
ENUMS = {
    ("GET /subscribers", "status"): {"active", "unsubscribed", "unconfirmed", "bounced", "complained", "cleaned"},
    ("GET /campaigns", "Status"): {"draft", "pending", "scheduled", "composing", "sending", "done", "failed"},
}
SHOWN = {
    ("SubscriberView", "status"): ENUMS["GET /subscribers", "status"] | {"archived"},
    ("SubscriberView", "source"): {"manual", "csv", "form_optin", "integration", "checkout"},
    ("SegmentView", "segment_type"): {"static", "dynamic"},
    ("NewWebhook", "events"): {"subscriber.created", "subscriber.added_to_segment", "subscriber.unsubscribed"},
}


@pytest.fixture
def document(sandbox: Sandbox) -> dict[str, Any]:
    found: dict[str, Any] = sandbox.order("GET", "openapi.json?vendor=flodesk")
    return found


def _operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "servers"
    }


def _resolved(schema: Any, document: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return _resolved(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    return dict(schema)


def _schema(content: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    (media,) = content.values() if content else ({"schema": {}},)
    return _resolved(media["schema"], document)


def _values(schema: Any) -> set[str]:
    """All values that a schema lists, wherever in it."""
    if isinstance(schema, list):
        return set().union(*(_values(item) for item in schema))
    if not isinstance(schema, dict):
        return set()
    listed = set(schema.get("enum", [])) | ({schema["const"]} if "const" in schema else set())
    return listed.union(*(_values(value) for key, value in schema.items() if key != "enum"))


def test_addresses(document: dict[str, Any], sandbox: Sandbox) -> None:
    """The REST routes lie below /v1, the OAuth routes beside it."""
    assert document["servers"] == [{"url": f"{sandbox.url}/flodesk/v1"}]
    beside = {path: item["servers"] for path, item in document["paths"].items() if "servers" in item}
    assert beside == {name.split()[1]: [{"url": f"{sandbox.url}/flodesk/oauth2"}] for name in OAUTH}
    assert {path for path in document["paths"] if path not in beside} == {name.split()[1] for name in REST}


def test_the_same_operations(document: dict[str, Any]) -> None:
    assert set(_operations(document)) == {*REST, *OAUTH}


@pytest.mark.parametrize("name", [*REST, *OAUTH])
def test_operation(name: str, document: dict[str, Any]) -> None:
    row = {**REST, **OAUTH}[name]
    operation = _operations(document)[name]
    assert {code for code in operation["responses"] if code < "400"} == {row.code}
    assert {each["name"] for each in operation.get("parameters", []) if each["in"] == "query"} == row.query
    body = _schema(operation.get("requestBody", {}).get("content", {}), document)
    assert set(body.get("properties", {})) == row.body
    assert set(body.get("required", [])) == row.required
    answer = _schema(operation["responses"][row.code].get("content", {}), document)
    if row.code == "204":
        assert "content" not in operation["responses"]["204"]
    if row.answer is not None:
        assert set(answer["properties"]) == row.answer
    if row.rows is not None:
        rows = answer["properties"]["data"] if row.answer else answer
        assert set(_resolved(rows["items"], document)["properties"]) == row.rows


def test_listed_values(document: dict[str, Any]) -> None:
    for (name, parameter), values in ENUMS.items():
        found = next(each for each in _operations(document)[name]["parameters"] if each["name"] == parameter)
        assert _values(found["schema"]) == values
    for (name, field), values in SHOWN.items():
        assert _values(document["components"]["schemas"][name]["properties"][field]) == values


def test_limits_and_defaults(document: dict[str, Any]) -> None:
    for name, operation in _operations(document).items():
        schemas = {each["name"]: each["schema"] for each in operation.get("parameters", [])}
        if "page" in schemas:
            assert (schemas["page"]["default"], schemas["page"]["minimum"]) == (1, 1)
            size = schemas.get("per_page") or schemas["perPage"]
            assert (size["default"], size["maximum"]) == (10 if name == "GET /workflows" else 20, 100)
    schemas = document["components"]["schemas"]
    assert schemas["Batch"]["properties"]["subscribers"]["maxItems"] == 50
    assert schemas["Meta"]["required"] == ["page", "total_pages", "per_page", "total_items"]
    assert {"id", "email"} == {name for each in schemas["Upsert"]["anyOf"] for name in each["required"]}


def test_who_may_ask(document: dict[str, Any]) -> None:
    """Key or token for REST, a token for the user's data, the application's own credentials for tokens."""
    assert document["components"]["securitySchemes"] == {
        "flodeskKey": {"type": "http", "scheme": "basic"},
        "flodeskToken": {"type": "http", "scheme": "bearer"},
    }
    wanted = {name: [["flodeskKey"], ["flodeskToken"]] for name in REST}
    wanted |= {"GET /authorize": [], "POST /token": [["flodeskKey"]], "GET /userinfo": [["flodeskToken"]]}
    assert {name: [[*each] for each in found["security"]] for name, found in _operations(document).items()} == wanted


def test_errors_are_two_flat_fields(document: dict[str, Any]) -> None:
    for name in REST:
        for code, response in _operations(document)[name]["responses"].items():
            if code >= "400":
                failure = _schema(response["content"], document)
                assert {field: found["type"] for field, found in failure["properties"].items()} == {
                    "code": "string",
                    "message": "string",
                }
