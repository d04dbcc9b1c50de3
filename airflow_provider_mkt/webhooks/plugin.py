# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The receiver as an Airflow plugin. Every process of Airflow imports this, so the work is imported when needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from airflow_provider_mkt.webhooks.receiver import Receive, Receiver, Scope, Send

PREFIX = "/mkt"


class LazyReceiver:
    """The receiver, built at the first request."""

    _receiver: Receiver | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self._receiver is None:
            from airflow_provider_mkt.webhooks.receiver import Receiver

            self._receiver = Receiver()
        await self._receiver(scope, receive, send)


class HandOverMiddleware:
    """Hands deliveries over to Airflow for as long as the API server runs.

    A plugin's app is not told when the server starts; a middleware is.

    :param app: the API server
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what comes."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        from airflow_provider_mkt.webhooks.worker import HandOverWorker

        with HandOverWorker():
            await self._app(scope, receive, send)


class MarketingPlugin(AirflowPlugin):
    """Adds ``/mkt/webhooks/…`` to the API server."""

    name = "mkt"
    fastapi_apps: list[Any] = [  # noqa: RUF012 - as Airflow declares it
        {"app": LazyReceiver(), "url_prefix": PREFIX, "name": "mkt"}
    ]
    fastapi_root_middlewares: list[Any] = [  # noqa: RUF012 - as Airflow declares it
        {"middleware": HandOverMiddleware, "args": [], "kwargs": {}, "name": "mkt webhooks"}
    ]
