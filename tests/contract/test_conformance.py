# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Every endpoint of every vendor: what a hook's method puts on the wire, reads, raises, and repeats.

One table says what has to be (``conformance/``, by vendor); the sandbox's request log and ledger say what was.
"""

from __future__ import annotations

import base64
import inspect
import json
import re
import uuid
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any
from urllib.request import urlopen

import pytest

from airflow_provider_mkt.client.endpoint import Endpoint, Safety
from airflow_provider_mkt.exceptions import (
    ApiError,
    AuthenticationError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    ValidationError,
)
from airflow_provider_mkt.sandbox.engine.ledger import digest
from airflow_provider_mkt.sandbox.vendors.flodesk.account import API_KEY as FLODESK_KEY
from airflow_provider_mkt.sandbox.vendors.flodesk.tokens import CLIENT_ID, CLIENT_SECRET
from airflow_provider_mkt.sandbox.vendors.flokit.routes import WRITE_KEY as FLOKIT_KEY
from airflow_provider_mkt.sandbox.vendors.flow_social.account import API_KEY as SOCIAL_KEY
from airflow_provider_mkt.vendors import flodesk, flow_social
from tests.contract.conformance.case import Case, Rows, differences, filled
from tests.contract.conformance.stage import VENDORS, Stage


def _params(wanted: Callable[[Case], bool] = lambda case: True) -> pytest.MarkDecorator:
    """Run a test with every case that is wanted."""
    rows = [
        pytest.param(vendor, case, id=f"{vendor}-{case.method}-{case.sends.split('/')[-2]}-{case.safety}")
        for vendor, (_, _, cases) in VENDORS.items()
        for case in cases
        if wanted(case)
    ]
    return pytest.mark.parametrize(("vendor", "case"), rows)


EVERY_CASE = _params()
DELETIONS = _params(lambda case: case.endpoint.gone_is_done)
KEYED = _params(lambda case: case.safety == "KEYED")

ROUTES = {"flinque": 21, "flow_social": 46, "flodesk": 29, "flow_living": 8, "flokit": 10}
"""Routes in the vendors' documents."""
BROWSER_ONLY = {"AUTHORIZE": "a person opens it; authorize_url() only builds the address"}
NOT_DOCUMENTED = {
    "POST /flokit/v1/actions/{}/approve": "the vendor names approving, but no page gives its path",
    "POST /flokit/v1/actions/{}/reject": "the vendor names rejecting, but no page gives its path",
}
NO_ENDPOINT = {
    "auth": "says how requests are signed",
    "bases": "the account's addresses",
    "vendor_limits": "the account's rate limits",
    "check": "makes calls of the other methods",
    "authorize_url": "builds an address for a browser",
    "publish_call": "describes the call of publish_campaign, for operators",
    "analytics_call": "describes the calls of the analytics methods, for operators",
}

AUTHORIZATION = {
    "flow_social": f"Bearer {SOCIAL_KEY}",
    "flokit": f"Bearer {FLOKIT_KEY}",
    "flodesk": f"Basic {base64.b64encode(f'{FLODESK_KEY}:'.encode()).decode()}",
}
BY_STATUS: dict[int, type[ApiError]] = {
    400: ValidationError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ValidationError,
    429: RateLimitError,
}
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


@pytest.fixture(autouse=True)
def quiet(waits: list[float], stage: Stage) -> Iterator[None]:
    """No waits, and no faults that a failed test leaves behind."""
    yield
    stage.sandbox.clear_faults()


@EVERY_CASE
def test_request_and_answer(stage: Stage, vendor: str, case: Case) -> None:
    made = stage.prepared(vendor, case)
    since, before = stage.now, len(stage.effects(vendor))
    result = stage.call(vendor, case, made)
    assert not list(differences(result, filled(case.answer, made)))

    requests = stage.arrived(vendor, filled(case.sends, made), since)
    assert requests, "nothing arrived"
    sent = requests[0]
    query, body = filled(case.query, made), filled(case.body, made)
    assert not list(differences(sent["query"], query, "query"))
    assert set(sent["query"]) == set(query)
    if body is not ...:
        assert not list(differences(sent["body"], body, "body"))
        assert (set(sent["body"]) if isinstance(sent["body"], dict) else None) == (set(body) if body else None)
    _check_headers(vendor, case, sent)
    effects = stage.effects(vendor)[before:]
    assert bool(effects) is (case.safety != "READ" and case.endpoint is not flodesk.TOKEN)
    assert case.endpoint.safety is Safety[case.safety]


