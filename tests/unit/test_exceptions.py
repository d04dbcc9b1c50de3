# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The error family: what it carries survives pickling, copying and Airflow's own handling."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException

from airflow_provider_mkt import exceptions
from airflow_provider_mkt.exceptions import INCURABLE, ApiError, MalformedResponseError, OutcomeUnknownError

FAMILY = [kind for kind in vars(exceptions).values() if isinstance(kind, type) and issubclass(kind, ApiError)]
FACTS: dict[str, Any] = {
    "vendor": "Vendor",
    "method": "POST",
    "path": "/things/{thing}",
    "status": 422,
    "code": "bad_thing",
    "details": [{"field": "name"}],
    "request_id": "req_1",
    "retry_after": 2.5,
}


def test_the_family_is_complete() -> None:
    names = {
        *("ApiError", "AuthenticationError", "PermissionDeniedError", "NotFoundError", "ValidationError"),
        *("RateLimitError", "ServerError", "NotSentError", "OutcomeUnknownError", "MalformedResponseError"),
    }
    assert names <= {kind.__name__ for kind in FAMILY}


@pytest.mark.parametrize("kind", FAMILY)
def test_facts_travel(kind: type[ApiError]) -> None:
    error = kind("what happened", **FACTS)
    for other in (error, pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is kind
        assert str(other) == other.message == "what happened"
        assert {name: getattr(other, name) for name in FACTS} == FACTS
        assert isinstance(other, AirflowException)


@pytest.mark.parametrize("kind", FAMILY)
def test_facts_are_optional(kind: type[ApiError]) -> None:
    error = kind("what happened")
    assert all(getattr(error, name) is None for name in FACTS)


def test_marks_travel() -> None:
    unreadable = MalformedResponseError("x", executed=True)
    unreadable.resolvable = True
    unknown = OutcomeUnknownError("x")
    unknown.reference, unknown.resolvable = "PO-17", True
    for error in (unreadable, unknown):
        assert vars(pickle.loads(pickle.dumps(error))) == vars(error)
    assert not MalformedResponseError("x").executed
    assert OutcomeUnknownError("x").reference is None
    assert not OutcomeUnknownError("x").resolvable


def test_bad_values_are_value_errors() -> None:
    """So that a caller's ``except ValueError`` works for what never left."""
    assert issubclass(exceptions.ValidationError, ValueError)
    assert not issubclass(exceptions.ServerError, ValueError)


def test_what_no_retry_cures() -> None:
    assert set(INCURABLE) == {
        exceptions.AuthenticationError,
        exceptions.PermissionDeniedError,
        exceptions.NotFoundError,
        exceptions.ValidationError,
    }
