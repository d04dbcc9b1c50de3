# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The application: handlers of all vendors behind the gate, errors in the vendors' own envelopes."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from airflow_provider_mkt.sandbox import control
from airflow_provider_mkt.sandbox.answer import refusal
from airflow_provider_mkt.sandbox.gate import Gate
from airflow_provider_mkt.sandbox.vendor import VendorError
from airflow_provider_mkt.sandbox.world import World

TITLE = "Marketing vendors sandbox"


def build(world: World, *, public_url: str | None = None, log_requests: bool = False) -> Gate:
    """The ASGI application of a world.

    :param public_url: address under which clients reach it, None to take it from each request
    """
    app = FastAPI(title=TITLE, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.world = world
    app.state.public_url = public_url
    for vendor in type(world).vendor_types():
        for router in vendor.routers:
            app.include_router(router)
    app.include_router(control.router)
    app.add_exception_handler(VendorError, _vendor_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _crash)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return Gate(app, world, log_requests=log_requests)


def _answer(request: Request, error: VendorError) -> Response:
    vendor = request.scope.get("sandbox.vendor")
    if vendor is None:
        return JSONResponse({"error": error.message}, status_code=error.status, headers=error.headers)
    answer = refusal(vendor, error)
    return Response(answer.body, answer.status, headers=dict(answer.headers))


async def _vendor_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, VendorError)  # noqa: S101 - narrows the type
    return _answer(request, error)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - narrows the type
    details = [(_place(problem["loc"]), _message(problem)) for problem in error.errors()]
    text = "; ".join(f"{place}: {message}" if place else message for place, message in details[:10])
    return _answer(request, VendorError(400, text or "Invalid request", details=details))


def _place(location: tuple[Any, ...]) -> str:
    inner = location[1:] if location and location[0] in ("body", "query", "path", "header", "cookie") else location
    return ".".join(str(step) for step in inner)


def _message(problem: dict[str, Any]) -> str:
    text = str(problem.get("msg", "is invalid"))
    return text.removeprefix("Value error, ")


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - narrows the type
    texts = {404: "Resource not found", 405: "Method not allowed", 400: "Invalid request"}
    message = texts.get(error.status_code, str(error.detail))
    return _answer(request, VendorError(error.status_code, message, headers=error.headers))


async def _crash(request: Request, _error: Exception) -> Response:
    return _answer(request, VendorError(500, "Internal server error"))


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The description without FastAPI's own validation errors, which never leave the sandbox, and with security."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version="1", routes=app.routes)
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        schemes = schema["components"].setdefault("securitySchemes", {})
        vendors = World.vendor_types()
        for path, item in schema["paths"].items():
            vendor = next(kind for kind in vendors if path.startswith(tuple(f"{prefix}/" for prefix in kind.prefixes)))
            for operation in item.values():
                operation["responses"].pop("422", None)
                if "security" not in operation:
                    operation["security"] = [
                        {name: []} for name, scheme in vendor.security.items() if scheme["type"] == "http"
                    ]
        for vendor in vendors:
            schemes.update(vendor.security)
        app.openapi_schema = schema
    return app.openapi_schema
