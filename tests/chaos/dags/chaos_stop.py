# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Launches that wait for their rate budget until Airflow asks them to end, and then have all the time to go on."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import dag

from airflow_provider_mkt.exceptions import NotFoundError
from airflow_provider_mkt.operators.flow_living import FlowLivingPublishCampaignOperator
from tests.chaos import freezes
from tests.chaos.freezes import Where

FOLDER = Path(os.environ["AIRFLOW_HOME"])
LOOK_EVERY = 0.02


def waits_until_told(context: Any) -> None:
    """Have the first try wait for its budget until the signal has come."""
    task, told = context["task"], []
    on_kill = task.on_kill

    def tell() -> None:
        on_kill()
        told.append(True)

    def wait() -> None:
        (FOLDER / f"waiting-{task.task_id}").touch()
        while not told:
            time.sleep(LOOK_EVERY)

    if context["ti"].try_number == 1:
        # The token first: who gets it makes others wait, and its own request waits for the budget as well.
        with suppress(NotFoundError):
            task.hook.get_campaign_status("queue_of_nobody")
        task.on_kill = tell
        freezes.arm(Where.BUDGET, wait, type(context["task_state_store"]))


@dag(schedule=None, default_args={"retries": 1, "retry_delay": timedelta(seconds=1)})
def chaos_stop() -> None:
    for name in ("cleared", "marked"):
        FlowLivingPublishCampaignOperator(
            task_id=name,
            plan_ref="facebookv2",
            listing_external_ids=["listing_1001"],
            branch_id="branch_harbour",
            order_ref=name,
            wait_for_completion=False,
            pre_execute=waits_until_told,
        )


chaos_stop()
