# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Every endpoint of every vendor: what a hook's method puts on the wire, reads, raises, and repeats.

One table says what has to be (``tests/vendors``); the sandbox's request log and ledger say what was.
"""

from __future__ import annotations

import inspect
import json
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from urllib.request import urlopen

import pytest

from airflow_provider_mkt.client.endpoint import Safety
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
from tests.contract.stage import Stage
from tests.vendors import FACTS, HOOKS, endpoints
from tests.vendors.case import Case, Rows, differences, filled
from tests.vendors.facts import Walk


def _params(wanted: Callable[[Case], bool] = lambda case: True) -> pytest.MarkDecorator:
    """Run a test with every case that is wanted."""
    rows = [
        pytest.param(vendor, case, id=f"{vendor}-{case.method}-{case.sends.split('/')[-2]}-{case.safety}")
        for vendor, facts in FACTS.items()
        for case in facts.cases
        if wanted(case)
    ]
    return pytest.mark.parametrize(("vendor", "case"), rows)


EVERY_CASE = _params()
DELETIONS = _params(lambda case: case.endpoint.gone_is_done)
KEYED = _params(lambda case: case.safety == "KEYED")

NO_ENDPOINT = {
    "auth": "says how requests are signed",
    "bases": "the account's addresses",
    "vendor_limits": "the account's rate limits",
    "check": "makes calls of the other methods",
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
    assert bool(effects) is case.has_effect
    assert case.endpoint.safety is Safety[case.safety]


def _check_headers(vendor: str, case: Case, sent: dict[str, Any]) -> None:
    headers = sent["headers"]
    if case.safety == "KEYED":
        assert UUID.fullmatch(headers["idempotency-key"])
    else:
        assert ("idempotency-key" in headers) is case.sends_key
    if isinstance(case.body, dict):
        assert headers["content-type"] == "application/json"
    expected = FACTS[vendor].headers(case)
    assert {name: headers.get(name) for name in expected} == dict(expected)
    if "authorization" not in expected:
        # A token that was fetched; the sandbox accepted it.
        assert headers.get("authorization", "").startswith("sha256:") is case.endpoint.authenticated


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
        assert (error.vendor, error.method) == (HOOKS[vendor].vendor.name, case.sends.split(" ")[0])
        assert error.path == case.endpoint.path
        assert f"Sorry, {status}" in str(error)
        if status == 429:
            assert error.retry_after == 3600


def _outcome_of(vendor: str, case: Case, status: int) -> tuple[type[ApiError], int]:
    """Return how a call ends that is always answered with ``status``, and how often it is made."""
    if status >= 500:
        doubtful = case.safety in ("KEYED", "ONCE")
        return OutcomeUnknownError if doubtful else ServerError, 1 if case.safety == "ONCE" else 5
    renewable = case.renewed_on if case.renewed_on is not None else FACTS[vendor].renewed_on
    renewed = case.endpoint.authenticated and status in renewable
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
    """A 429 was certainly not executed, so the call is made again, unless the vendor says when to come back."""
    made = stage.prepared(vendor, case)
    sends = filled(case.sends, made)
    stage.sandbox.fault(sends, "rate_limit", retry_after=1, count=1)
    since = stage.now
    if case.final_429:
        with pytest.raises(RateLimitError):
            stage.call(vendor, case, made)
    else:
        stage.finish(stage.call(vendor, case, made))
    requests = stage.arrived(vendor, sends, since)
    assert len(requests) == 1 if case.final_429 else len(requests) >= 2
    assert case.endpoint.final_429 is case.final_429


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


def _routes(stage: Stage, vendor: str) -> set[str]:
    """Return the vendor's endpoint rows as the sandbox's description writes routes."""
    hook = stage.hook(vendor)
    bases = {name: base.removeprefix(stage.sandbox.url) for name, base in hook.bases(hook.account).items()}
    return {f"{row.method} {bases[row.base]}{re.sub(r'{[^}]*}', '{}', row.path)}" for _, row in endpoints(vendor)}


@pytest.mark.parametrize("vendor", FACTS)
def test_every_row_has_a_case(vendor: str) -> None:
    tried = [case.endpoint for case in FACTS[vendor].cases]
    left = {name for name, row in endpoints(vendor) if row not in tried}
    assert left == set(FACTS[vendor].without_case)


@pytest.mark.parametrize("vendor", FACTS)
def test_every_method_has_a_case(vendor: str) -> None:
    kind = HOOKS[vendor]
    methods = {
        name
        for part in kind.__mro__
        if part.__module__.startswith(f"{kind.vendor.package}.hooks.{vendor}")
        for name, value in vars(part).items()
        if inspect.isfunction(value) and not name.startswith("_")
    }
    without = FACTS[vendor].without_endpoint
    assert methods - {case.method for case in FACTS[vendor].cases} - set(NO_ENDPOINT) == set(without)


def test_exceptions_are_still_needed() -> None:
    methods = {name for kind in HOOKS.values() for name in dir(kind)}
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
    asked = set().union(*(_routes(stage, vendor) for vendor in FACTS))
    assert served - asked == set().union(*(facts.assumed_routes for facts in FACTS.values()))
    assert asked - served == set()


@pytest.mark.parametrize("vendor", FACTS)
def test_counts(stage: Stage, vendor: str) -> None:
    assert len(_routes(stage, vendor)) == FACTS[vendor].routes


# lists of several pages


@pytest.mark.parametrize(
    ("vendor", "walk"),
    [
        pytest.param(vendor, walk, id=f"{vendor}-{walk.method}")
        for vendor, facts in FACTS.items()
        for walk in facts.walks
    ],
)
def test_all_pages(stage: Stage, vendor: str, walk: Walk) -> None:
    hook = stage.hook(vendor)
    walk.given(hook, stage.sandbox)
    since = stage.now
    found = getattr(hook, walk.method)(**walk.kwargs)
    assert not stage.arrived(vendor, f"GET {walk.path}", since), "the list is lazy"
    ids = [row["id"] for row in found]
    assert len(set(ids)) == len(ids) == walk.rows
    name, numbers = walk.pages
    asked = [entry["query"].get(name) for entry in stage.arrived(vendor, f"GET {walk.path}", since)]
    assert asked == list(numbers)


@pytest.mark.parametrize("vendor", FACTS)
def test_connection_test(stage: Stage, vendor: str) -> None:
    works: Callable[[], tuple[bool, str]] = stage.hook(vendor).test_connection
    assert works()[0] is True