def _check_headers(vendor: str, case: Case, sent: dict[str, Any]) -> None:
    headers = sent["headers"]
    if case.safety == "KEYED":
        assert UUID.fullmatch(headers["idempotency-key"])
    else:
        # FloKit is sent a key where none is documented, in case it should heed it.
        assert ("idempotency-key" in headers) is (case.method in ("trigger_sync", "send_events"))
    if isinstance(case.body, dict):
        assert headers["content-type"] == "application/json"
    if vendor == "flow_living":
        assert headers["accept-version"] == "v1"
    if vendor == "flodesk":
        assert headers["user-agent"] == "airflow-provider-mkt (sandbox.example)"
    if case.endpoint is flodesk.TOKEN:
        pair = f"{CLIENT_ID}:{CLIENT_SECRET}"
        assert headers["authorization"] == digest(f"Basic {base64.b64encode(pair.encode()).decode()}")
        assert headers["content-type"] == "application/x-www-form-urlencoded"
    elif case.endpoint.base == "analytics":
        assert headers["flow-api-user-id"] == "sandbox-analytics-user"
        assert headers["flow-api-user-secret"] == digest("sandbox-analytics-secret")
        assert "authorization" not in headers
    elif not case.endpoint.authenticated:
        assert "authorization" not in headers
    elif vendor in AUTHORIZATION and not case.connection:
        assert headers["authorization"] == digest(AUTHORIZATION[vendor])
    else:
        # A token that was fetched; the sandbox accepted it.
        assert headers["authorization"].startswith("sha256:")


@EVERY_CASE
def test_documented_errors(stage: Stage, vendor: str, case: Case) -> None:
    made = stage.prepared(vendor, case)
    sends = filled(case.sends, made)
    for status in (*case.errors, 500):
        more = {"retry_after": 3600} if status == 429 else {}
        stage.sandbox.fault(sends, "status", status=status, count=None, message=f"Sorry, {status}", **more)
        since = stage.now
        with pytest.raises(ApiError) as caught:
            stage.finish(stage.call(vendor, case, made))
        stage.sandbox.clear_faults()
        error, asked = caught.value, len(stage.arrived(vendor, sends, since))
        expected, requests = _outcome_of(vendor, case, status)
        assert type(error) is expected, status
        assert asked == requests, status
        assert error.status == (None if isinstance(error, OutcomeUnknownError) and error.status is None else status)
        assert (error.vendor, error.method) == (VENDORS[vendor][0].vendor.name, case.sends.split(" ")[0])
        assert error.path == case.endpoint.path
        assert f"Sorry, {status}" in str(error)
        if status == 429:
            assert error.retry_after == 3600


def _outcome_of(vendor: str, case: Case, status: int) -> tuple[type[ApiError], int]:
    """Return how a call ends that is always answered with ``status``, and how often it is made."""
    if status >= 500:
        doubtful = case.safety in ("KEYED", "ONCE")
        return OutcomeUnknownError if doubtful else ServerError, 1 if case.safety == "ONCE" else 5
    renewable = {"flinque": (401,), "flow_living": (401, 403), "flodesk": (401,) if case.connection else ()}
    renewed = case.endpoint.authenticated and status in renewable.get(vendor, ())
    return BY_STATUS[status], 2 if renewed else 1


