# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What is to be done about the subscriptions for one address, as a pure function of what there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class Subscription:
    """One subscription for our address at the vendor.

    :param webhook_id: the vendor's id
    :param address: the address that the vendor shows, or None; not shown by ``repr``: it may end with a token
    :param events: what it is for; None when the vendor does not show that and nothing is remembered
    :param active: whether there are deliveries
    :param usable: whether its secret is known here, or none is needed
    :param retired: whether it is being replaced
    """

    webhook_id: str
    address: str | None = field(repr=False)
    events: frozenset[str] | None
    active: bool = True
    usable: bool = True
    retired: bool = False


@dataclass(frozen=True)
class Plan:
    """What to do.

    :param keep: the subscription that stays; None when one has to be created
    :param why: why one has to be created, or what is wrong with the one that stays; "" when all is well
    :param surplus: the subscriptions to delete, after that
    """

    keep: Subscription | None
    why: str
    surplus: tuple[Subscription, ...]


def plan(mine: Sequence[Subscription], address: str, events: frozenset[str], *, updatable: bool) -> Plan:
    """Decide which subscription stays.

    Whoever plans for the same list decides the same, so that two that do not know of each other agree.

    :param mine: the subscriptions for our address
    :param address: where deliveries are to go
    :param events: what for
    :param updatable: whether the vendor can change a subscription
    """
    ordered = sorted(mine, key=lambda each: (each.retired, each.webhook_id))
    # One that is being replaced may be listed although it is gone.
    usable = [each for each in ordered if each.usable and not each.retired]
    fitting = [each for each in usable if not faults(each, address, events)]
    candidates = fitting or (usable if updatable else [])
    keep = candidates[0] if candidates else None
    surplus = tuple(each for each in ordered if each is not keep)
    if keep is not None:
        return Plan(keep, faults(keep, address, events), surplus)
    unknown = [each.webhook_id for each in ordered if not each.usable and not each.retired]
    if not usable:
        why = f"the secret of {', '.join(unknown)} is not known here" if unknown else "there is none"
        return Plan(None, why, surplus)
    return Plan(None, f"{usable[0].webhook_id}: {faults(usable[0], address, events)}", surplus)


def faults(subscription: Subscription, address: str, events: frozenset[str]) -> str:
    """Say what is wrong with a subscription; "" when nothing is."""
    found = []
    if subscription.address is not None and not same_address(subscription.address, address):
        found.append("its address ends with another token")
    if subscription.events != events:
        found.append("its events are others")
    if not subscription.active:
        found.append("it is inactive")
    return ", ".join(found)


def same_address(one: str, other: str) -> bool:
    """Tell whether two addresses are the same, however a vendor writes them."""
    return normal(one) == normal(other)


def normal(address: str) -> str:
    """Return an address in one of its spellings: lower-case host, no standard port."""
    try:
        parts = urlsplit(address)
        port = "" if parts.port in (None, PORTS.get(parts.scheme)) else f":{parts.port}"
    except ValueError:
        return address
    return parts._replace(netloc=f"{(parts.hostname or '').lower()}{port}", path=parts.path or "/").geturl()
