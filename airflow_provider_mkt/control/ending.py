# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Ending at the vendors what was launched before a stop: each launch with a confirmed status, or named."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from airflow.sdk.exceptions import AirflowException
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_mkt import clock
from airflow_provider_mkt.control.catching_up import catch_up
from airflow_provider_mkt.exceptions import ApiError
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.state.launches.launch import ACCEPTED, DONE, LEAVING, STOPPED, UNKNOWN, Launch
from airflow_provider_mkt.state.launches.register import Register
from airflow_provider_mkt.state.launches.stops import SCOPE, Stop
from airflow_provider_mkt.vendors import installed_vendors
from airflow_provider_mkt.waiting.base import Watch

log = logging.getLogger(__name__)

WRITER = "airflow mkt stop"
CANNOT, UNCONFIRMED, IN_FLIGHT = "cannot be stopped", "not confirmed", "in flight"
OPEN = (ACCEPTED, DONE, UNKNOWN, LEAVING)
MAX_LAUNCHES = 100_000
PAUSE = 5.0
"""Seconds before what could not be confirmed is tried again."""
IN_FORCE = 5.0
"""Seconds after which a stop holds in all processes."""
MAX_WAIT = 10.0
"""Seconds that one request may wait for the rate budget before others have their turn."""


@dataclass(frozen=True)
class Ended:
    """What became of one launch.

    :param launch: the launch
    :param state: ``stopped``, or one of the words above
    :param told: what the vendor confirmed, or why not
    """

    launch: Launch
    state: str
    told: str

    @property
    def final(self) -> bool:
        """Whether there is nothing to try again."""
        return self.state in (STOPPED, CANNOT)


def end_all(
    stop: Stop,
    patience: float,
    say: Callable[[str], None],
    register: Register | None = None,
    most: int = MAX_LAUNCHES,
) -> dict[str, Ended]:
    """End what a stop is for, and try again what could not be confirmed.

    :param stop: which launches
    :param patience: seconds after which what is not confirmed is left to the next call
    :param say: told of each round that has to be repeated
    :param most: how many are looked at, the latest first
    :return: what became of each launch, by its name
    :raises StoreError: when the store is away, patience is over and nothing was seen: what is live is not known
    """
    register = register or Register()
    ended: dict[str, Ended] = {}
    began = clock.monotonic()
    deadline = began + patience
    while True:
        try:
            _catch_up(stop, register, say, in_force=clock.monotonic() - began >= IN_FORCE)
            wanted = {name: getattr(stop, name) or None for name in SCOPE}
            found = register.find(states=OPEN, limit=most, **wanted)
            # What was in flight and is not open any more did not happen.
            ended = {name: each for name, each in ended.items() if each.final}
            ended.update(_round([each for each in found if each.launch not in ended], register))
            rest = sum(not each.final for each in ended.values())
            problem = f"{rest} launches are not confirmed yet" if rest else ""
        except StoreError as error:
            if not ended and clock.monotonic() + PAUSE > deadline:
                raise
            problem = str(error)
        if not problem or clock.monotonic() + PAUSE > deadline:
            return ended
        say(f"{problem}; trying again in {PAUSE:.0f} s.")
        clock.sleep(PAUSE)


def _catch_up(stop: Stop, register: Register, say: Callable[[str], None], *, in_force: bool) -> None:
    """Have the register know what the tasks have launched.

    :raises StoreError: when the store fails
    """
    try:
        catch_up(stop, register, in_force=in_force)
    except (SQLAlchemyError, AirflowException) as error:
        say(
            f"The records in Airflow's database cannot be read ({type(error).__name__}): what began while the shared "
            "store was away is not ended."
        )


def _round(launches: list[Launch], register: Register) -> dict[str, Ended]:
    """Try once to end each launch; connections do not wait for one another."""
    by_connection: dict[str, list[Launch]] = defaultdict(list)
    for each in launches:
        by_connection[each.conn_id].append(each)
    if not by_connection:
        return {}
    with ThreadPoolExecutor(len(by_connection)) as pool:
        rounds = pool.map(lambda group: [_end(each, register) for each in group], by_connection.values())
        return {each.launch.launch: each for group in rounds for each in group}


def _end(launch: Launch, register: Register) -> Ended:
    if launch.state == LEAVING:
        return Ended(launch, IN_FLIGHT, "it left before the stop, and there is no answer yet")
    if launch.state == UNKNOWN:
        return Ended(launch, UNCONFIRMED, f"its answer was lost; look for {launch.reference} at {launch.vendor}")
    try:
        told = _cancelled(launch)
    except (ApiError, AirflowException) as error:
        return Ended(launch, UNCONFIRMED, str(error))
    except Exception as error:  # what a vendor's ids or answer make of one launch must not keep the others live
        log.exception("Launch %s could not be ended.", launch.launch)
        return Ended(launch, UNCONFIRMED, f"{type(error).__name__}; look for {launch.reference} at {launch.vendor}")
    if told is None:
        return Ended(launch, CANNOT, f"{launch.vendor} has no request for that; look for {launch.reference} there")
    try:
        register.note(replace(launch, state=STOPPED, writer=WRITER))
    except StoreError as error:
        return Ended(launch, UNCONFIRMED, f"{told}, but the register does not show it: {error}")
    return Ended(launch, STOPPED, told)


def _cancelled(launch: Launch) -> str | None:
    """End a launch at its vendor, and return what the vendor confirmed; None when there is no way.

    :raises ApiError: when it is not confirmed
    """
    vendor = next((each for each in installed_vendors() if each.name == launch.vendor), None)
    if vendor is None:
        return None
    to_stop = getattr(import_module(f"{vendor.package}.waiting.{vendor.conn_type}"), "to_stop", None)
    receipt: dict[str, Any] = json.loads(launch.vendor_ids or "{}")
    watch: Watch | None = to_stop(receipt) if to_stop else None
    conversation = watch.cancel() if watch else None
    if watch is None or conversation is None:
        return None
    client = watch.hook(launch.conn_id).client
    return str(client.redactor.text(client.run(conversation, longest=MAX_WAIT)))
