# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Airflow's API for tasks, asked by a function call: its own routes and checks, without what a server needs.

``dag.test()`` asks the same routes through a bridge to a thread, as a client that may be older, and solves each request
twice for that. This was two thirds of what a run cost.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from unittest import mock
from uuid import UUID

import anyio.to_thread
import httpx

ADDRESS = "http://in-process.invalid./"
NO_TASK = UUID(int=0)
"""Asks for what belongs to no task, such as a variable."""

log = logging.getLogger(__name__)


@contextmanager
def task_supervisor() -> Iterator[Any]:
    """Give what runs tasks and triggers in this process, for as long as the ``with`` block lasts.

    It is Airflow's own where its tasks speak an older version of the API than its server.
    """
    from airflow.models.dagbag import DBDagBag
    from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor

    if not _same_version():
        yield InProcessTestSupervisor
        return
    app = _routes()
    with TaskApi(app) as api:
        make: Any = InProcessTestSupervisor._Client  # noqa: SLF001 - as Airflow makes its own
        client = make(base_url=None, token="", dry_run=True, transport=api)
        client.base_url = ADDRESS

        class Supervisor(InProcessTestSupervisor):
            @staticmethod
            def _api_client(dag: Any = None) -> Any:  # noqa: ARG004 - Airflow's signature
                app.state.dag_bag = DBDagBag()
                return client

        with api.at_once():
            yield Supervisor


def _same_version() -> bool:
    from airflow.api_fastapi.execution_api.versions import bundle
    from airflow.sdk.api.datamodels._generated import API_VERSION

    return bool(bundle.versions[0].value == API_VERSION and not bundle.head_version.changes)


def _routes() -> Any:
    """Return the newest routes as an application."""
    import svcs
    from airflow.api_fastapi.common.exceptions import init_error_handlers
    from airflow.api_fastapi.execution_api.routes import execution_api_router
    from cadwyn.route_generation import _DELETED_ROUTE_TAG
    from fastapi import FastAPI

    app = FastAPI(openapi_url=None)
    app.include_router(execution_api_router)
    routes = app.router.routes
    routes[:] = [each for each in routes if _DELETED_ROUTE_TAG not in getattr(each, "tags", ())]
    init_error_handlers(app)
    app.add_exception_handler(Exception, _failed)
    app.state.svcs_registry = svcs.Registry()
    return app


async def _failed(request: Any, error: Exception) -> Any:
    """Answer as Airflow's server does."""
    from fastapi.responses import JSONResponse

    log.error("a route of Airflow's API has failed", exc_info=error)
    told = {name: request.headers[name] for name in ("correlation-id",) if name in request.headers}
    return JSONResponse({"message": "Internal server error", **told}, status_code=500)


class TaskApi(httpx.BaseTransport):
    """Asks the routes in the thread that asks.

    :param app: the routes
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()
        self._one_by_one = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        with self._one_by_one:
            if _running_loop() is None:
                return self._loop.run_until_complete(self._answer(request))
            # A trigger asks, whose own loop waits in this thread.
            with ThreadPoolExecutor(1) as beside:
                return beside.submit(self._loop.run_until_complete, self._answer(request)).result()

    def close(self) -> None:
        """Answer no more."""
        self._loop.close()

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        asked = [{"type": "http.request", "body": request.read(), "more_body": False}]
        said: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return asked.pop() if asked else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            said.append(message)

        try:
            await self._app(_scope(request), receive, send)
        except Exception:
            # An error that the application has answered and logged is raised once more, for servers.
            if not said:
                raise
        begun, *rest = said
        content = b"".join(each.get("body", b"") for each in rest)
        return httpx.Response(begun["status"], headers=begun["headers"], content=content)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Have routes run in the thread that asks, and waits anyway, for as long as the ``with`` block lasts."""
        elsewhere = anyio.to_thread.run_sync

        async def run_sync(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
            if _running_loop() is self._loop:
                return function(*arguments)
            return await elsewhere(function, *arguments, **options)

        with mock.patch.object(anyio.to_thread, "run_sync", run_sync):
            yield


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs in this thread; None where there is none of asyncio's."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _scope(request: httpx.Request) -> dict[str, Any]:
    from airflow.api_fastapi.execution_api.datamodels.token import TIClaims, TIToken
    from airflow.api_fastapi.execution_api.security import _REQUEST_SCOPE_TOKEN_KEY

    url = request.url
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": url.scheme,
        "path": url.path,
        "raw_path": url.raw_path.partition(b"?")[0],
        "root_path": "",
        "query_string": url.query,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("127.0.0.1", 0),
        "server": (url.host, url.port),
        # Who asks, as if a token of its own had been checked.
        _REQUEST_SCOPE_TOKEN_KEY: TIToken(id=_asking(url.path), claims=TIClaims(scope="execution")),
    }


def _asking(path: str) -> UUID:
    for part in path.split("/"):
        try:
            return UUID(part)
        except ValueError:
            continue
    return NO_TASK
