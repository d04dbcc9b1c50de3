# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Who may use what needs no credentials: no web page of another host.

Such a page can make a user's browser send requests to this machine, and with DNS rebinding also read the answers. The
browser then names the other host in ``Host`` or ``Origin``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from ipaddress import ip_address


def refusal_of(headers: Mapping[str, str], local: str, own: Collection[str]) -> str | None:
    """Return why a request is refused; None when it may pass.

    :param headers: by lower-case name
    :param local: IP address that the connection was made to
    :param own: URLs or names under which clients reach the sandbox as well
    """
    asked = headers.get("host", "").lower()
    known = {_netloc(each) for each in own}
    name = _without_port(asked)
    if not _is_this_machine(name, local) and name not in {_without_port(each) for each in known}:
        return f"Host {asked!r} is no address of this sandbox. Name that address with --public-url if it should be one."
    origin = headers.get("origin")
    if origin is not None and _netloc(origin) not in {asked, *known}:
        return f"Pages of {origin!r} may not use this sandbox."
    return None


def _netloc(url: str) -> str:
    return url.rpartition("//")[2].partition("/")[0].lower()


def _without_port(netloc: str) -> str:
    if netloc.startswith("["):
        return netloc[1:].partition("]")[0]
    return netloc if netloc.count(":") > 1 else netloc.partition(":")[0]


def _is_this_machine(name: str, local: str) -> bool:
    if name == "localhost":
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or name == local
