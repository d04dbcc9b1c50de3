# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One question of a task before it launches something: exactly what would be sent, and a person's yes or no."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from airflow_provider_mkt.control.answering import (
    Answer,
    AnsweringError,
    answer,
    former_question,
    instance_of,
    question,
)
from airflow_provider_mkt.control.differences import differences
from airflow_provider_mkt.pages.audit import note
from airflow_provider_mkt.pages.required_actions import RequiredActions
from airflow_provider_mkt.pages.visit import GoTo, RefusedError, Shown, Visit
from airflow_provider_mkt.state.launches.approvals import APPROVED, REFUSED, WAITING, Approval
from airflow_provider_mkt.submission.deployment import deployment
from airflow_provider_mkt.submission.digest import shown
from airflow_provider_mkt.submission.question import MAX_REASON, money_of, total_of

SOURCE = "the control room"
MOST = 50
"""Requests that a page shows."""
FEW = 20
"""Requests, and differences, that a confirmation names."""
SAYS = "Exactly this, once: whatever changes before it leaves makes your answer void, and you are asked again."


def show(visit: Visit) -> Shown:
    """Show one question: what would be sent, how it differs from what was asked before, and the answer."""
    asked = _found(visit)
    first = asked[0]
    former = former_question(first)
    given = RequiredActions(visit.may.user).given(instance_of(first)) if first.state == WAITING else None
    to_task = visit.task_page(*instance_of(first))
    return Shown(
        "approval.html",
        {
            "first": first,
            "more": len(asked) - 1,
            "asked": [(each, _pretty(each.request)) for each in asked[:MOST]],
            "costs": total_of(asked),
            "reaches": _reaches(asked),
            "digest": shown(first.code),
            "given": given,
            "waits": first.state == WAITING and given is None,
            "may_answer": visit.may.may_answer(first.dag_id),
            "former": former[0] if former else None,
            "differences": differences(asked, former) if former else [],
            "links": {"Task and log": to_task, "In Airflow": f"{to_task}/required_actions"},
        },
    )


def approve(visit: Visit) -> Shown | GoTo:
    """Let what the question is about be sent."""
    asked = _open(visit)
    if not visit.sure:
        former = former_question(asked[0])
        return visit.ask(
            title="Approve this launch?" if len(asked) == 1 else f"Approve these {len(asked)} launches?",
            says=[*_sums(asked), SAYS],
            listed=[*_named(asked), *_told(differences(asked, former) if former else [])],
            form={"code": asked[0].code},
            wanted=("reason", "Why (may be left empty)", MAX_REASON),
            optional=True,
            button="Approve",
            back=f"/approvals/{asked[0].ask}",
        )
    return _answer(visit, asked, APPROVED, "approve")


def refuse(visit: Visit) -> Shown | GoTo:
    """Let nothing of what the question is about be sent."""
    asked = _open(visit)
    if not visit.sure:
        return visit.ask(
            title="Refuse this launch?" if len(asked) == 1 else f"Refuse these {len(asked)} launches?",
            says=[
                f"Nothing is sent. The task {asked[0].task_id} of {asked[0].dag_id} fails with your reason.",
                "It is not retried; to be asked again, clear the task.",
            ],
            listed=_named(asked),
            form={"code": asked[0].code},
            wanted=("reason", "Why", MAX_REASON),
            button="Refuse",
            danger=True,
            back=f"/approvals/{asked[0].ask}",
        )
    if not _reason(visit):
        raise RefusedError(400, "Say why: the task fails with that, and whoever launches reads it.")
    return _answer(visit, asked, REFUSED, "refuse")


def _found(visit: Visit) -> list[Approval]:
    """Return the requests of the question that the address names.

    :raises RefusedError: when there is none that the person may see: both look the same
    """
    asked = question(str(visit.request.path_params["ask"]))
    here = deployment()
    if not asked or asked[0].deployment != here or not visit.may.may_read_question(asked[0].dag_id):
        raise RefusedError(404, "There is no such question, or you may not see it.")
    return asked


def _open(visit: Visit) -> list[Approval]:
    """Return the requests of the question that the form answers.

    :raises RefusedError: when the person may not answer it, or the form is about something else than what is asked
    """
    asked = _found(visit)
    first = asked[0]
    if not visit.may.may_answer(first.dag_id):
        raise RefusedError(403, f"You may not answer the required actions of {first.dag_id}.")
    if visit.form.get("code") != first.code:
        raise RefusedError(409, "The form is about something else than what is asked now. Nothing was answered.")
    if first.state != WAITING:
        raise RefusedError(
            409, f"{_standing(first)} Nothing was answered. What is asked now is in the list of launches."
        )
    if given := RequiredActions(visit.may.user).given(instance_of(first)):
        raise RefusedError(409, f"{given.by} has answered it already: {given.option}. Nothing was changed.")
    return asked


def _answer(visit: Visit, asked: Sequence[Approval], state: str, event: str) -> GoTo:
    reason = _reason(visit)
    try:
        answer(RequiredActions(visit.may.user), asked, Answer(state, visit.may.name, reason, SOURCE))
    except AnsweringError as error:
        raise RefusedError(409, str(error)) from None
    first = asked[0]
    note(visit.may, event, first, why=reason, ask=first.ask, digest=first.code)
    return GoTo(f"/approvals/{first.ask}")


def _standing(asked: Approval) -> str:
    if asked.state in (APPROVED, REFUSED):
        return f"It was {asked.state} by {asked.answered_by}."
    return "It waits for no answer any more: something else was asked since, or nobody answered in time."


def _pretty(request: str) -> str:
    return json.dumps(json.loads(request), indent=2, ensure_ascii=False)


def _reason(visit: Visit) -> str:
    return " ".join(visit.form.get("reason", "").split())[:MAX_REASON]


def _reaches(asked: Sequence[Approval]) -> str:
    known = [each.audience for each in asked if each.audience is not None]
    return f"{sum(known):,}" if known else ""


def _sums(asked: Sequence[Approval]) -> list[str]:
    """Return what will happen, in numbers."""
    vendors = " and ".join(sorted({each.vendor for each in asked}))
    sent = "It is sent" if len(asked) == 1 else f"{len(asked)} requests are sent"
    costs = total_of(asked)
    reaches = _reaches(asked)
    parts = [f"{sent} to {vendors}", f"for {costs}" if costs else "", f"and reaches {reaches}" if reaches else ""]
    return [f"{' '.join(filter(None, parts))}. The digest is {shown(asked[0].code)}."]


def _named(asked: Sequence[Approval]) -> list[str]:
    """Return a line for each request."""
    lines = []
    for each in asked[:FEW]:
        facts: tuple[Any, ...] = (
            each.what,
            each.vendor,
            money_of(each.amount, each.currency),
            f"goes live {each.goes_live}" if each.goes_live else "at once",
            "" if each.audience is None else f"reaches {each.audience:,}",
        )
        lines.append(", ".join(filter(None, facts)))
    return [*lines, *([f"{len(asked) - FEW:,} more"] if len(asked) > FEW else [])]


def _told(lines: Sequence[str]) -> list[str]:
    more = [f"{len(lines) - FEW:,} more differences"] if len(lines) > FEW else []
    return [*(f"Differs from what was asked before: {each}" for each in lines[:FEW]), *more]
