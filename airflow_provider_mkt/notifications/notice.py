# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What people are told of a launch. All of it is data: no template, no markup, no secret."""

from __future__ import annotations

import html
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.exceptions import ApiError, CapReachedError, MalformedResponseError, OutcomeUnknownError
from airflow_provider_mkt.links.submission import SubmissionLink

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_mkt.submission.record import Record

LIVE, FAILED, UNSETTLED, APPROVAL, CAP = "live", "failed", "unsettled", "approval", "cap"
EVENTS = (LIVE, FAILED, UNSETTLED, APPROVAL, CAP)
"""``live``: a task that launches or waits has succeeded. ``failed``: it has failed, and nothing is in doubt.
``unsettled``: it has failed, and a person has to find out whether it happened. ``approval``: a person is asked.
``cap``: it has failed, because a cap on money has no room for it."""
TITLES = {
    LIVE: "{what} is done",
    FAILED: "{what} has failed",
    UNSETTLED: "{what} may or may not have happened",
    APPROVAL: "{what} waits for an approval",
    CAP: "{what} was not launched: a cap is reached",
}
MAX_SAID = 1_000
"""Characters of an error that are told."""


@dataclass(frozen=True)
class Notice:
    """What there is to tell, as ``{{ mkt }}`` in the templates of a notifier.

    :param event: one of :data:`EVENTS`
    :param title: one line, for a subject
    :param vendor: the vendor's name; "" for a task of another provider, such as an approval
    :param amount: what the launch may spend, such as "1,500.00 USD"; "" when it names none
    :param time: when it was submitted, in UTC; "" when it was not
    :param reference: what to look for at the vendor
    :param ids: the vendor's ids
    :param link: page of the task in Airflow's UI
    :param command: what to type to see it
    :param said: the error's words; "" when there is none
    """

    event: str
    title: str
    vendor: str = ""
    amount: str = ""
    time: str = ""
    reference: str = ""
    ids: list[Any] = field(default_factory=list)
    link: str = ""
    command: str = ""
    said: str = ""

    @property
    def lines(self) -> list[str]:
        """Everything that is known, a line each: a vendor's words begin no line of their own."""
        facts = {
            "Vendor": self.vendor,
            "Amount": self.amount,
            "Submitted": self.time,
            "Reference": self.reference,
            "Ids": ", ".join(map(str, self.ids)),
            "Said": self.said,
            "Link": self.link,
            "Command": self.command,
        }
        return [f"{name}: {' '.join(value.split())}" for name, value in facts.items() if value]

    @property
    def text(self) -> str:
        """The title and all facts, as plain text."""
        return "\n".join([self.title, *self.lines])

    @property
    def slack(self) -> str:
        """The same for Slack, which reads ``<!channel>`` as a call to all and ``<https://…|text>`` as a link.

        Only these three signs are to be escaped: https://docs.slack.dev/messaging/formatting-message-text/#escaping
        """
        return html.escape(self.text, quote=False)

    @property
    def html(self) -> str:
        """The same as HTML, in which nothing of the data is markup."""
        items = "".join(f"<li>{html.escape(line)}</li>" for line in self.lines)
        return f"<p>{html.escape(self.title)}</p><ul>{items}</ul>"


def notice_of(context: Context | Mapping[str, Any]) -> Notice:
    """Return what there is to tell of a task.

    :param context: of the task; without a state store, as in callbacks of the DAG processor, less is known
    """
    ti, task, error = context.get("ti"), context.get("task"), context.get("exception")
    number, record = _record(context)
    event = _event(ti, task, error, record)
    name = getattr(ti, "task_id", None) or getattr(context.get("dag"), "dag_id", "a launch")
    vendor = getattr(getattr(task, "vendor", None), "name", "") or (record.vendor if record else "")
    index = getattr(ti, "map_index", -1)
    what = f"{vendor}: {name}" if vendor else str(name)
    shown = _facts(record) if record else {}
    return Notice(
        event=event,
        title=TITLES[event].format(what=what if index in (None, -1) else f"{what} [{index}]"),
        vendor=vendor,
        link=_link(ti, context) if ti else "",
        command=_command(ti, number) if ti and record else "",
        said=_said(error),
        **shown,
    )


def _event(ti: Any, task: Any, error: Any, record: Record | None) -> str:
    from airflow_provider_mkt.submission.summary import is_open

    if error is None:
        is_question = hasattr(task, "assigned_users") and str(getattr(ti, "state", "")) != "success"
        asks = is_question or getattr(task, "asking", False)
        return APPROVAL if asks else LIVE
    in_doubt = isinstance(error, OutcomeUnknownError) or (isinstance(error, MalformedResponseError) and error.executed)
    if in_doubt or (record is not None and is_open(record)):
        return UNSETTLED
    return CAP if isinstance(error, CapReachedError) else FAILED


def _said(error: Any) -> str:
    """Return an error's words where they are known to be safe to show; else only its kind."""
    if error is None:
        return ""
    text = str(error) if isinstance(error, ApiError) else f"{type(error).__name__}, see the log of the task"
    return text if len(text) <= MAX_SAID else text[: MAX_SAID - 1] + "…"


def _record(context: Context | Mapping[str, Any]) -> tuple[str, Record | None]:
    """Return the first record that a person may have to settle, or else the first one."""
    from airflow_provider_mkt.submission.record import PREFIX
    from airflow_provider_mkt.submission.summary import is_open, read

    store = context.get("task_state_store")
    first, number = None, 0
    while store is not None and (record := read(store.get(f"{PREFIX}{number}"))) is not None:
        if is_open(record):
            return str(number), record
        first, number = first or record, number + 1
    return "0", first


def _facts(record: Record) -> dict[str, Any]:
    from airflow_provider_mkt.submission.summary import amount_of, ids_of

    ids = [each for each in ids_of(record) if each]
    return {"amount": amount_of(record), "time": record.time, "reference": record.reference, "ids": ids}


def _link(ti: Any, context: Context | Mapping[str, Any]) -> str:
    key = SimpleNamespace(dag_id=ti.dag_id, run_id=ti.run_id, task_id=ti.task_id, map_index=ti.map_index)
    return SubmissionLink().get_link(context.get("task"), ti_key=key)  # type: ignore[arg-type]


def _command(ti: Any, number: str) -> str:
    words = ["airflow", "mkt", "submissions", "show", ti.dag_id, ti.run_id, ti.task_id]
    words += ["--map-index", str(ti.map_index)] if ti.map_index not in (None, -1) else []
    return shlex.join([*words, *(["--number", number] if number != "0" else [])])
