# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Airflow's Required Actions: asking a person, and waiting without a worker and without a triggerer.

Airflow keeps one question for a task instance, also across its clearing, and shows its first text for ever: asked again
it only forgets the answer. So an answer says by itself what it is about, and what Airflow shows is compared with what
was asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["answer_of", "put"]


def put(ti: Any, options: Sequence[str], subject: str, body: str, params: Mapping[str, Any]) -> bool:
    """Write a question, and tell whether it is this one that Airflow shows.

    :param ti: the running task instance
    :param options: the answers that can be chosen
    :param subject: one line
    :param body: Markdown
    :param params: fields of the form, as ``Param.serialize`` has them
    """
    from airflow.sdk.execution_time.comms import CreateHITLDetailPayload
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    shown = SUPERVISOR_COMMS.send(
        CreateHITLDetailPayload(
            ti_id=ti.id,
            options=list(options),
            subject=subject,
            body=body,
            params=dict(params),
            multiple=False,
            assigned_users=[],
        )
    )
    return list(getattr(shown, "options", None) or ()) == list(options)


def answer_of(event: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return what was chosen, by whom, and the reason that they gave; nothing chosen: nobody answered in time.

    :param event: with which Airflow resumes the task
    """
    if "error" in event:
        return "", "", ""
    [chosen, *_] = event.get("chosen_options") or [""]
    user = event.get("responded_by_user") or {}
    reason = str((event.get("params_input") or {}).get("reason") or "").strip()
    return str(chosen), str(user.get("name") or user.get("id") or "somebody"), reason
