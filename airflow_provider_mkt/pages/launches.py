# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The list of launches: what is not settled first, then the newest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection

from airflow_provider_mkt.pages.rendering import NAMED
from airflow_provider_mkt.pages.visit import RefusedError, Shown, Visit
from airflow_provider_mkt.pages.waiting import questions
from airflow_provider_mkt.state.database.shared import store
from airflow_provider_mkt.state.launches import listing
from airflow_provider_mkt.state.launches.launch import STATES, Launch
from airflow_provider_mkt.state.launches.listing import Key, Wanted
from airflow_provider_mkt.submission.deployment import deployment
from airflow_provider_mkt.vendors import installed_vendors

ON_A_PAGE = 50
MAX_TEXT = 200
"""Characters of a text to look for: each row is compared with it, while SQLite lets nobody write."""
PARAMETERS = ("state", "vendor", "dag", "since", "until", "text")
"""Parameters of the address that narrow the list."""


@dataclass(frozen=True)
class Found:
    """What the list shows.

    :param launches: one page of them
    :param more: whether another page follows
    :param counts: how many there are in each state, with the other filters
    """

    launches: list[Launch]
    more: bool
    counts: Mapping[str, int]


def show_list(visit: Visit) -> Shown:
    """Show the launches that a person may see."""
    asked = {name: visit.asked(name) for name in PARAMETERS}
    if len(asked["text"]) > MAX_TEXT:
        raise RefusedError(400, f"A text to look for has at most {MAX_TEXT} characters.")
    used = store()
    here = deployment()
    launching = used.run(lambda connection: listing.dags(connection, here))
    readable = sorted(visit.may.readable(launching))
    wanted = Wanted(
        dag_ids=readable,
        deployment=here,
        states=_states(asked["state"]),
        contains=asked["text"],
        named={
            "vendor": asked["vendor"],
            "dag_id": asked["dag"],
            "since": _day(visit, "since", 0),
            "until": _day(visit, "until", 1),
        },
    )
    after = _key(visit.asked("after"))
    found = used.run(lambda connection: _find(connection, wanted, after))
    query = {name: value for name, value in asked.items() if value}
    values: dict[str, Any] = {
        "launches": found.launches,
        "named": NAMED,
        "asked": asked,
        "vendors": [each.name for each in installed_vendors()],
        "dags": readable,
        "states": [
            (state, found.counts.get(state, 0), urlencode({**query, "state": state}))
            for state in STATES
            if found.counts.get(state) or state == asked["state"]
        ],
        "all": (sum(found.counts.values()), urlencode({k: v for k, v in query.items() if k != "state"})),
        "unsettled": listing.UNSETTLED,
        "waiting": [] if query or after else questions(visit),
        "next": urlencode({**query, "after": _written(listing.key_of(found.launches[-1]))}) if found.more else "",
        "first": "" if after is None else urlencode(query),
    }
    return Shown("launches.html", values)


def _find(connection: Connection, wanted: Wanted, after: Key | None) -> Found:
    if not wanted.dag_ids:
        return Found([], False, {})
    counts = listing.counts(connection, replace(wanted, states=STATES))
    # A text is looked for row by row: not among states in which nothing has it.
    there = replace(wanted, states=[state for state in wanted.states if counts.get(state)])
    launches = listing.page(connection, there, ON_A_PAGE + 1, after)
    return Found(launches[:ON_A_PAGE], len(launches) > ON_A_PAGE, counts)


def _states(asked: str) -> tuple[str, ...]:
    if asked and asked not in STATES:
        raise RefusedError(400, f"There is no state {asked!r}; there are {', '.join(STATES)}.")
    return (asked,) if asked else STATES


def _day(visit: Visit, name: str, days: int) -> float | None:
    """Return when a day begins in the reader's time zone, or how many days later."""
    asked = visit.asked(name)
    if not asked:
        return None
    try:
        day = datetime.strptime(asked, "%Y-%m-%d").replace(tzinfo=visit.zone)
        return (day + timedelta(days=days)).timestamp()
    except (ValueError, OverflowError):
        raise RefusedError(400, f"{name!r} has to be a date such as 2026-06-08, got {asked!r}.") from None


def _written(key: Key) -> str:
    return f"{int(key.unsettled)}_{key.begun_at!r}_{key.launch}"


def _key(written: str) -> Key | None:
    if not written:
        return None
    unsettled, _, rest = written.partition("_")
    begun_at, _, launch = rest.partition("_")
    try:
        return Key(unsettled == "1", float(begun_at), launch)
    except ValueError:
        raise RefusedError(400, "The address is damaged: 'after' names no page. Begin at the first.") from None
