# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Deliveries of webhooks: received and verified, waiting, handed over; and handing them over again."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.pages.audit import note
from airflow_provider_mkt.pages.visit import GoTo, RefusedError, Shown, Visit
from airflow_provider_mkt.state.inbox import STATES, Inbox, Row

ON_A_PAGE = 50
PARAMETERS = ("state", "conn_id", "event")
SAID = {
    "pending": "waiting",
    "handed over": "handed over to Airflow, as an event of its asset",
    "no consumer": "no DAG is scheduled on its asset",
    "unreadable": "no present Fernet key decrypts it",
}


def show_list(visit: Visit) -> Shown:
    """Show deliveries, the newest first."""
    _check(visit)
    asked = {name: visit.asked(name) for name in PARAMETERS}
    if asked["state"] not in ("", *STATES):
        raise RefusedError(400, f"There is no state {asked['state']!r}; there are {', '.join(STATES)}.")
    before = visit.number("before")
    inbox = Inbox()
    states = [asked["state"]] if asked["state"] else STATES
    rows = inbox.find(asked["conn_id"], asked["event"], states, ON_A_PAGE + 1, before or 0)
    query = {name: value for name, value in asked.items() if value}
    counts = inbox.counts()
    return Shown(
        "deliveries.html",
        {
            "rows": rows[:ON_A_PAGE],
            "asked": asked,
            "states": [(each, counts.get(each, 0), urlencode({**query, "state": each})) for each in STATES],
            "all": (sum(counts.values()), urlencode({k: v for k, v in query.items() if k != "state"})),
            "said": SAID,
            "next": urlencode({**query, "before": rows[ON_A_PAGE - 1].id}) if len(rows) > ON_A_PAGE else "",
        },
    )


def show(visit: Visit) -> Shown:
    """Show one delivery, without secrets and personal data."""
    _check(visit)
    row = _found(visit)
    payload = Inbox().payload(row)
    shown = "" if payload is None else json.dumps(Redactor().data(payload), indent=2, ensure_ascii=False)
    return Shown("delivery.html", {"row": row, "payload": shown, "said": SAID, "may_replay": visit.may.may_replay()})


def replay(visit: Visit) -> Shown | GoTo:
    """Let a delivery be handed over again."""
    _check(visit)
    row = _found(visit)
    if not visit.may.may_replay():
        raise RefusedError(403, "You may not create asset events.")
    if not visit.sure:
        return visit.ask(
            title=f"Hand over delivery {row.id} again?",
            says=[
                f"Airflow's API server makes another event of {row.event} for connection {row.conn_id}.",
                "DAGs that are scheduled on its asset start once more, and tasks that wait for it go on.",
            ],
            button="Hand over again",
            back=f"/deliveries/{row.id}",
        )
    Inbox().replay(row.id)
    note(visit.may, "replay", why=f"delivery {row.id} of {row.conn_id}", about=row.event)
    return GoTo(f"/deliveries/{row.id}")


def _found(visit: Visit) -> Row:
    number = str(visit.request.path_params["number"])
    row = Inbox().get(int(number)) if number.isdecimal() and len(number) < 18 else None
    if row is None:
        raise RefusedError(404, f"There is no delivery {number}; deliveries are kept for 7 days.")
    return row


def _check(visit: Visit) -> None:
    if not visit.may.may_see_deliveries():
        raise RefusedError(403, "You may not read assets, and a delivery becomes an event of one.")
