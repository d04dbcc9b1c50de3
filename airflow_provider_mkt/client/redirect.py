# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Redirects: none is followed, but those of downloads, by hand, and only to where a vendor may send us.

``requests`` would read the body of each redirect whole, follow thirty of them past the rate budget, and ask whatever
host they name, also one inside the network that a worker runs in.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from urllib3.util import parse_url

from airflow_provider_mkt.client.endpoint import Call

if TYPE_CHECKING:
    from urllib3.util import Url

MAX_REDIRECTS = 3
DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_HOST = 253
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv4 addresses as a network without IPv4 of its own writes them."""
GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")


class ForbiddenAddressError(ValueError):
    """An address that a vendor named must not be asked; the message says why, and names the host."""


def location_of(status: int, headers: Mapping[str, str]) -> str | None:
    """Return where an answer redirects to, or None.

    :param headers: with lower-case names, or without regard to case
    """
    return headers.get("location") if status in (301, 302, 303, 307, 308) else None


def host_of(url: str) -> str:
    """Return the host of an address for messages: nothing else of it, as a query may hold a key."""
    try:
        host = _host(parse_url(url))
    except ValueError:
        host = ""
    return host[:MAX_HOST] if host.isprintable() and host else "an address that makes no sense"


def redirected(call: Call, asked: str, location: str) -> Call:
    """Return the call that follows a redirect, without any credentials.

    :param call: what was redirected
    :param asked: its full address
    :param location: where to
    :raises ForbiddenAddressError: when that is neither on the same host nor https on a public one
    """
    try:
        url = urljoin(asked, location)
    except ValueError:
        url = ""
    link = linked(call, asked, url)
    # Whoever is asked, it is the vendor that had us ask.
    endpoint = replace(link.endpoint, authenticated=False, budgets=call.endpoint.budgets or ("default",))
    return replace(link, endpoint=endpoint, headers={}, query={})


def linked(call: Call, known: str, url: str, *, local: bool = False) -> Call:
    """Return the call for an address that the vendor named, with the credentials only where they came from.

    :param call: in whose answer it was named
    :param known: an address of the host that is trusted
    :param url: the full address
    :param local: whether a vendor that is simulated on this machine may name other addresses of this machine
    :raises ForbiddenAddressError: when it is neither on that host nor https on a public one
    """
    try:
        parts = parse_url(url)
        # Credentials in an address would be sent to it.
        scheme, host = "" if parts.auth else parts.scheme, _host(parts)
        own = bool(scheme) and _origin(parts) == _origin(parse_url(known))
        near = local and bool(scheme) and is_loopback(url) and is_loopback(known)
    except ValueError:
        own, scheme, host, near = False, "", "", False
    if not own and not near and (scheme != "https" or not host or _is_private_name(host)):
        raise ForbiddenAddressError(f"{host_of(url)}, which is neither the same host nor https on a public host")
    endpoint = call.endpoint if own else replace(call.endpoint, authenticated=False, budgets=())
    return replace(call, endpoint=endpoint, path={}, query={}, body=None, link=url, only_public=not own and not near)


def _host(parts: Url) -> str:
    """Return the host that will be asked: addresses are read by what connects; another reader may find another host."""
    return (parts.host or "").removeprefix("[").removesuffix("]")


def _origin(parts: Url) -> tuple[str | None, str, int | None]:
    return parts.scheme, _host(parts), parts.port or DEFAULT_PORTS.get(parts.scheme or "")


def _is_private_name(host: str) -> bool:
    """Say whether a host is known not to be public before it is looked up; the address itself is checked later."""
    try:
        return not is_public(_usual(host))
    except ValueError:
        return "." not in host.rstrip(".") or host.rstrip(".").endswith((".localhost", ".local", ".internal"))


def _usual(host: str) -> str:
    """Return an IPv4 address in one of its rarer spellings (``127.1``, ``0177.0.0.1``) as everybody writes it."""
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return host


def is_loopback(url: str) -> bool:
    """Say whether an http or https address is one of this machine.

    :raises ValueError: when it makes no sense
    """
    parts = parse_url(url)
    host = _host(parts)
    if parts.scheme not in DEFAULT_PORTS:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def is_public(address: str) -> bool:
    """Say whether an IP address is one of the public internet: not private, loopback, link-local or reserved.

    :raises ValueError: when it is no address
    """
    number = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(number, ipaddress.IPv6Address):
        inner = number.ipv4_mapped or number.sixtofour or (number.teredo and number.teredo[1])
        if number in NAT64:
            inner = ipaddress.IPv4Address(int(number) & 0xFFFF_FFFF)
        if inner:
            return is_public(str(inner))
        # Elsewhere lie further ways to write an IPv4 address, and what was private in former times.
        return number.is_global and number in GLOBAL_UNICAST
    return number.is_global and not number.is_multicast
