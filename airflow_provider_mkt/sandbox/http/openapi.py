# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The OpenAPI description of the vendors, made of the routes that answer: it cannot promise what they do not do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from airflow_provider_mkt.sandbox.engine.vendor import Vendor

TITLE = "Marketing vendors sandbox"
_OF_FASTAPI = ("HTTPValidationError", "ValidationError")
"""Validation errors that never leave the sandbox: they are answered in the vendors' envelopes."""


def describe(app: FastAPI, vendor_types: Sequence[type[Vendor]], base: str, name: str | None = None) -> dict[str, Any]:
    """The description of one vendor, with paths as its documents write them, or of all, with paths of the sandbox.

    :param app: the application, whose routes are described
    :param vendor_types: the simulated vendors
    :param base: address under which clients reach the sandbox
    :param name: the vendor's name, such as ``flodesk``; None for all
    :raises ValueError: there is no such vendor
    """
    chosen = [kind for kind in vendor_types if name in (None, kind.name)]
    if not chosen:
        raise ValueError(f"vendor must be one of {', '.join(kind.name for kind in vendor_types)}")
    # Making one takes half a second, in which the sandbox would answer nobody.
    made: dict[str | None, dict[str, Any]] = vars(app).setdefault("descriptions", {})
    if name not in made:
        made[name] = _document(app, chosen, TITLE if name is None else f"{name} ({TITLE})")
    root = base.rstrip("/")
    if name is None:
        return {**made[name], "servers": [{"url": root}]}
    paths = _relative(made[name]["paths"], chosen[0], root)
    return {**made[name], "servers": [{"url": root + chosen[0].prefixes[0]}], "paths": paths}


def _document(app: FastAPI, chosen: list[type[Vendor]], title: str) -> dict[str, Any]:
    routes = [
        route
        for route in app.routes
        if isinstance(route, APIRoute) and any(_prefix(kind, route.path) is not None for kind in chosen)
    ]
    document = get_openapi(title=title, version="1", routes=routes)
    components = document.setdefault("components", {})
    components["schemas"] = {key: kept for key, kept in components["schemas"].items() if key not in _OF_FASTAPI}
    components["securitySchemes"] = {key: scheme for kind in chosen for key, scheme in kind.security.items()}
    for path, item in document["paths"].items():
        _secure(next(kind for kind in chosen if _prefix(kind, path) is not None), item)
    return document


def _prefix(kind: type[Vendor], path: str) -> str | None:
    return next((prefix for prefix in kind.prefixes if path.startswith(f"{prefix}/")), None)


def _secure(kind: type[Vendor], item: dict[str, Any]) -> None:
    """Any one of the vendor's HTTP schemes opens a route that does not say otherwise."""
    schemes: list[dict[str, list[str]]] = [
        {key: []} for key, scheme in kind.security.items() if scheme["type"] == "http"
    ]
    for operation in item.values():
        operation["responses"].pop("422", None)
        operation.setdefault("security", schemes)


def _relative(absolute: dict[str, Any], kind: type[Vendor], root: str) -> dict[str, Any]:
    """Paths below the vendor's base address; those below a second one name it."""
    paths: dict[str, Any] = {}
    for path, item in absolute.items():
        prefix = _prefix(kind, path) or ""
        elsewhere = {} if prefix == kind.prefixes[0] else {"servers": [{"url": root + prefix}]}
        paths[path.removeprefix(prefix)] = {**elsewhere, **item}
    return paths
