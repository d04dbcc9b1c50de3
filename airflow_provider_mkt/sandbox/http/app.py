# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The application: handlers of all vendors behind the gate, errors in the vendors' own envelopes."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from airflow_provider_mkt.sandbox.engine.vendor import VendorError, refusal
from airflow_provider_mkt.sandbox.http import control, page
from airflow_provider_mkt.sandbox.http.gate import Gate
from airflow_provider_mkt.sandbox.simulation import Simulation


def build(simulation: Simulation, *, host: str = "", public_url: str | None = None, log_requests: bool = False) -> Gate:
    """The ASGI application of a simulation.

    :param host: name or address that it listens on
    :param public_url: address under which clients reach it, None to take it from each request
    :param log_requests: print one line for each vendor request
    """
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    app.state.simulation = simulation
    app.state.public_url = public_url
    for vendor in simulation.vendor_types:
        for router in vendor.routers:
            app.include_router(router)
    app.include_router(control.router)
    app.include_router(page.router)
    app.add_exception_handler(VendorError, _vendor_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _crash)
    own = [each for each in (host, public_url) if each]
    return Gate(app, simulation, own=own, log_requests=log_requests)


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
