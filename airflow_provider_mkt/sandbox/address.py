# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Where the sandbox listens, and how that is written in a URL."""

from __future__ import annotations

import socket


def url_host(host: str) -> str:
    """A host as it is written in a URL; a wildcard address becomes the loopback one."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


class AddressError(Exception):
    """The address cannot be listened on."""


def listen(host: str, port: int) -> socket.socket:
    """A bound socket.

    :raises AddressError: says what is wrong and what to do
    """
    try:
        family, kind, number, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, number)
    except OSError as error:
        raise AddressError(f"address {host!r} is not usable ({error.strerror}); choose another with --host") from None
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise AddressError(
            f"port {port} on {host} is not free ({error.strerror}); choose another with --port, or 0 for any"
        ) from None
    return listener
