# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Bad luck for the tasks of a soak: drawn from the run's seed, the launch and the try, so it can be had again."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk import RetryDecision

from airflow_provider_mkt.retry_policy import MarketingRetryPolicy
from tests.chaos import steps
from tests.chaos.steps import Step

KILLED_TRIES = 2
"""Tries of one launch that may be killed; the ones after that show what became of it."""
KILLED_SHARE = 0.4
"""Share of those tries that are."""
AT_A_STEP = 0.6
"""Share of the kills that hit a certain step; the others come at any moment."""
MAX_LIFE = 0.3
"""Seconds into the task at which such a moment may come."""
PATIENCE = "MKT_SOAK_PATIENCE"
"""Environment variable: seconds that a retry is put off at most."""

LATER = {Step.LEAVING, Step.PROCESSED, Step.TRIGGER, Step.RESUMED}
BEFORE_WAITING = tuple(step for step in Step if step not in LATER)
"""The steps that are drawn from: the same ones as in earlier soaks, so that seeds mean the same."""


class Impatient(MarketingRetryPolicy):
    """The provider's own policy, with an upper limit to the waiting: a soak has to end."""

    def evaluate(self, *args: Any, **kwargs: Any) -> RetryDecision:
        """Decide as the provider does, but never wait longer than the limit."""
        decision = super().evaluate(*args, **kwargs)
        most = timedelta(seconds=float(os.environ.get(PATIENCE, "5")))
        if decision.retry_delay is not None and decision.retry_delay > most:
            return RetryDecision.retry(delay=most, reason=decision.reason)
        return decision


def strike(context: Mapping[str, Any]) -> None:
    """Perhaps have this process killed. Used as ``pre_execute`` of the launches."""
    ti = context["ti"]
    launch = f"{ti.task_id}-{ti.map_index}"
    if ti.task_id == "flokit":
        _tag(launch)
    resumed = bool(ti._ti_context_from_server.next_method)
    luck = random.Random(f"{context['dag_run'].conf['seed']}/{launch}/{ti.try_number}/{resumed}")
    if ti.try_number > KILLED_TRIES or luck.random() >= KILLED_SHARE:
        return
    if luck.random() >= AT_A_STEP:
        timer = threading.Timer(luck.uniform(0, MAX_LIFE), steps.die)
        timer.daemon = True
        timer.start()
    elif resumed:
        steps.arm(Step.RESUMED, steps.die, type(context["task_state_store"]))
    elif "mkt" in type(context["task"]).__module__:
        steps.arm(luck.choice(BEFORE_WAITING), steps.die, type(context["task_state_store"]))
    else:
        steps.arm_plain(luck.choice(BEFORE_WAITING), steps.die)


def _tag(launch: str) -> None:
    """Name the launch in its request: all syncs of an integration look the same in the vendor's ledger.

    FloKit has no idempotency keys for syncs; there the header is nothing but a name.
    """
    import requests

    def name(_session: Any, request: Any, **_: Any) -> None:
        if steps.is_submission(request):
            request.headers["Idempotency-Key"] = launch

    steps.around(requests.Session, "send", before=name)
