# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One launch of each operator whose first try stands still, together with its supervisor, as on a paused machine."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import dag

from tests.chaos import freezes
from tests.chaos.freezes import REAL, Where
from tests.chaos.subjects import SUBJECTS

FOLDER = Path(os.environ["AIRFLOW_HOME"])


def frozen_at(where: Where, task_id: str) -> Callable[[Any], None]:
    """Return a hook that stops this process and its supervisor at ``where`` of the task's first try."""

    def stand_still() -> None:
        pids = os.getpid(), os.getppid()
        (FOLDER / f"frozen-{task_id}").write_text(" ".join(map(str, pids)), encoding="utf-8")
        os.kill(pids[1], signal.SIGSTOP)
        os.kill(pids[0], signal.SIGSTOP)

    def before_execute(context: Any) -> None:
        if context["ti"].try_number == 1:
            freezes.arm(where, stand_still, type(context["task_state_store"]))

    return before_execute


@dag(schedule=None, default_args={"retries": 2, "retry_delay": timedelta(seconds=1)})
def chaos_freeze() -> None:
    for file, content in SUBJECTS["flow_social_media"].files.items():
        (FOLDER / file).write_bytes(content)
    for task_id, (subject, where) in REAL.items():
        one = SUBJECTS[subject]
        if "url" in one.arguments:
            # An address of its own: the shared store remembers those of other runs.
            one = replace(one, arguments={**one.arguments, "url": f"https://hooks.example.com/{task_id}"})
        waiting: dict[str, Any] = {"wait_for_completion": False} if one.waits else {}
        if subject == "flow_living_with_analytics":
            waiting["flow_living_conn_id"] = freezes.WITH_ANALYTICS
        one.build(FOLDER, task_id=task_id, pre_execute=frozen_at(where, task_id), **waiting)


chaos_freeze()
