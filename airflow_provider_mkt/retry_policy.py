# Licensed under the Apache License, Version 2.0; see LICENSE.
"""From errors to task retries: fail at once on what a retry cannot cure, wait exactly as long as a vendor asks."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import RetryDecision, RetryPolicy

from airflow_provider_mkt.client.durations import DAY, HOUR
from airflow_provider_mkt.exceptions import (
    INCURABLE,
    ApiError,
    LaunchRefusedError,
    MalformedResponseError,
    OutcomeUnknownError,
    RateLimitError,
)

if TYPE_CHECKING:
    from airflow.sdk import Context


class MarketingRetryPolicy(RetryPolicy):
    """Default of all operators of this provider.

    ======================================================  ==============================================
    error                                                   the task
    ======================================================  ==============================================
    refused credentials, permission, request; not found     fails
    stopped by a person, or over a cap                      fails; a person has to decide
    outcome unknown, and nothing can settle it              fails; a person has to look
    executed, but the answer cannot be read                 fails; a person has to look
    the vendor named a waiting time (429)                   is retried after exactly that time, an hour at most
    everything else                                         follows the task's own retry settings
    ======================================================  ==============================================
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Decide whether and when the task is retried; parameters as in :class:`airflow.sdk.RetryPolicy`."""
        if not isinstance(exception, ApiError):
            return RetryDecision.default()
        if isinstance(exception, INCURABLE):
            return RetryDecision.fail(reason=f"{type(exception).__name__}: a retry cannot cure it.")
        if isinstance(exception, LaunchRefusedError):
            return RetryDecision.fail(reason="The launch desk does not let it begin; a person has to decide.")
        if isinstance(exception, OutcomeUnknownError) and not exception.resolvable:
            return RetryDecision.fail(reason="The outcome is unknown: a person has to look.")
        if isinstance(exception, MalformedResponseError) and exception.executed and not exception.resolvable:
            return RetryDecision.fail(reason="It was executed, but the answer cannot be read: a person has to look.")
        if isinstance(exception, (RateLimitError, OutcomeUnknownError)) and exception.retry_after is not None:
            limited = isinstance(exception, RateLimitError)
            # NaN is less than nothing, and a negative wait is none.
            wait = max(0.0, min(HOUR if limited else DAY, exception.retry_after))
            why = "the rate limit allows it again" if limited else "it shows at the vendor, or certainly never will"
            return RetryDecision.retry(delay=timedelta(seconds=wait), reason=f"In {wait:.0f} s, {why}.")
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        """Return the policy's settings: it has none."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> MarketingRetryPolicy:  # noqa: ARG003
        """Return the policy."""
        return cls()


DEFAULT = MarketingRetryPolicy()
"""The one instance: the policy has no settings."""
