# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The stop switch: what is stopped, beginning a stop, ending what is live, and resuming."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from airflow_provider_mkt.control import stopping
from airflow_provider_mkt.control.ending import OPEN, end_all
from airflow_provider_mkt.pages.audit import note
from airflow_provider_mkt.pages.launch import found
from airflow_provider_mkt.pages.visit import GoTo, RefusedError, Shown, Visit
from airflow_provider_mkt.state.launches.launch import Launch
from airflow_provider_mkt.state.launches.register import Register
from airflow_provider_mkt.state.launches.stops import SCOPE, Stop, Stops, stop_of

log = logging.getLogger(__name__)

MOST = 25
"""Launches that are ended in one go, while the person waits. The page says when there are more."""
MAX_REASON = 500


def show(visit: Visit) -> Shown:
    """Show the switch, and every stop there was, the latest first."""
    stops = [each for each in reversed(Stops().all()) if not each.dag_id or visit.may.may_see(each.dag_id)]
    return Shown(
        "stop.html",
        {
            "all_stops": stops,
            "may_lift": {each.id: visit.may.may_stop(each.dag_id) for each in stops if each.lifted_at is None},
            "may_stop_all": visit.may.may_stop(),
            "vendors": stopping.vendor_names(),
            "scope": {name: visit.asked(name) for name in SCOPE},
        },
    )


def stop_launch(visit: Visit) -> Shown | GoTo:
    """Stop the run of one launch."""
    launch = found(visit)
    scope = {"dag_id": launch.dag_id, "run_id": launch.run_id}
    return _stop(visit, scope, f"/launches/{launch.launch}", launch)


def stop(visit: Visit) -> Shown | GoTo:
    """Stop what the form names."""
    scope = stopping.checked_scope({name: visit.form.get(name, "").strip() or None for name in SCOPE})
    if not any(scope.values()) and visit.form.get("everything") != "yes":
        raise RefusedError(400, "Name what to stop, or choose everything.")
    return _stop(visit, scope, "/stop")


def resume(visit: Visit) -> Shown | GoTo:
    """Lift one stop."""
    number = visit.form.get("number", "")
    lifted = next((each for each in Stops().in_force() if str(each.id) == number), None)
    if lifted is None:
        raise RefusedError(409, "This stop is not in force any more.")
    _check(visit, lifted.dag_id)
    if not visit.sure:
        return visit.ask(
            title=f"Resume {lifted.scope}?",
            says=[
                "Launches may begin again. What was paused or deleted at the vendors stays so.",
                f"It was stopped by {lifted.stopped_by}: {lifted.reason}",
            ],
            form={"number": number},
            wanted=("reason", "Why it may go on", MAX_REASON),
            button="Resume",
            back="/stop",
        )
    stopping.lift(_reason(visit), visit.may.name, [lifted.id])
    note(visit.may, "resume", why=_reason(visit), stop=lifted.id, scope=lifted.scope)
    return GoTo("/stop")


def _stop(visit: Visit, scope: Mapping[str, str], back: str, launch: Launch | None = None) -> Shown | GoTo:
    wanted = stop_of({**scope, "stopped_by": visit.may.name, "reason": visit.form.get("reason", "")[:MAX_REASON]})
    _check(visit, wanted.dag_id)
    live = _live(wanted)
    if not visit.sure:
        return visit.ask(
            title=f"Stop {wanted.scope}?",
            says=[
                f"From now on nothing begins for {wanted.scope}, until somebody resumes it.",
                _ends(live),
            ],
            form={**scope, "everything": visit.form.get("everything", "")},
            wanted=("reason", "Why", MAX_REASON),
            button="Stop",
            danger=True,
            back=back,
            launch=launch,
            concerned=[each for each in live[:MOST] if visit.may.may_see(each.dag_id)],
        )
    reason = _reason(visit)
    same = {name: scope.get(name, "") for name in SCOPE}
    if not any(same == {name: getattr(each, name) for name in SCOPE} for each in Stops().in_force()):
        if why := stopping.keep(wanted):
            log.warning("%s: the stop for %s is only in the shared store.", why, wanted.scope)
        Stops().add(scope, reason, visit.may.name)
        note(visit.may, "stop", launch, why=reason, scope=wanted.scope)
    ending = end_all(wanted, 0.0, lambda _: None, most=MOST)
    shown = {
        "wanted": wanted,
        "ended": [each for each in ending.launches.values() if visit.may.may_see(each.launch.dag_id)],
        "unread": ending.unread,
        "left": len(_live(wanted)),
        "back": back,
        "form": dict(scope),
    }
    return Shown("stopped.html", shown)


def _live(stop: Stop) -> list[Launch]:
    named: dict[str, Any] = {name: getattr(stop, name) or None for name in SCOPE}
    return Register().find(states=OPEN, limit=1_000, **named)


def _ends(live: list[Launch]) -> str:
    if not live:
        return "Nothing of it is live at a vendor."
    count = "1 launch is" if len(live) == 1 else f"{len(live)} launches are"
    return f"{count} live, and will be paused or deleted at the vendors, as far as these can do that."


def _reason(visit: Visit) -> str:
    reason = " ".join(visit.form.get("reason", "").split())[:MAX_REASON]
    if not reason:
        raise RefusedError(400, "Say why: everybody who meets the stop reads it.")
    return reason


def _check(visit: Visit, dag_id: str) -> None:
    if not visit.may.may_stop(dag_id):
        what = f"the runs of {dag_id}" if dag_id else "Airflow's variable mkt_stop"
        raise RefusedError(403, f"You may not edit {what}.")