@EVERY_CASE
def test_what_is_repeated(stage: Stage, vendor: str, case: Case) -> None:
    """The answer to the first attempt is lost although the vendor executed it."""
    made = stage.prepared(vendor, case)
    sends = filled(case.sends, made)
    stage.sandbox.fault(sends, "drop_after", count=1)
    since, before = stage.now, len(stage.effects(vendor))
    if case.safety == "ONCE":
        with pytest.raises(OutcomeUnknownError):
            stage.finish(stage.call(vendor, case, made))
    else:
        stage.finish(stage.call(vendor, case, made))
    requests = stage.arrived(vendor, sends, since)
    paged = isinstance(case.answer, Rows) and len(requests) > 2
    assert paged or len(requests) == (1 if case.safety == "ONCE" else 2)
    effects = stage.effects(vendor)[before:]
    if case.safety == "KEYED":
        keys = {entry["headers"]["idempotency-key"] for entry in requests}
        assert len(keys) == 1
        assert len(effects) == 1, "the same key, and yet it happened twice"
    if requests[0]["method"] == "DELETE":
        assert len(effects) == 1
    if case.safety == "READ":
        assert not effects


@EVERY_CASE
def test_refused_for_now(stage: Stage, vendor: str, case: Case) -> None:
    """A 429 was certainly not executed, so the call is made again; two of Flodesk's are not even then."""
    made = stage.prepared(vendor, case)
    sends = filled(case.sends, made)
    stage.sandbox.fault(sends, "rate_limit", retry_after=1, count=1)
    since = stage.now
    final = case.method in ("publish_canva_design", "publish_studio_design")
    if final:
        with pytest.raises(RateLimitError):
            stage.call(vendor, case, made)
    else:
        stage.finish(stage.call(vendor, case, made))
    requests = stage.arrived(vendor, sends, since)
    assert len(requests) == 1 if final else len(requests) >= 2
    assert case.endpoint.final_429 is final


@DELETIONS
def test_deleting_what_is_not_there(stage: Stage, vendor: str, case: Case) -> None:
    made = stage.prepared(vendor, case)
    stage.call(vendor, case, made)
    with pytest.raises(NotFoundError):
        stage.call(vendor, case, made)


@DELETIONS
@pytest.mark.parametrize("fault", ["reset_before", "drop_before"])
def test_deleting_after_an_uncertain_attempt(stage: Stage, vendor: str, case: Case, fault: str) -> None:
    """It was there, the first attempt came to nothing: the second one really deletes."""
    made = stage.prepared(vendor, case)
    stage.sandbox.fault(filled(case.sends, made), fault, count=1)
    before = len(stage.effects(vendor))
    stage.call(vendor, case, made)
    assert len(stage.effects(vendor)) == before + 1


@KEYED
def test_own_idempotency_key(stage: Stage, vendor: str, case: Case) -> None:
    made = stage.prepared(vendor, case)
    key, before, since = f"order {uuid.uuid4()}", len(stage.effects(vendor)), stage.now
    first = stage.call(vendor, case, made, idempotency_key=key)
    second = stage.call(vendor, case, made, idempotency_key=key)
    assert first == second
    assert len(stage.effects(vendor)) == before + 1
    sent = stage.arrived(vendor, filled(case.sends, made), since)
    assert [entry["headers"]["idempotency-key"] for entry in sent] == [key, key]
    with pytest.raises(ValidationError, match="idempotency_key"):
        stage.call(vendor, case, made, idempotency_key="")


# what is complete


def _endpoints(table: ModuleType) -> dict[str, Endpoint]:
    return {name: value for name, value in vars(table).items() if isinstance(value, Endpoint)}


def _routes(stage: Stage, vendor: str) -> set[str]:
    """Return the vendor's endpoint rows as the sandbox's description writes routes."""
    hook = stage.hook(vendor)
    bases = {name: base.removeprefix(stage.sandbox.url) for name, base in hook.bases(hook.account).items()}
    return {
        f"{row.method} {bases[row.base]}{re.sub(r'{[^}]*}', '{}', row.path)}"
        for row in _endpoints(VENDORS[vendor][1]).values()
    }


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_row_has_a_case(vendor: str) -> None:
    _, table, cases = VENDORS[vendor]
    tried = [case.endpoint for case in cases]
    left = {name for name, row in _endpoints(table).items() if row not in tried}
    assert left - set(BROWSER_ONLY) == set()


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_method_has_a_case(vendor: str) -> None:
    kind, _, cases = VENDORS[vendor]
    methods = {
        name
        for part in kind.__mro__
        if part.__module__.startswith(f"airflow_provider_mkt.hooks.{vendor}")
        for name, value in vars(part).items()
        if inspect.isfunction(value) and not name.startswith("_")
    }
    assert methods - {case.method for case in cases} - set(NO_ENDPOINT) == set()


