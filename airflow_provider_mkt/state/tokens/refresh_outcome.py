# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a failed refresh says about a single-use refresh token, and what people are told of one that is lost."""

from __future__ import annotations

from enum import Enum

from airflow_provider_mkt.exceptions import ApiError, MalformedResponseError, OutcomeUnknownError, ServerError

CLIENT_FAULTS = ("invalid_client", "unauthorized_client", "invalid_request", "unsupported_grant_type", "invalid_scope")
"""OAuth error codes that say something about the client or the request, not about the refresh token (RFC 6749, 5.2)."""
AUTHORISE_AGAIN = (
    "Authorise the account again: run `airflow mkt authorize` with the connection's id, or put a new refresh token "
    "into the connection's extra 'refresh_token'."
)
GIVEN_TO_ANOTHER = (
    "This refresh token was given to another connection before, or to this one with another login, and may be "
    "spent: it works once, and using it again may end the access of both. Use that other connection, or authorise this "
    "one: run `airflow mkt authorize` with its id."
)
NOT_AUTHORISED = (
    "The account has not been authorised yet: run `airflow mkt authorize` with the connection's id, or put a refresh "
    "token into the connection's extra 'refresh_token'. To use an API key instead, empty the login."
)


class RefreshOutcome(Enum):
    """What became of a refresh token that was sent."""

    UNSPENT = "unspent"
    REFUSED = "refused"
    LOST = "lost"


def refresh_outcome(error: ApiError, *, again: bool) -> RefreshOutcome:
    """Return what a failed refresh says about the refresh token.

    :param error: what the call raised
    :param again: whether the token may have been spent before, so that a plain refusal is believed to be about it
    """
    if isinstance(error, (OutcomeUnknownError, MalformedResponseError, ServerError)):
        return RefreshOutcome.LOST
    words = f"{error.code} {error.message}"
    if error.status == 429 or error.status is None or any(code in words for code in CLIENT_FAULTS):
        return RefreshOutcome.UNSPENT
    if "invalid_grant" in words or error.status == 400 or (again and error.status == 401):
        return RefreshOutcome.REFUSED
    return RefreshOutcome.UNSPENT


def reauthorise_message(error: ApiError, begun: float | None) -> str:
    """Say why an account has to be authorised again.

    :param error: what the vendor refused the refresh token with
    :param begun: seconds since a refresh was begun whose answer was lost; None when there was none
    """
    if begun is not None:
        cause = (
            f"A refresh was begun {begun:.0f} s ago and its answer was lost, because the process died or "
            "the connection broke; the vendor has spent the refresh token since, and its successor is gone."
        )
    else:
        cause = "The vendor does not accept the refresh token: it was used or revoked elsewhere, or has expired."
    return f"{cause} {AUTHORISE_AGAIN} (The vendor said: {error.message})"
