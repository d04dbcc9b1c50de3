# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Waits on this machine for a browser that comes back from a consent.

Only the request to the right path with the right ``state`` counts, once; all others are answered and forgotten. Nothing
is logged: the address of the request holds a code.
"""

from __future__ import annotations

import errno
import secrets
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body><h1>{title}</h1><p>{text}</p></body></html>
"""
DONE = ("Thank you", "Airflow has received your answer. You can close this window and go back to the terminal.")
REFUSED = ("Not connected", "The consent was not given. You can close this window and go back to the terminal.")
FOREIGN = ("Not the answer that Airflow waits for", "This address belongs to another attempt. Start again.")
NOTHING = ("Nothing here", "This address is used for one answer only.")
NO_SUCH_ADDRESS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.ENOENT)
"""What a machine without IPv6 says."""
IDLE = 10.0
"""Seconds after which a connection without a request is closed; browsers open some in advance."""


class Callback:
    """Listens from its creation until the ``with`` block ends.

    :param host: the loopback address of the redirect URI
    :param port: its port; 0 takes a free one, see ``port``
    :param path: its path
    :param state: what the request must carry
    :raises OSError: when the port cannot be had
    """

    def __init__(self, host: str, port: int, path: str, state: str) -> None:
        self._came = threading.Event()
        self._once = threading.Lock()
        self._query: dict[str, list[str]] | None = None
        self._path, self._state = path, state
        self._servers = _listen(host, port, _handler(self))
        self.port: int = self._servers[0].server_address[1]
        self._threads = [
            threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True) for server in self._servers
        ]

    def __enter__(self) -> Callback:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()

    def wait(self, seconds: float) -> dict[str, list[str]] | None:
        """Return the query that the browser came back with, or None when it did not come in time."""
        return self._query if self._came.wait(seconds) else None

    def answer(self, target: str) -> tuple[HTTPStatus, tuple[str, str]]:
        """Take a request and return the status and the page for the browser."""
        parts = urlsplit(target)
        if parts.path != self._path:
            return HTTPStatus.NOT_FOUND, NOTHING
        query = parse_qs(parts.query)
        given = query.get("state", [])
        if len(given) != 1 or not secrets.compare_digest(given[0].encode(), self._state.encode()):
            return HTTPStatus.BAD_REQUEST, FOREIGN
        with self._once:
            if self._query is not None:
                return HTTPStatus.NOT_FOUND, NOTHING
            self._query = query
        return HTTPStatus.OK, DONE if "code" in query else REFUSED

    def answered(self) -> None:
        """Note that the browser has its page, or is gone; the wait may end if the request was the right one."""
        if self._query is not None:
            self._came.set()


class _Server(ThreadingHTTPServer):
    """One thread a connection, as an idle one must not keep the answer out."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about a browser that hung up."""


def _listen(host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> list[_Server]:
    """Listen at ``host``; for ``localhost`` at both of its addresses, as another program may have the other one.

    :raises OSError: when one of them cannot be had, though the machine has it
    """
    first = _Server(("127.0.0.1" if host == "localhost" else host, port), handler)
    if host != "localhost":
        return [first]
    try:
        return [first, _Server(("::1", first.server_address[1]), handler)]
    except OSError as error:
        if error.errno in NO_SUCH_ADDRESS:
            return [first]
        first.server_close()
        raise


def _handler(callback: Callback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = IDLE
        server_version = "airflow-provider-mkt"
        sys_version = ""

        def do_GET(self) -> None:
            status, (title, text) = callback.answer(self.path)
            try:
                self._show(status, title, text)
            finally:
                # Also when the browser hung up: what it brought counts.
                callback.answered()

        def _show(self, status: HTTPStatus, title: str, text: str) -> None:
            page = PAGE.format(title=title, text=text).encode()
            headers = {
                "Content-Type": "text/html; charset=utf-8",
                "Content-Length": str(len(page)),
                "Cache-Control": "no-store",
                "Referrer-Policy": "no-referrer",
                "Content-Security-Policy": "default-src 'none'",
            }
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(page)
            self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as inherited
            """Log nothing."""

    return Handler
