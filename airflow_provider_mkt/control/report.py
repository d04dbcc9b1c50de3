# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A summary for people without Airflow: one HTML file that needs nothing else, and that names nobody."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow_provider_mkt.client.durations import DAY
from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.control.used_caps import used_caps
from airflow_provider_mkt.state.budgets.shared import snapshot
from airflow_provider_mkt.state.database.shared import store
from airflow_provider_mkt.state.launches import listing
from airflow_provider_mkt.state.launches.caps import amount_of
from airflow_provider_mkt.state.launches.launch import Launch
from airflow_provider_mkt.state.launches.listing import UNSETTLED, Wanted
from airflow_provider_mkt.state.launches.register import Register
from airflow_provider_mkt.state.launches.stops import Stops
from airflow_provider_mkt.submission.deployment import deployment
from airflow_provider_mkt.submission.spending import day_zone
from airflow_provider_mkt.submission.summary import in_order

TEMPLATE = Path(__file__).with_name("report.html")
AHEAD = timedelta(days=14)
MOST = 10_000
LISTED = 100


@dataclass(frozen=True)
class Line:
    """A launch in the summary.

    :param what: in plain words, without secrets and personal data
    :param vendor: the vendor's name
    :param state: how it stands
    :param amount: what it costs, for people
    :param time: when it goes live, or when it left
    """

    what: str
    vendor: str
    state: str
    amount: str
    time: str


def html(days: int) -> str:
    """Return the summary.

    :param days: how far back launches are counted
    :raises StoreError: when the store fails
    """
    from jinja2 import Environment

    zone, here, used, register = day_zone(), deployment(), store(), Register()
    at = datetime.fromtimestamp(used.now(), zone)
    found = [each for each in register.find(limit=MOST, since=at.timestamp() - days * DAY) if each.deployment == here]
    dag_ids = used.run(lambda connection: listing.dags(connection, here))
    wanted = Wanted(dag_ids, here)
    ahead = (
        used.run(lambda connection: listing.live_between(connection, wanted, at, at + AHEAD, MOST)) if dag_ids else []
    )
    planned = [(moment, each) for each in ahead if (moment := _planned(each, zone)) and at <= moment < at + AHEAD]
    open_now = [each for each in register.find(states=UNSETTLED, limit=MOST) if each.deployment == here]
    hidden = Redactor()

    def line(launch: Launch, moment: datetime) -> Line:
        amount = "" if launch.amount is None else f"{amount_of(launch.amount)} {launch.currency}".rstrip()
        what = hidden.text(launch.what) or "launch"
        return Line(what, launch.vendor, launch.state, amount, f"{moment:%Y-%m-%d %H:%M}")

    values: dict[str, Any] = {
        "at": at,
        "days": days,
        "deployment": here,
        "stops": [each.scope for each in Stops().in_force()],
        "vendors": _by_vendor(found),
        "open": [line(each, datetime.fromtimestamp(each.begun_at, zone)) for each in open_now[:LISTED]],
        "planned": [line(each, moment) for moment, each in sorted(planned, key=lambda one: one[0])[:LISTED]],
        "caps": [(whose, use) for whose, use in used_caps() if use.cap.period in ("day", "month")],
        "quiet": sum(1 for use in snapshot() if use.quiet),
    }
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, finalize=in_order)
    environment.filters["money"] = amount_of
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(values)


def _planned(launch: Launch, zone: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(launch.goes_live.replace("Z", "+00:00")).astimezone(zone)
    except (ValueError, OverflowError):
        return None


def _by_vendor(launches: list[Launch]) -> list[tuple[str, Counter[str], str]]:
    """Return each vendor's launches by state, and what they have spent."""
    states: dict[str, Counter[str]] = {}
    spent: dict[str, Counter[str]] = {}
    for each in launches:
        states.setdefault(each.vendor, Counter())[each.state] += 1
        if each.counted_at is not None and each.amount:
            spent.setdefault(each.vendor, Counter())[each.currency] += each.amount
    return [
        (vendor, count, ", ".join(f"{amount_of(sum_)} {name}" for name, sum_ in sorted(spent.get(vendor, {}).items())))
        for vendor, count in sorted(states.items())
    ]
