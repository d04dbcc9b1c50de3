# Licensed under the Apache License, Version 2.0; see LICENSE.
"""From an outcome to the error that a task raises: what happened, what the vendor said, what is known."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_mkt.client.complaints import complaints_of, texts_in
from airflow_provider_mkt.client.endpoint import Call, Safety
from airflow_provider_mkt.client.outcome import Certainty, Outcome
from airflow_provider_mkt.client.redaction import Redactor, personal_values
from airflow_provider_mkt.client.retry import Next
from airflow_provider_mkt.client.retry_after import MAX_RETRY_AFTER
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

OTHERS_WORDS = ("detail", "title", "reason", "msg", "description", "faultstring")
"""Where an object may have its words that no vendor answers with, but a gateway, a proxy or a framework."""
ERROR = 400
BY_STATUS: dict[int, type[ApiError]] = {
    400: ValidationError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ValidationError,
    410: NotFoundError,
    413: ValidationError,
    415: ValidationError,
    422: ValidationError,
    429: RateLimitError,
}


def failure(call: Call, outcome: Outcome, following: Next, vendor: str, redactor: Redactor) -> ApiError:
    """Return the error for a call that ended with ``outcome``.

    :param call: what was asked
    :param outcome: what the last attempt taught us
    :param following: how the retry policy ended the call
    :param vendor: the vendor's name
    :param redactor: hides what must not be shown
    """
    endpoint = call.endpoint
    words = vendor_words(outcome.answer)
    addresses = (str(value) for value in call.path.values() if "@" in str(value))
    redactor = redactor.with_values([*personal_values(call.body), *addresses])
    kind, told = _kind(call, outcome, following)
    contradicted = outcome.known is Certainty.CONTRADICTED
    own = f"{outcome.reason}. {words['message']}" if contradicted and words["message"] else ""
    said = _on_screen(redactor.text(_said(outcome, own or words["message"], redactor)))
    message = told.format(vendor=vendor, route=f"{endpoint.method} {endpoint.path}")
    if outcome.status:
        message += f" (HTTP {outcome.status})"
    message += f": {said}" if said else ""
    if outcome.retry_after == MAX_RETRY_AFTER:
        message += " (It asks to wait for an hour or longer. An hour is kept; `airflow mkt budgets reset` ends it.)"
    request_id = words["request_id"] or outcome.headers.get("x-request-id")
    facts: dict[str, Any] = {
        "vendor": vendor,
        "method": endpoint.method,
        "path": endpoint.path,
        "status": outcome.status,
        "code": redactor.text(words["code"], 200) or None,
        "details": redactor.data(words["details"]),
        "request_id": redactor.text(request_id, 200) if request_id else None,
        "retry_after": outcome.retry_after,
    }
    if kind is MalformedResponseError:
        executed = outcome.known is Certainty.UNREADABLE and _has_effects(call)
        return MalformedResponseError(message, executed=executed, **facts)
    error = kind(message, **facts)
    if isinstance(error, OutcomeUnknownError):
        error.contradicted = contradicted
    return error


def unsigned(call: Call, error: ApiError, vendor: str, *, doubt: bool) -> ApiError:
    """Return what the failure of a token call means for the request that needed the token.

    :param call: that request
    :param error: how the token call ended
    :param vendor: the vendor's name
    :param doubt: whether an earlier attempt of the request may have been executed
    """
    endpoint = call.endpoint
    route = f"{vendor} {endpoint.method} {endpoint.path}"
    unsettled: ApiError
    if doubt:
        unsettled = OutcomeUnknownError(f"{route} may have been executed, and cannot be repeated: {error}")
    elif isinstance(error, (OutcomeUnknownError, MalformedResponseError)):
        unsettled = NotSentError(f"{route} was not sent, for lack of a token: {error}")
    else:
        return error
    unsettled.vendor, unsettled.method, unsettled.path = error.vendor, endpoint.method, endpoint.path
    return unsettled


def _kind(call: Call, outcome: Outcome, following: Next) -> tuple[type[ApiError], str]:
    if outcome.known is Certainty.CONTRADICTED:
        return OutcomeUnknownError, "{vendor} answered {route}, and says that it failed"
    if following is Next.UNKNOWN:
        return OutcomeUnknownError, "{vendor} may or may not have executed {route}"
    if outcome.known is Certainty.NOT_SENT:
        return NotSentError, "{vendor} could not be reached for {route}"
    if outcome.known is Certainty.UNREADABLE:
        return MalformedResponseError, (
            "{vendor} executed {route}, unreadable answer"
            if _has_effects(call)
            else "{vendor} gave an unreadable answer to {route}"
        )
    if outcome.known in (Certainty.UNKNOWN, Certainty.FAILED):
        return ServerError, "{vendor} failed on {route}"
    return BY_STATUS.get(outcome.status or 0, ApiError), "{vendor} refused {route}"


def _has_effects(call: Call) -> bool:
    """Whether carrying out ``call`` is what the user wanted; a token call only leads up to that."""
    return call.endpoint.safety is not Safety.READ and call.endpoint.authenticated


def vendor_words(answer: Any) -> dict[str, Any]:
    """Find message, code, details and request id in an error body of any of the forms the vendors use.

    :param answer: the parsed body, or None
    :return: the four, ``""`` or None where the body has none
    """
    if not isinstance(answer, dict):
        told = (complaints_of(answer) or json.dumps(answer[:10])) if isinstance(answer, list) else answer
        return {"message": told if isinstance(told, str) else "", "code": "", "details": None, "request_id": None}
    inner = answer.get("error") or _first_of(answer.get("errors"))
    error: dict[str, Any] = inner if isinstance(inner, dict) else answer
    meta = answer.get("meta")
    plain = inner if isinstance(inner, str) else ""
    message = _first_text(error, "message", "error_description") or _first_text(answer, "message") or plain
    return {
        "message": message,
        "code": _first_text(error, "code", "type") or (plain if plain != message else ""),
        "details": error.get("details"),
        "request_id": _first_text(error, "request_id")
        or _first_text(meta if isinstance(meta, dict) else {}, "request_id"),
    }


def _said(outcome: Outcome, message: str, redactor: Redactor) -> str:
    """Return what the answer says: its message, and the fields and problems that it names.

    :param message: the message, if it is of one of the vendors' forms
    """
    answer = outcome.answer
    if (outcome.status or 0) < ERROR:
        return message or outcome.reason
    told = message or _others_words(answer)
    parts = complaints_of(answer)
    if parts and told and parts != told:
        return f"{told} ({parts})"
    # An object of unknown form shows all its texts, but for those whose names are of secrets and people.
    return told or parts or (texts_in(redactor.data(answer)) if isinstance(answer, dict) else "") or outcome.reason


def _others_words(answer: Any) -> str:
    """Return the words of an error object that is not of the vendor's own form, such as RFC 9457's problem details."""
    if not isinstance(answer, dict):
        return ""
    fault = answer.get("fault")
    return _first_text(fault if isinstance(fault, dict) else answer, *OTHERS_WORDS)


def _on_screen(text: str) -> str:
    """Return ``text`` without characters that would act on the terminal or the log viewer that shows it."""
    return "".join(each if each.isprintable() or each == "\n" else " " for each in text)


def _first_of(errors: Any) -> Any:
    return errors[0] if isinstance(errors, list) and errors else errors


def _first_text(source: dict[str, Any], *names: str) -> str:
    return next((value for name in names if isinstance(value := source.get(name), str) and value), "")
