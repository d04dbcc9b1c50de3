# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The HTTP/1.1 protocol of the server, with the connection exposed to the application so that it can be broken."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

TRANSPORT = "sandbox.transport"
"""Key of the transport in the ASGI scope."""


class BreakableProtocol(H11Protocol):
    """uvicorn's own protocol; each request's scope also carries the transport of its connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Not left to the configuration of logging, which Airflow does again: a query string may carry a key.
        self.access_log = False
        application = self.app

        async def exposed(scope: Any, receive: Any, send: Any) -> None:
            scope[TRANSPORT] = self.transport
            try:
                await application(scope, receive, send)
            except asyncio.CancelledError:
                # The server stops while a request hangs. Its connection is cut, as by a machine that is switched off.
                self.cycle.disconnected = True
                self.transport.abort()

        self.app = exposed


def close(transport: asyncio.Transport) -> None:
    """Close in good order (FIN) after what was written is sent."""
    transport.close()


def reset(transport: asyncio.Transport) -> None:
    """Close with a TCP reset (RST); the client's read fails with ``ECONNRESET``."""
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
