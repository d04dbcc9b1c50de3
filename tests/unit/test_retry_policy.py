# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The whole retry policy."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.exceptions import AirflowException

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
from airflow_provider_mkt.retry_policy import DEFAULT, MarketingRetryPolicy

FAIL, RETRY, OWN = RetryAction.FAIL, RetryAction.RETRY, RetryAction.DEFAULT


def resolvable(error: ApiError) -> ApiError:
    error.resolvable = True  # type: ignore[attr-defined]
    return error


TABLE: list[tuple[BaseException, RetryAction, float | None]] = [
    (AuthenticationError("401"), FAIL, None),
    (AuthenticationError("401", retry_after=5), FAIL, None),
    (PermissionDeniedError("403"), FAIL, None),
    (NotFoundError("404"), FAIL, None),
    (ValidationError("422"), FAIL, None),
    (ValidationError("409", retry_after=5), FAIL, None),
    (OutcomeUnknownError("?"), FAIL, None),
    (OutcomeUnknownError("?", retry_after=5), FAIL, None),
    (resolvable(OutcomeUnknownError("?")), OWN, None),
    (resolvable(OutcomeUnknownError("?", retry_after=5)), RETRY, 5.0),
    (MalformedResponseError("<html>"), OWN, None),
    (MalformedResponseError("<html>", executed=True), FAIL, None),
    (resolvable(MalformedResponseError("<html>", executed=True)), OWN, None),
    (RateLimitError("429"), OWN, None),
    (RateLimitError("429", retry_after=0), RETRY, 0.0),
    (RateLimitError("429", retry_after=17.5), RETRY, 17.5),
    (RateLimitError("429", retry_after=86_400), RETRY, 3_600.0),
    (RateLimitError("429", retry_after=1e308), RETRY, 3_600.0),
    (RateLimitError("429", retry_after=10**400), RETRY, 3_600.0),
    (RateLimitError("429", retry_after=float("inf")), RETRY, 3_600.0),
    (RateLimitError("429", retry_after=float("nan")), RETRY, 3_600.0),
    (RateLimitError("429", retry_after=-5), RETRY, 0.0),
    (resolvable(OutcomeUnknownError("?", retry_after=1e9)), RETRY, 86_400.0),
    (ServerError("503"), OWN, None),
    (NotSentError("DNS"), OWN, None),
    (ApiError("other"), OWN, None),
    (AirflowException("other"), OWN, None),
    (KeyError("other"), OWN, None),
    (KeyboardInterrupt(), OWN, None),
]


@pytest.mark.parametrize(("error", "action", "delay"), TABLE)
@pytest.mark.parametrize("try_number", [1, 7])
def test_policy(error: BaseException, action: RetryAction, delay: float | None, try_number: int) -> None:
    decision = MarketingRetryPolicy().evaluate(error, try_number, 3)
    assert decision.action is action
    assert decision.retry_delay == (None if delay is None else timedelta(seconds=delay))
    assert bool(decision.reason) is (action is not OWN)


def test_reason_names_the_wait() -> None:
    decision = DEFAULT.evaluate(RateLimitError("429", vendor="Flodesk", retry_after=17.5), 1, 3)
    assert decision.reason == "In 18 s, the rate limit allows it again."


def test_policy_travels() -> None:
    assert isinstance(MarketingRetryPolicy.deserialize(DEFAULT.serialize()), MarketingRetryPolicy)
