# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Letting a launch begin: one transaction at the fence, right before the request leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timezone, tzinfo

from sqlalchemy import Connection

from airflow_provider_mkt.state.database.shared import store
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.launches import approvals
from airflow_provider_mkt.state.launches.caps import Cap, check_caps, lock
from airflow_provider_mkt.state.launches.launch import Launch
from airflow_provider_mkt.state.launches.register import KEPT, PRUNED_AT_ONCE, now, prune, write
from airflow_provider_mkt.state.launches.stops import check_stops

PRUNING = "00"
"""End of the names of those launches, one in 256, that old ones are deleted with."""


def admit(
    launch: Launch,
    get_store: Callable[[], Store] = store,
    *,
    caps: Sequence[Cap] = (),
    zone: tzinfo = timezone.utc,
    approved: str = "",
) -> None:
    """Enter a launch that is about to leave into the register.

    It may be done again for the same launch: a later try, or the same request sent again, takes the row over.

    :param launch: the launch
    :param caps: the caps that its money has to fit into
    :param zone: in which days and months begin
    :param approved: digest that somebody must have approved for it; "" when nobody need have
    :param get_store: returns the store
    :raises LaunchRefusedError: when it may not begin
    :raises ApprovalWantedError: when nobody has approved exactly this
    :raises StoreError: when the store fails
    """
    used = get_store()

    def work(connection: Connection) -> None:
        check_stops(connection, launch)
        if launch.launch.endswith(PRUNING):
            prune(connection, used.clock)
            approvals.prune(connection, used.clock, KEPT, PRUNED_AT_ONCE)
        by = approvals.claim(connection, launch, approved) if approved else ""
        lock(connection, launch.currency, caps)
        at = now(connection, used.clock)
        check_caps(connection, launch, caps, at, zone)
        write(connection, replace(launch, counted_at=at, approved_by=by), used.clock)

    used.run(work, durable=bool(caps or approved))
