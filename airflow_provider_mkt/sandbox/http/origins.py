# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Who may use what needs no credentials: no web page of another host.

Such a page can make a user's browser send requests to this machine, and with DNS rebinding also read the answers. The
browser then names the other host in ``Host`` or ``Origin``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from ipaddress import ip_address

NETLOC = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[^\s\[\]:/@,\\\\?#]{1,255})(?::([0-9]{1,5}))?", re.IGNORECASE)
URL = re.compile(r"(?:(https?)://)?([^/]{1,300})/?", re.IGNORECASE)
PORTS = {"http": "80", "https": "443"}

Place = tuple[str, str]
"""A host in lower case, and a port."""


def refusal_of(headers: Mapping[str, str], local: str, own: Collection[str]) -> str | None:
    """Return why a request is refused; None when it may pass. What is not written as a browser writes it is foreign.

    :param headers: by lower-case name
    :param local: IP address that the connection was made to
    :param own: URLs or names under which clients reach the sandbox as well
    """
    asked = headers.get("host", "")
    place, known = _place(asked), {_place_of(each) for each in own}
    if place is None or not (_is_this_machine(place[0], local) or place[0] in {each[0] for each in known if each}):
        return f"Host {asked!r} is no address of this sandbox. Name that address with --public-url if it should be one."
    origin = headers.get("origin")
    if origin is not None and ("://" not in origin or _place_of(origin) not in {place, *known} - {None}):
        return f"Pages of {origin!r} may not use this sandbox."
    return None


def _place_of(url: str) -> Place | None:
    found = URL.fullmatch(url)
    return None if found is None else _place(found[2], (found[1] or "http").lower())


def _place(netloc: str, scheme: str = "http") -> Place | None:
    found = NETLOC.fullmatch(netloc)
    return None if found is None else (found[1].lower().strip("[]"), found[2] or PORTS[scheme])


def _is_this_machine(name: str, local: str) -> bool:
    if name == "localhost":
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or name == local
