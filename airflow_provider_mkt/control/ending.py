# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Ending at the vendors what was launched before a stop: each launch with a confirmed status, or named."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

from airflow.sdk.exceptions import AirflowException
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_mkt import clock
from airflow_provider_mkt.control.catching_up import caught_up, enter_missed
from airflow_provider_mkt.exceptions import ApiError, ValidationError
from airflow_provider_mkt.state.errors import StoreError
from airflow_provider_mkt.state.launches.launch import (
    ACCEPTED,
    DONE,
    LEAVING,
    STOPPED,
    UNKNOWN,
    WITHOUT_EFFECT,
    Launch,
)
from airflow_provider_mkt.state.launches.register import Register
from airflow_provider_mkt.state.launches.stops import SCOPE, Stop
from airflow_provider_mkt.vendors import installed_vendors
from airflow_provider_mkt.waiting.base import Watch

log = logging.getLogger(__name__)

WRITER = "airflow mkt stop"
CANNOT, UNCONFIRMED, IN_FLIGHT = "cannot be stopped", "not confirmed", "in flight"
OPEN = (ACCEPTED, DONE, UNKNOWN, LEAVING)
FINAL = frozenset({STOPPED, CANNOT, *WITHOUT_EFFECT})
"""What nothing is to be done about any more."""
MAX_LAUNCHES = 100_000
PAUSE = 5.0
"""Seconds before what could not be confirmed is tried again."""
MAX_WAIT = 10.0
"""Seconds that one request may wait for the rate budget before others have their turn."""


@dataclass(frozen=True)
class Ended:
    """What became of one launch.

    :param launch: the launch
    :param state: ``stopped``, a state of what did not happen, or one of the words above
    :param told: what the vendor confirmed, or why not
    """

    launch: Launch
    state: str
    told: str

    @property
    def final(self) -> bool:
        """Whether there is nothing to try again."""
        return self.state in FINAL


@dataclass
class Ending:
    """What became of all that a stop is for.

    :param launches: by their names
    :param unread: why there may be more than these; "" when there is nothing else
    """

    launches: dict[str, Ended] = field(default_factory=dict)
    unread: str = ""

    @property
    def rest(self) -> int:
        """How many are not confirmed."""
        return sum(not each.final for each in self.launches.values())


def end_all(
    stop: Stop,
    patience: float,
    say: Callable[[str], None],
    register: Register | None = None,
    most: int = MAX_LAUNCHES,
) -> Ending:
    """End what a stop is for, and try again what could not be confirmed.

    What the register has is ended first. Then what it was not told of is looked for in the records of the tasks.

    :param stop: which launches
    :param patience: seconds after which what is not confirmed is left to the next call
    :param say: told of each round that has to be repeated
    :param most: how many are looked at, the latest first
    :return: what became of them
    :raises StoreError: when the store is away, patience is over and nothing was seen: what is live is not known
    """
    register = register or Register()
    ending, looked = Ending(), False
    deadline = clock.monotonic() + patience
    while True:
        try:
            _end_found(ending, stop, register, most)
            if not looked:
                entered, unreadable = enter_missed(stop, register)
                looked, ending.unread = True, _unreadable(unreadable)
                if entered:
                    continue
            problem = f"{ending.rest} launches are not confirmed yet" if ending.rest else ""
        except StoreError as error:
            if not ending.launches and clock.monotonic() + PAUSE > deadline:
                raise
            problem = str(error)
        except (SQLAlchemyError, ValidationError) as error:
            problem = f"The records in Airflow's database cannot be read ({type(error).__name__})"
        if not looked:
            ending.unread = f"{problem}: what began while the shared store was away is not known."
        if not problem or clock.monotonic() + PAUSE > deadline:
            return ending
        say(f"{problem}; trying again in {PAUSE:.0f} s.")
        clock.sleep(PAUSE)


def _unreadable(count: int) -> str:
    records = "1 record" if count == 1 else f"{count} records"
    told = f"{records} in Airflow's database cannot be read; 'airflow mkt submissions list --unsettled' names them."
    return told if count else ""


def _end_found(ending: Ending, stop: Stop, register: Register, most: int) -> None:
    """Try once to end each launch that the register has."""
    wanted = {name: getattr(stop, name) or None for name in SCOPE}
    known = ending.launches
    found = [each for each in register.find(states=OPEN, limit=most, **wanted) if not _final(known, each.launch)]
    gone = {name for name, each in known.items() if not each.final} - {each.launch for each in found}
    known.update({name: _over(each) for name, each in register.named(gone).items() if each.state in FINAL})
    known.update(_round(found, register))


def _final(known: Mapping[str, Ended], name: str) -> bool:
    return name in known and known[name].final


def _over(launch: Launch) -> Ended:
    """Say of a launch for which nothing is left to do why that is so."""
    return Ended(launch, launch.state, "it was ended meanwhile" if launch.state == STOPPED else "it did not happen")


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
    with suppress(StoreError, SQLAlchemyError):  # it is not confirmed then, and looked at again
        launch = caught_up(launch, register)
    if launch.state in FINAL:
        return _over(launch)
    if launch.state == LEAVING:
        return Ended(launch, IN_FLIGHT, f"no answer is known; look for {launch.reference} at {launch.vendor}")
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
