# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One launch: what was sent, what the vendor said, what happened to it, and the ways on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timezone
from typing import Any, NamedTuple

from airflow.models import Log

from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.control.ending import OPEN
from airflow_provider_mkt.control.records import AirflowDatabase, Kept, kept
from airflow_provider_mkt.control.settling import Settling, SettlingError, settling
from airflow_provider_mkt.pages.audit import EVENT, entries
from airflow_provider_mkt.pages.visit import RefusedError, Shown, Visit
from airflow_provider_mkt.state.launches.launch import Launch
from airflow_provider_mkt.state.launches.listing import UNSETTLED
from airflow_provider_mkt.state.launches.register import Register
from airflow_provider_mkt.submission.deployment import deployment
from airflow_provider_mkt.submission.record import NONE, Record
from airflow_provider_mkt.submission.summary import is_open, read

WRITER = "the control room"
DONE = {
    "adopted": "Adopted. {following}: it attaches to that.",
    "forgotten": "Forgotten. {following}: it submits again.",
}
"""What is said after something was done."""


class Event(NamedTuple):
    """A line of a launch's history.

    :param at: when, in Unix time
    :param what: what happened
    :param by: who or what did it
    """

    at: float
    what: str
    by: str = ""


def show(visit: Visit) -> Shown:
    """Show one launch."""
    launch = found(visit)
    there = kept(launch)
    record = read(there.value)
    return Shown(
        "launch.html",
        {
            "launch": launch,
            "unsettled": UNSETTLED,
            "task": there,
            "links": _links(visit, there),
            "ids": _ids(launch),
            "sent": "" if record is None else _pretty(record.body),
            "said": [] if record is None else _said(record),
            "record": record,
            "history": sorted(_history(launch, record), reverse=True),
            "live": launch.state in OPEN,
            "may_settle": visit.may.may_settle(launch.dag_id),
            "may_stop": visit.may.may_stop(launch.dag_id),
            "closed": _closed(launch, there),
            "id_help": _id_help(record),
            "did": DONE.get(visit.asked("did"), "").format(following=_following(there)),
        },
    )


def found(visit: Visit) -> Launch:
    """Return the launch that the address names.

    :raises RefusedError: when there is none that the person may see: both look the same
    """
    name = str(visit.request.path_params["launch"])
    launches = [each for each in Register().starting_with(name) if each.launch == name]
    if not launches or launches[0].deployment != deployment() or not visit.may.may_see(launches[0].dag_id):
        raise RefusedError(404, "There is no such launch, or you may not see it.")
    return launches[0]


def to_settle(launch: Launch, there: Kept) -> Settling:
    """Return what a person settles.

    :raises SettlingError: when it cannot be settled, or need not be
    """
    record = read(there.value)
    if launch.state not in UNSETTLED and not (record and is_open(record)):
        raise SettlingError("It is settled: nothing about it is open.")
    if not there.task_state and there.value is None:
        raise SettlingError("Airflow no longer has the run, so there is no task that would go on from it.")
    if there.value is None:
        raise SettlingError("Airflow no longer has its record: the task has submitted again, or it was deleted.")
    return settling(AirflowDatabase(), there.instance, there.number, there.value, WRITER)


def _closed(launch: Launch, there: Kept) -> str:
    """Say why a launch cannot be settled here; "" when it can."""
    try:
        to_settle(launch, there)
    except SettlingError as error:
        return str(error)
    return ""


def _following(there: Kept) -> str:
    if there.task_state == "up_for_retry":
        return f"The next try of {there.instance.task_id} comes by itself"
    return f"Clear the task {there.instance.task_id} now"


def _links(visit: Visit, there: Kept) -> dict[str, str]:
    """Return the addresses of the task and the run in Airflow; none when they were deleted."""
    if not there.task_state:
        return {}
    to_run = visit.run_page(*there.instance[:2])
    to_task = visit.task_page(*there.instance)
    return {"Task and log": to_task, "Record": f"{to_task}/task-state-store", "Run": to_run}


def _ids(launch: Launch) -> list[tuple[str, str]]:
    """Return the vendor's ids, with their names."""
    if not launch.vendor_ids:
        return []
    try:
        ids = json.loads(launch.vendor_ids)
    except ValueError:
        return [("ids", f"{launch.vendor_ids}…")]
    if not isinstance(ids, dict):
        return [("id", _one_line(ids))]
    return [(str(name), _one_line(value)) for name, value in ids.items() if value not in (None, "", [], {})]


def _one_line(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _said(record: Record) -> list[str]:
    lines = [f"Receipt: {_pretty(record.receipt)}"] if record.receipt else []
    return [*lines, *record.evidence, *([record.problem] if record.problem else [])]


def _pretty(data: Any) -> str:
    """Return data for people, without secrets and personal data."""
    return json.dumps(Redactor().data(data), indent=2, ensure_ascii=False)


def _history(launch: Launch, record: Record | None) -> Iterator[Event]:
    by = f"try {record.try_number}" if record and record.try_number else ""
    yield Event(launch.begun_at, "Came to the fence for the first time", launch.triggered_by)
    yield Event(launch.changed_at, f"Register: {launch.state}", launch.writer if " " in launch.writer else "")
    if record is not None:
        yield Event(record.intent_at, "Written down before sending", by)
        moments = {
            "The request may have left": record.sent_at,
            "Its answer was missed": record.doubt_at,
            "The vendor had accepted it": record.accepted_at,
        }
        yield from (Event(at, what, by) for what, at in moments.items() if at)
    for entry in entries(launch):
        yield _entered(entry)


def _entered(entry: Log) -> Event:
    at = entry.dttm.replace(tzinfo=entry.dttm.tzinfo or timezone.utc).timestamp() if entry.dttm else 0.0
    try:
        why = json.loads(entry.extra or "{}").get("why", "")
    except ValueError:
        why = ""
    what = entry.event.removeprefix(EVENT).replace("_", " ").capitalize()
    return Event(at, f"{what}: {why}" if why else what, str(entry.owner_display_name or entry.owner or ""))


def _id_help(record: Record | None) -> str:
    """Say which ids a person has to enter."""
    if record is None:
        return ""
    if record.parts:
        return f"{record.parts} ids, one for each part in its order; {NONE} for a part that is not there"
    return "one id, or several" if record.id_field.endswith("s") else "one id"
