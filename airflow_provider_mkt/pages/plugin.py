# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The control room as an Airflow plugin. Every process of Airflow imports this, so pages are imported when needed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from airflow.sdk.plugins_manager import AirflowPlugin

from airflow_provider_mkt.links.submission import TAB
from airflow_provider_mkt.pages import PREFIX

HREF = PREFIX.removeprefix("/")
"""Relative to Airflow's own address, which may have a path."""

App = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]


class LazyPages:
    """The pages, built at the first request."""

    _app: App | None = None

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Answer one request."""
        if self._app is None:
            from airflow_provider_mkt.pages.app import make_app

            self._app = make_app()
        await self._app(scope, receive, send)


class ControlRoomPlugin(AirflowPlugin):
    """Adds the pages to the API server, and the way to them to Airflow's UI."""

    name = "mkt control room"
    fastapi_apps: list[Any] = [  # noqa: RUF012 - as Airflow declares it
        {"app": LazyPages(), "url_prefix": PREFIX, "name": "mkt control room"}
    ]
    external_views: list[Any] = [  # noqa: RUF012 - as Airflow declares it
        {
            "name": "Marketing",
            "href": f"{HREF}/launches",
            "destination": "nav",
            "url_route": "marketing",
            "icon": f"{HREF}/static/icon.svg",
            "icon_dark_mode": f"{HREF}/static/icon-dark.svg",
            "nav_top_level": True,
        },
        {
            "name": "Launch",
            "href": f"{HREF}/task?dag={{DAG_ID}}&run={{RUN_ID}}&task={{TASK_ID}}&index={{MAP_INDEX}}",
            "destination": "task_instance",
            "url_route": TAB,
        },
    ]
