# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Connections that tell a failure to connect from every later failure, and that ask once more before the first byte.

Whatever goes wrong inside ``connect()``, name resolution, TLS handshake and proxy tunnel included, happens before the
first byte of a request. That certainty is what allows a launch to be sent again, so it is taken where it exists instead
of being guessed from exception classes afterwards.

The fence is called between the two: connected, and nothing sent. What it raises ends the attempt, and nothing was sent.
It is called again when the process stood still between head and body: another request may have taken the place of this
one, and without its body the vendor does not execute it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPException
from math import inf
from socket import socket
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from airflow_provider_mkt.client.deadline import present
from airflow_provider_mkt.client.durations import elapsed
from airflow_provider_mkt.client.outcome import NeverConnectedError
from airflow_provider_mkt.client.redirect import ForbiddenAddressError, is_public

Fence = Callable[[], None]
"""Called right before the first byte of a request; raises when the request must not be sent."""

MAX_PAUSE = 1.0
"""Seconds after the fence in which a request has to be handed over; what comes later has to pass it once more."""

_FENCE: ContextVar[Fence | None] = ContextVar("mkt_fence", default=None)
_ONLY_PUBLIC: ContextVar[bool] = ContextVar("mkt_only_public", default=False)


class FenceClosedError(Exception):
    """The fence did not let a request pass; its cause says why. Nothing was sent."""


@contextmanager
def fenced(fence: Fence | None, *, only_public: bool = False) -> Iterator[None]:
    """Have the requests of this thread pass ``fence`` before their first byte.

    :param only_public: connect to public addresses only, unless a proxy does the connecting
    """
    token, public = _FENCE.set(fence), _ONLY_PUBLIC.set(only_public)
    try:
        yield
    finally:
        _FENCE.reset(token)
        _ONLY_PUBLIC.reset(public)


class _CertainConnection(HTTPConnection if TYPE_CHECKING else object):  # type: ignore[misc]
    """Mixin over urllib3's connections."""

    debuglevel = 0
    """Whatever ``http.client`` was told for all connections: what it prints holds credentials and e-mail addresses."""
    _fence: Fence | None = None
    """What the present request has to pass."""
    _fenced_at = -inf
    """When it has passed it."""
    _unsent = False
    """Whether the present request has been begun, and nothing of it sent."""

    def connect(self) -> None:
        try:
            super().connect()
        except (OSError, HTTPError, HTTPException) as error:
            self.close()
            # No errno of its own: urllib3 swallows some of them as a failure to send.
            raise NeverConnectedError("could not connect") from error

    def _new_conn(self) -> socket:
        deadline = present()
        self.__dict__["socket_options"] = _WhileTime(self.socket_options or [])
        connection: socket = super()._new_conn()
        if deadline is not None:
            deadline.guard(connection)
        if _ONLY_PUBLIC.get() and self.proxy is None and not is_public(connection.getpeername()[0]):
            connection.close()
            raise FenceClosedError from ForbiddenAddressError(f"{self.host}, which is not a public host")
        return connection

    def request(self, *args: Any, **kwargs: Any) -> None:
        deadline = present()
        if self.is_closed:
            # A proxy tunnel sends something of its own, which passes no fence.
            self.connect()
        elif deadline is not None and self.sock is not None:
            deadline.guard(self.sock)
        self._fence, self._fenced_at, self._unsent = _FENCE.get(), -inf, True
        super().request(*args, **kwargs)

    def send(self, data: Any) -> None:
        if self._fence is not None and elapsed() - self._fenced_at > MAX_PAUSE:
            try:
                self._fence()
            except Exception as error:  # whatever a fence raises: urllib3 must not repeat for it
                raise FenceClosedError from error
            self._fenced_at = elapsed()
        if self._unsent:
            self._unsent = False
            _check_time()
        super().send(data)


def _check_time() -> None:
    """Refuse to begin what is too late already.

    :raises NeverConnectedError: nothing was sent, which is certain
    """
    deadline = present()
    if deadline is not None and deadline.passed:
        raise NeverConnectedError("time was up before the first byte was sent")


class _WhileTime(list[Any]):
    """Options for each socket that is tried. A name may have many addresses: when time is up, no further one is."""

    def __iter__(self) -> Iterator[Any]:
        _check_time()
        return super().__iter__()


class _Connection(_CertainConnection, HTTPConnection):
    pass


class _SecureConnection(_CertainConnection, HTTPSConnection):
    pass


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
