# Licensed under the Apache License, Version 2.0; see LICENSE.
"""From outcomes to errors: the class, the vendor's words in every form, and no secrets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_mkt.client.endpoint import Call, Endpoint, Safety
from airflow_provider_mkt.client.errors import failure, vendor_words
from airflow_provider_mkt.client.outcome import Certainty, Outcome
from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.client.retry import Next
from airflow_provider_mkt.exceptions import (
    ApiError,
    AuthenticationError,
    MalformedResponseError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    ValidationError,
)

READ = Endpoint("GET", "/things/{thing}", Safety.READ)
ONCE = Endpoint("POST", "/things", Safety.ONCE)
TOKEN = Endpoint("POST", "/token", Safety.IDEMPOTENT, authenticated=False)


def failed(outcome: Outcome, call: Call | None = None, following: Next = Next.FAIL) -> ApiError:
    return failure(call or ONCE(), outcome, following, "Vendor", Redactor(["s3cret+1"]))


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (Outcome(Certainty.REFUSED, 400), ValidationError),
        (Outcome(Certainty.UNAUTHORIZED, 401), AuthenticationError),
        (Outcome(Certainty.UNAUTHORIZED, 403), PermissionDeniedError),
        (Outcome(Certainty.REFUSED, 404), NotFoundError),
        (Outcome(Certainty.REFUSED, 405), ApiError),
        (Outcome(Certainty.REFUSED, 409), ValidationError),
        (Outcome(Certainty.REFUSED, 410), NotFoundError),
        (Outcome(Certainty.REFUSED, 422), ValidationError),
        (Outcome(Certainty.THROTTLED, 429, retry_after=9.0), RateLimitError),
        (Outcome(Certainty.NOT_SENT), NotSentError),
        (Outcome(Certainty.FAILED, 503), ServerError),
        (Outcome(Certainty.UNKNOWN), ServerError),
        (Outcome(Certainty.UNREADABLE, 200), MalformedResponseError),
    ],
)
def test_kinds(outcome: Outcome, kind: type[ApiError]) -> None:
    error = failed(outcome)
    assert type(error) is kind
    assert (error.vendor, error.method, error.path, error.status) == ("Vendor", "POST", "/things", outcome.status)
    assert error.retry_after == outcome.retry_after
    assert "Vendor" in str(error)
    assert "POST /things" in str(error)


@pytest.mark.parametrize(
    "known", [Certainty.UNKNOWN, Certainty.FAILED, Certainty.NOT_SENT, Certainty.THROTTLED, Certainty.REFUSED]
)
def test_what_nobody_knows_is_said_so_whatever_came_last(known: Certainty) -> None:
    assert type(failed(Outcome(known, 429), following=Next.UNKNOWN)) is OutcomeUnknownError


@pytest.mark.parametrize(("endpoint", "executed"), [(READ, False), (ONCE, True), (TOKEN, False)])
def test_executed_means_what_the_user_wanted(endpoint: Endpoint, executed: bool) -> None:
    error = failed(Outcome(Certainty.UNREADABLE, 200, "the body is empty"), endpoint(path={"thing": "x"}))
    assert isinstance(error, MalformedResponseError)
    assert error.executed is executed
    assert ("executed" in str(error)) is executed


@pytest.mark.parametrize(
    ("answer", "message", "code", "request_id"),
    [
        ({"error": {"code": "C", "message": "M", "request_id": "r"}}, "M", "C", "r"),
        ({"error": {"message": "M"}, "meta": {"request_id": "r"}}, "M", "", "r"),
        ({"error": "M"}, "M", "", None),
        ({"error": "invalid_grant", "error_description": "M"}, "M", "invalid_grant", None),
        ({"error": "C", "message": "M"}, "M", "C", None),
        ({"message": "M", "code": "C"}, "M", "C", None),
        ({"error": {"type": "T"}, "message": "M"}, "M", "T", None),
        ({"error": {"code": 7, "message": ["x"]}}, "", "", None),
        ({"error": None}, "", "", None),
        ({}, "", "", None),
        ("M", "M", "", None),
        (["M"], "M", "", None),
        (7, "", "", None),
        (None, "", "", None),
    ],
)
def test_words_of_vendors(answer: Any, message: str, code: str, request_id: str | None) -> None:
    words = vendor_words(answer)
    assert (words["message"], words["code"], words["request_id"] or None) == (message, code, request_id)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["error", "message", "code", "meta", "details"]), inner)
    ),
)


@given(JSON, st.sampled_from(Certainty), st.none() | st.integers(300, 599))
def test_any_answer_makes_an_error(answer: Any, known: Certainty, status: int | None) -> None:
    error = failed(Outcome(known, status, "", answer))
    assert isinstance(error, ApiError)
    str(error).encode()


def test_the_vendors_words_are_redacted_and_cut() -> None:
    body = {"email": "jane@example.com", "custom_fields": {"city": "Rotterdam"}, "optin_ip": "203.0.113.9"}
    said = "key s3cret%2b1 of jane@example.com from Rotterdam 203.0.113.9, Bearer abcdefgh " + "long " * 5_000
    answer = {"error": {"message": said, "code": said, "request_id": said, "details": {"x": said, "token": "t"}}}
    error = failed(Outcome(Certainty.REFUSED, 400, "", answer), ONCE(body=body))
    for shown in (str(error), str(error.code), str(error.request_id), str(error.details)):
        assert not any(word in shown for word in ("s3cret", "jane", "Rotterdam", "203.0", "abcdefgh"))
    assert len(str(error)) < 2_200
    assert error.details["token"] == "***"


def test_an_address_in_the_path_is_not_quoted_back() -> None:
    call = READ(path={"thing": "jane+vip@localhost"})
    error = failed(Outcome(Certainty.REFUSED, 404, "", {"error": "no jane%2bvip%40localhost here"}), call)
    assert "jane" not in str(error)
    assert error.path == "/things/{thing}"


SENT = "M (first_name: ***; password: ***; x: y)"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"type": "about:blank", "title": "Not allowed", "detail": "No seats left"}, "No seats left"),
        ({"title": "Not allowed"}, "Not allowed"),
        ({"detail": [{"loc": ["body", "x"], "msg": "field required"}]}, "body.x: field required"),
        ({"errors": {"name": ["is empty", "is odd"], "a": {"b": ["c"]}}}, "name: is empty; name: is odd; a.b: c"),
        ({"message": "Bad.", "errors": {"email": ["is no address"]}}, "Bad. (email: is no address)"),
        ({"errors": {"email": "is taken"}}, "email: is taken"),
        ({"errors": [{"title": "T", "source": {"pointer": "/data/x"}}, {"detail": "D"}]}, "/data/x: T; D"),
        ({"message": "M", "errors": ["one", {"field": "two", "message": "three"}]}, "M (one; two: three)"),
        ({"title": "T", "invalid-params": [{"name": "age", "reason": "is negative"}]}, "T (age: is negative)"),
        ({"error": {"message": "M", "details": {"first_name": "Zoe", "password": "p", "x": ["y"]}}}, SENT),
        ({"errors": {"rows": [{"index": 3, "errors": [{"field": "f", "msg": "g"}]}]}}, "rows: f: g"),
        ({"status": "no", "why": {"text": "closed", "api_key": "k"}}, "status: no; why.text: closed; why.api_key: ***"),
        ({"msg": "no route"}, "no route"),
        ({"fault": {"faultstring": "Spike arrest", "detail": {}}}, "Spike arrest"),
        ({"message": "s3cret+1 is \x1b[31mbad\x07\u202e"}, "*** is  [31mbad"),
        ({"unknown": 1}, "answered 400"),
    ],
)
def test_objects_of_gateways_and_frameworks_have_words(answer: Any, told: str) -> None:
    error = failed(Outcome(Certainty.REFUSED, 400, "answered 400", answer))
    assert str(error).partition("(HTTP 400): ")[2].strip() == told


def test_no_more_of_an_answer_is_looked_at_than_is_shown() -> None:
    """An answer may hold half a million values."""
    looked_at = 0

    class Counting(dict[str, Any]):
        def get(self, *args: Any) -> Any:
            nonlocal looked_at
            looked_at += 1
            return super().get(*args)

    deep: Any = [[Counting(n=1)] for _ in range(50_000)]
    error = failed(Outcome(Certainty.REFUSED, 400, "answered 400", {"message": "M", "errors": deep}))
    assert str(error).endswith(": M")
    assert looked_at < 50_000
