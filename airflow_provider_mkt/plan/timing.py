# Licensed under the Apache License, Version 2.0; see LICENSE.
"""How long the rate limits keep a launch: by the same sliding windows that its requests will go through."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_mkt.client.durations import HOUR, MINUTE
from airflow_provider_mkt.client.endpoint import Priority
from airflow_provider_mkt.plan.requests import PlannedRequest
from airflow_provider_mkt.state.budgets.sliding_window import Window, place


def leaves_at(requests: Sequence[PlannedRequest]) -> list[float]:
    """Return how many seconds after the first request each one may leave, by the rate limits alone.

    They are taken to go one after the other, with nobody else using the account. The vendors' own time, and the reads
    before and between the requests, come on top.

    :param requests: in their order
    """
    windows: dict[tuple[str, ...], Window] = {}
    now, found = 0.0, []
    for request in requests:
        mine = [windows.setdefault(name, Window(limit)) for name, limit in request.limits.items()]
        now = place(mine, now, Priority.LAUNCH) if mine else now
        for window in mine:
            window.add(now)
        found.append(now)
    return found


def duration(seconds: float) -> str:
    """Return a duration for people, such as ``under a second``, ``45 s``, ``2 min 14 s`` or ``1 h 5 min``.

    :param seconds: how long it is
    """
    whole = round(seconds)
    if whole < 1:
        return "under a second"
    if whole < MINUTE:
        return f"{whole} s"
    minutes, rest = divmod(whole, int(MINUTE))
    if whole < HOUR:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
