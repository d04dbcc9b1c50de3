# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The error family: everything that can go wrong between a task and a vendor, with what is known about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk.exceptions import AirflowException

ERROR = "error"
"""State of an event that describes an error."""
FACTS = ("vendor", "method", "path", "status", "code", "request_id", "retry_after")
"""What an event tells about an error besides its message."""


class ApiError(AirflowException):
    """A call to a vendor failed.

    The message is safe to show: secrets and personal data are redacted and the vendor's words cut at 2,000 characters.

    :param message: what happened, in words for the person on call
    :param vendor: the vendor's name, e.g. ``Flow Living``
    :param method: HTTP method of the request
    :param path: the endpoint's path template, without host and query
    :param status: HTTP status, when an answer came
    :param code: the vendor's own error code
    :param details: the vendor's error details, redacted
    :param request_id: the vendor's id of the request, for their support
    :param retry_after: seconds after which the vendor accepts the request again
    """

    def __init__(
        self,
        message: str,
        *,
        vendor: str | None = None,
        method: str | None = None,
        path: str | None = None,
        status: int | None = None,
        code: str | None = None,
        details: Any = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.vendor = vendor
        self.method = method
        self.path = path
        self.status = status
        self.code = code
        self.details = details
        self.request_id = request_id
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.__dict__.copy())

    def to_event(self) -> dict[str, Any]:
        """Return the error as JSON, to travel from a trigger to its task.

        Airflow would turn an exception of a trigger into a ``TaskDeferralError``.
        """
        return {
            "state": ERROR,
            "kind": type(self).__name__,
            "message": self.message,
            "facts": {name: getattr(self, name) for name in FACTS},
        }

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> ApiError | None:
        """Return the error that an event describes; None when the event is not about an error.

        Events of tasks that were deferred by an earlier version say ``stand`` for ``state``.
        """
        if event.get("state", event.get("stand")) != ERROR:
            return None
        kind = KINDS.get(str(event.get("kind")), ApiError)
        return kind(str(event.get("message")), **event.get("facts", {}))


def _rebuild(cls: type[ApiError], message: str, state: dict[str, Any]) -> ApiError:
    error = cls(message)
    error.__dict__.update(state)
    return error


class AuthenticationError(ApiError):
    """The vendor does not accept the credentials (401), or the token call was refused."""


class PermissionDeniedError(ApiError):
    """The credentials are valid but may not do this (403)."""


class NotFoundError(ApiError):
    """The vendor knows no such resource (404)."""


class ValidationError(ApiError, ValueError):
    """The request is wrong: refused by the vendor (400, 409, 422 …) or by the provider before anything was sent."""


class RateLimitError(ApiError):
    """The vendor's rate limit is exhausted (429); ``retry_after`` says for how many seconds."""


class ServerError(ApiError):
    """The vendor failed (5xx) on a request that was safe to repeat, and kept failing."""


class NotSentError(ApiError):
    """The request certainly never reached the vendor: no DNS, no connection, no TLS, no proxy."""


class StoppedError(ApiError):
    """Airflow asked the try to end, or gave it up, before its request left. Nothing was sent.

    The next try submits. It is also raised where a person or another try has changed the record meanwhile.
    """


class LaunchRefusedError(StoppedError):
    """The launch desk does not let a launch begin: it is stopped, or exceeds a cap. Nothing was sent."""


class CapReachedError(LaunchRefusedError):
    """A cap on money has no room for a launch. Nothing was sent."""


class ApprovalWantedError(LaunchRefusedError):
    """Nobody has approved exactly this. Nothing was sent; ``asked`` are the requests that a person is asked about."""

    asked: tuple[Any, ...] = ()

    @classmethod
    def all_of(cls, errors: Sequence[ApprovalWantedError]) -> ApprovalWantedError:
        """Return one error for several requests, which are asked about together."""
        error = cls(f"Nobody has approved exactly these {len(errors)} requests. They were not sent.")
        error.asked = tuple(asked for each in errors for asked in each.asked)
        return error


class OutcomeUnknownError(ApiError):
    """The request may or may not have been executed. It is not repeated; a person has to look.

    ``reference`` is the handle to look for at the vendor, when there is one; ``resolvable`` is true when the next try
    can settle it by itself, with the same idempotency key or by asking the vendor. ``contradicted`` is true when there
    was an answer that says both: a success that tells of a failure, or shows something else than was sent.
    """

    reference: str | None = None
    resolvable: bool = False
    contradicted: bool = False


class MalformedResponseError(ApiError):
    """The answer cannot be read. ``executed`` is true when the vendor said that it carried out a request with effects.

    ``resolvable`` is true when the next try can get a readable answer, with the same idempotency key or by asking;
    ``contradicted`` when it can be read, and shows something else than was sent.
    """

    resolvable: bool = False
    contradicted: bool = False

    def __init__(self, message: str, *, executed: bool = False, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.executed = executed


KINDS: dict[str, type[ApiError]] = {
    kind.__name__: kind
    for kind in (
        ApiError,
        AuthenticationError,
        PermissionDeniedError,
        NotFoundError,
        ValidationError,
        RateLimitError,
        ServerError,
        NotSentError,
        StoppedError,
        LaunchRefusedError,
        CapReachedError,
        ApprovalWantedError,
        OutcomeUnknownError,
        MalformedResponseError,
    )
}
"""What an event may name."""
INCURABLE = (AuthenticationError, PermissionDeniedError, NotFoundError, ValidationError)
"""What no repetition cures."""
