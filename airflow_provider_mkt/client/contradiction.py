# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Answers with a success status that say otherwise: ``success: false``, an error, a status that means failure.

Vendors carry unknown statuses, so only what plainly means failure counts. Whether anything came of the request is told
by what else the answer holds: one that names nothing is a refusal, one that names an id leaves it open.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_mkt.client.endpoint import Endpoint, Safety

FLAGS = ("success", "successful", "ok", "accepted")
STATUSES = ("status", "state", "result", "outcome")
ERRORS = ("error", "errors", "error_message", "errorMessage")
FAILED = frozenset(
    {"failed", "failure", "fail", "error", "errored", "rejected", "refused", "declined", "denied", "invalid"}
    | {"blocked", "cancelled", "canceled", "aborted", "not_found", "unauthorized", "forbidden"}
)
MIN_ERROR_STATUS = 400
STARTING = (Safety.ONCE, Safety.KEYED)
NOT_IDS = frozenset({"status", "summary"})
"""Promised fields of an answer that name nothing."""


def contradiction(endpoint: Endpoint, body: Any) -> tuple[str, Any]:
    """Return how the answer to a request that starts something says that it failed, and the part that says so.

    :param endpoint: the route that was called
    :param body: the parsed body, in its envelope
    :return: "" and None when it does not
    """
    starts = endpoint.safety in STARTING and endpoint.authenticated and endpoint.decides
    if not starts or not isinstance(body, Mapping):
        return "", None
    inner = body.get(endpoint.envelope) if endpoint.envelope else None
    layers = [body, inner] if isinstance(inner, Mapping) else [body]
    return next(((told, layer) for layer in layers for told in _complaints(layer)), ("", None))


def named(endpoint: Endpoint, body: Any) -> dict[str, Any]:
    """Return the ids that such an answer names; empty when it names nothing that was started."""
    inner = body.get(endpoint.envelope, body) if endpoint.envelope else body
    promised = set(endpoint.answer) - NOT_IDS if isinstance(endpoint.answer, Mapping) else {"id"}
    return {name: inner[name] for name in sorted(promised) if inner.get(name)} if isinstance(inner, Mapping) else {}


def _complaints(layer: Mapping[str, Any]) -> list[str]:
    flags = [name for name in FLAGS if layer.get(name) is False or str(layer.get(name)).casefold() == "false"]
    statuses = [name for name in STATUSES if _failed(layer.get(name))]
    errors = [name for name in ERRORS if layer.get(name) and str(layer[name]).casefold() not in ("none", "false", "0")]
    told = [f"{name} is {layer[name]!r}" for name in (*flags, *statuses)]
    return [*told, *(f"it holds {name}" for name in errors)]


def _failed(status: Any) -> bool:
    if isinstance(status, str):
        return status.strip().casefold().replace(" ", "_") in FAILED
    return isinstance(status, int) and not isinstance(status, bool) and status >= MIN_ERROR_STATUS
