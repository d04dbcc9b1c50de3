# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The pages' web application: sign-in, permission and protection against forged forms stand before every page.

A page is a function of a :class:`Visit`. One that is asked for changes nothing; what is sent by a form may.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib import import_module
from typing import Any
from urllib.parse import quote

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.core_api.security import bearer_scheme, get_user
from fastapi import HTTPException
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.pages.banner import in_force
from airflow_provider_mkt.pages.forms import ForgedError, form_of, set_cookie, token_for
from airflow_provider_mkt.pages.permissions import Permissions
from airflow_provider_mkt.pages.rendering import HERE, rendered
from airflow_provider_mkt.pages.visit import GoTo, RefusedError, Shown, Visit
from airflow_provider_mkt.state.errors import StoreError

log = logging.getLogger(__name__)

DATABASE = "Airflow's database does not answer, or is locked. Load the page again, and look what was done."
Page = Callable[[Visit], Shown | GoTo]
PAGES: tuple[tuple[str, str, str], ...] = (
    ("GET", "/launches", "launches:show_list"),
    ("GET", "/launches/{launch}", "launch:show"),
    ("POST", "/launches/{launch}/adopt", "settle:adopt"),
    ("POST", "/launches/{launch}/forget", "settle:forget"),
    ("POST", "/launches/{launch}/stop", "stop:stop_launch"),
    ("GET", "/approvals/{ask}", "approvals:show"),
    ("POST", "/approvals/{ask}/approve", "approvals:approve"),
    ("POST", "/approvals/{ask}/refuse", "approvals:refuse"),
    ("GET", "/task", "of_task:show"),
    ("GET", "/calendar", "calendar:show"),
    ("GET", "/budgets", "budgets:show"),
    ("GET", "/deliveries", "deliveries:show_list"),
    ("GET", "/deliveries/{number}", "deliveries:show"),
    ("POST", "/deliveries/{number}/replay", "deliveries:replay"),
    ("GET", "/stop", "stop:show"),
    ("POST", "/stop", "stop:stop"),
    ("POST", "/resume", "stop:resume"),
)
"""Method, path, and module with function. Only ``POST`` changes anything."""
TABS = (
    ("launches", "Launches"),
    ("calendar", "Calendar"),
    ("budgets", "Budgets"),
    ("deliveries", "Deliveries"),
    ("stop", "Stop"),
)


def make_app() -> Starlette:
    """Return the application."""
    routes: list[Any] = [Route(path, _endpoint(method, name), methods=[method]) for method, path, name in PAGES]
    static = StaticFiles(directory=HERE / "static")
    return Starlette(routes=[*routes, Mount("/static", static), Route("/", _home)])


async def _home(request: Request) -> Response:
    return RedirectResponse(f"{request.scope.get('root_path', '')}/launches", 303)


def _endpoint(method: str, name: str) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        try:
            user = await get_user(request, None, await bearer_scheme(request))
        except HTTPException as error:
            return _sign_in(request, method, error.status_code)
        may = Permissions(user)
        try:
            form = await form_of(request, str(user.get_id())) if method == "POST" else {}
        except ForgedError as error:
            log.warning("A form for %s was refused: %s.", request.url.path, error)
            return await run_in_threadpool(_refused, request, may, 403, f"The form was refused: {error}.")
        return await run_in_threadpool(_answer, name, Visit(request, may, form))

    return endpoint


def _sign_in(request: Request, method: str, status: int) -> Response:
    """Lead to Airflow's sign-in; a form that was sent is not sent again after it."""
    if method != "GET":
        return rendered("bare.html", {"title": "Not signed in", "reason": "Sign in to Airflow, and try again."}, status)
    asked = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
    return RedirectResponse(get_auth_manager().get_url_login(next_url=asked), 303)


def _answer(name: str, visit: Visit) -> Response:
    module, _, function = name.partition(":")
    try:
        if not visit.may.may_enter():
            raise RefusedError(403, "You may not see the runs of any DAG, so there is nothing here for you.")
        page: Page = getattr(import_module(f"airflow_provider_mkt.pages.{module}"), function)
        shown = page(visit)
    except RefusedError as error:
        return _refused(visit.request, visit.may, error.status, str(error))
    except ValidationError as error:
        return _refused(visit.request, visit.may, 400, str(error))
    except StoreError as error:
        return _refused(visit.request, visit.may, 503, str(error))
    except OperationalError:
        log.exception("Airflow's database failed at %s.", visit.request.url.path)
        return _refused(visit.request, visit.may, 503, DATABASE)
    if isinstance(shown, GoTo):
        return RedirectResponse(f"{visit.root}{shown.path}", 303)
    return _page(visit, shown)


def _refused(request: Request, may: Permissions, status: int, reason: str) -> Response:
    values = {"title": "Not shown" if status != 503 else "Not available", "reason": reason}
    if not may.may_enter():
        return rendered("bare.html", values, status)
    return _page(Visit(request, may), Shown("refused.html", values, status))


def _page(visit: Visit, shown: Shown) -> Response:
    """Return a page with all that every page has: the tabs, the banner, the token of its forms."""
    token, number = token_for(visit.request, str(visit.may.user.get_id()))
    values = {
        "root": visit.root,
        "airflow": visit.airflow,
        "zone": visit.zone,
        "tabs": TABS,
        "path": visit.request.url.path.removeprefix(visit.root),
        "stops": in_force(visit.may),
        "token": token,
        "quote": lambda part: quote(str(part), safe=""),
        **shown.values,
    }
    response = rendered(shown.template, values, shown.status)
    set_cookie(visit.request, response, number)
    return response
