# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Connections that tell a failure to connect from every later failure.

Whatever goes wrong inside ``connect()``, name resolution, TLS handshake and proxy tunnel included, happens before the
first byte of a request. That certainty is what allows a launch to be sent again, so it is taken where it exists instead
of being guessed from exception classes afterwards.
"""

from __future__ import annotations

from http.client import HTTPException
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from airflow_provider_mkt.client.outcome import NeverConnectedError


class _Connection(HTTPConnection):
    def connect(self) -> None:
        try:
            super().connect()
        except (OSError, HTTPError, HTTPException) as error:
            # No errno of its own: urllib3 swallows some of them as a failure to send.
            raise NeverConnectedError("could not connect") from error


class _SecureConnection(HTTPSConnection):
    def connect(self) -> None:
        try:
            super().connect()
        except (OSError, HTTPError, HTTPException) as error:
            raise NeverConnectedError("could not connect") from error


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class Adapter(HTTPAdapter):
    """``requests`` adapter over the connections above."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create the pool manager for direct connections."""
        super().init_poolmanager(*args, **kwargs)
        _use_our_pools(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Return the pool manager for a proxy."""
        return _use_our_pools(super().proxy_manager_for(*args, **kwargs))

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """Set up the check of certificates; a CA bundle that is not there is found before connecting."""
        try:
            super().cert_verify(*args, **kwargs)  # type: ignore[no-untyped-call]
        except OSError as error:
            raise NeverConnectedError("could not connect") from error


def _use_our_pools(manager: PoolManager) -> PoolManager:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
    return manager
