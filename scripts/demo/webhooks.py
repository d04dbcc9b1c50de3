# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The part of the demo in which a vendor calls Airflow: a subscription, a delivery, and the DAG run that it starts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from scripts.demo.console import Screen
from scripts.demo.http import call
from scripts.demo.problems import DemoError
from scripts.demo.session import Session

SUBSCRIBING = "mkt_webhooks"
STARTED = "mkt_on_report_ready"
EVENT = "report.ready"
RUN_TIMEOUT = 60.0


def subscribe(session: Session) -> None:
    """Start the DAG that subscribes at the vendors, and let the one run that is to be started by them."""
    for dag_id in (SUBSCRIBING, STARTED):
        session.wait_for_dag(dag_id)
    session.api.resume(STARTED)
    session.api.trigger(SUBSCRIBING, {})


def show(session: Session, screen: Screen) -> None:
    """Wait for the run that a webhook started, and say how it came to that.

    :raises DemoError: nothing was delivered, or no run began and succeeded
    """

    def run() -> Mapping[str, Any] | None:
        session.check()
        found = session.api.runs(STARTED)
        return found[0] if found and found[0]["state"] in ("success", "failed") else None

    ended = screen.wait(f"{STARTED}, which a webhook starts", run, RUN_TIMEOUT, "webhook")
    deliveries = [
        each
        for each in call("GET", f"{session.addresses.sandbox}/__sandbox__/deliveries")
        if each["event"] == EVENT and each["status"] == "delivered"
    ]
    if not deliveries or ended["state"] != "success":
        raise DemoError(f"{len(deliveries)} webhooks {EVENT} were delivered, and {STARTED} was a {ended['state']}")
    screen.say(story(deliveries[0], ended), "bold green")


def story(delivery: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    """Return in one line how a delivery became a run."""
    took = (_moment(run["start_date"]) - _moment(delivery["created_at"])).total_seconds()
    return (
        f"{delivery['vendor']} called {delivery['url']} with {delivery['event']}; "
        f"{took:.1f} s later {STARTED} was running, and it ended in {run['state']}"
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