def test_exceptions_are_still_needed() -> None:
    methods = {name for kind, _, _ in VENDORS.values() for name in dir(kind)}
    assert set(NO_ENDPOINT) <= methods


def test_the_sandbox_and_the_hooks_know_the_same_routes(stage: Stage) -> None:
    with urlopen(f"{stage.sandbox.url}/__sandbox__/openapi.json") as described:
        paths = json.load(described)["paths"]
    served = {
        f"{method.upper()} {re.sub(r'{[^}]*}', '{}', path)}"
        for path, item in paths.items()
        for method in item
        if method in ("get", "post", "put", "patch", "delete")
    }
    asked = set().union(*(_routes(stage, vendor) for vendor in VENDORS))
    assert served - asked == set(NOT_DOCUMENTED)
    assert asked - served == set()


@pytest.mark.parametrize("vendor", VENDORS)
def test_counts(stage: Stage, vendor: str) -> None:
    routes = _routes(stage, vendor)
    platforms = sum("/connections/{}/" in route and route.startswith("GET") for route in routes)
    assert len(routes) + platforms * (len(flow_social.PLATFORMS) - 1) == ROUTES[vendor]


# lists of several pages


@pytest.mark.parametrize(
    ("vendor", "method", "kwargs", "path", "rows", "pages"),
    [
        ("flow_social", "list_channels", {}, "/flow-social/v1/channels", 103, [("page", "1"), ("page", "2")]),
        (
            "flodesk",
            "list_subscribers",
            {"segment_id": "seg_sellers", "per_page": 40},
            "/flodesk/v1/subscribers",
            100,
            [("page", "1"), ("page", "2"), ("page", "3")],
        ),
        (
            "flodesk",
            "list_workflows",
            {"per_page": 2},
            "/flodesk/v1/workflows",
            5,
            [("page", "1"), ("page", "2"), ("page", "3")],
        ),
        (
            "flokit",
            "list_actions",
            {"per_page": 2},
            "/flokit/v1/actions",
            5,
            [("offset", "0"), ("offset", "2"), ("offset", "4")],
        ),
        ("flinque", "list_creators", {}, "/flinque/v1/creators", 25, [("page", None), ("page", "2")]),
    ],
)
def test_all_pages(  # noqa: PLR0917
    stage: Stage,
    vendor: str,
    method: str,
    kwargs: dict[str, Any],
    path: str,
    rows: int,
    pages: list[tuple[str, str | None]],
) -> None:
    if method == "list_channels":
        present = len(list(stage.hook(vendor).list_channels()))
        stage.sandbox.seed(flow_social={"channels": rows - present})
    if method == "list_subscribers":
        stage.sandbox.seed(flodesk={"subscribers": rows, "segments": ["seg_sellers"]})
    hook, since = stage.hook(vendor), stage.now
    found = getattr(hook, method)(**kwargs)
    assert not stage.arrived(vendor, f"GET {path}", since), "the list is lazy"
    ids = [row["id"] for row in found]
    assert len(set(ids)) == len(ids) == rows
    asked = [entry["query"] for entry in stage.arrived(vendor, f"GET {path}", since)]
    name = pages[0][0]
    assert [(name, query.get(name)) for query in asked] == pages


@pytest.mark.parametrize("vendor", VENDORS)
def test_connection_test(stage: Stage, vendor: str) -> None:
    works: Callable[[], tuple[bool, str]] = stage.hook(vendor).test_connection
    assert works()[0] is True
