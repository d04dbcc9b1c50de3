# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt caps``: how far the caps on money are used, and by which DAGs."""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import Any

from airflow_provider_mkt.cli.console import print_rows
from airflow_provider_mkt.cli.launches_command import refusals
from airflow_provider_mkt.control.used_caps import used_caps
from airflow_provider_mkt.state.launches.caps import Use, amount_of
from airflow_provider_mkt.submission.spending import day_zone


def list_caps(args: argparse.Namespace) -> None:
    """Print a line for each cap: of all accounts, and of the connections that have spent, or that are named."""
    with refusals():
        found = used_caps(args.conn_id or ())
    print_rows([_row(whose, use, day_zone()) for whose, use in found], args.output)


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
