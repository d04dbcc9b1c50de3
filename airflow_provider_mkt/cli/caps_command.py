# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt caps``: how far the caps on money are used, and by which DAGs."""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from sqlalchemy import text

from airflow_provider_mkt.cli.console import print_rows
from airflow_provider_mkt.cli.launches_command import refusals
from airflow_provider_mkt.hooks.account import account_of
from airflow_provider_mkt.state.database.shared import store
from airflow_provider_mkt.state.launches.caps import Cap, Use, amount_of, use_of
from airflow_provider_mkt.state.launches.register import now
from airflow_provider_mkt.submission.spending import account_caps, configured_caps, day_zone
from airflow_provider_mkt.vendors import installed_vendors

_SEEN = text("SELECT DISTINCT conn_id FROM mkt_launch WHERE currency <> '' ORDER BY conn_id")


def list_caps(args: argparse.Namespace) -> None:
    """Print a line for each cap: of all accounts, and of the connections that have spent, or that are named."""
    with refusals():
        used = store()
        seen = [row.conn_id for row in used.run(lambda connection: connection.execute(_SEEN).all())]
        caps: list[tuple[str, Cap]] = [("all accounts", cap) for cap in configured_caps()]
        for conn_id in args.conn_id or seen:
            caps += [(conn_id, cap) for cap in _caps_of(conn_id, named=bool(args.conn_id))]
        zone = day_zone()
        uses = used.run(
            lambda connection: [
                (whose, use_of(connection, cap, now(connection, used.clock), zone)) for whose, cap in caps
            ]
        )
    print_rows([_row(whose, use, zone) for whose, use in uses], args.output)


def _caps_of(conn_id: str, *, named: bool) -> tuple[Cap, ...]:
    """Return the caps of a connection. One that is gone since it was used has none."""
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        if named:
            raise SystemExit(f"There is no connection {conn_id!r}.") from None
        return ()
    vendor = next((each for each in installed_vendors() if each.conn_type == connection.conn_type), None)
    return () if vendor is None else account_caps(account_of(vendor, connection))


def _row(whose: str, use: Use, zone: Any) -> dict[str, Any]:
    cap = use.cap
    counted = cap.period in ("day", "month")
    resets = "" if use.resets is None else datetime.fromtimestamp(use.resets, zone).isoformat(" ", "minutes")
    return {
        "for": whose,
        "a": cap.period,
        "cap": f"{amount_of(cap.limit)} {cap.currency}",
        "used": amount_of(use.spent) if counted else "",
        "left": amount_of(use.left) if counted else "",
        "resets": resets,
        "used_by": ", ".join(f"{dag_id} {amount_of(spent)}" for dag_id, spent in use.by),
    }
