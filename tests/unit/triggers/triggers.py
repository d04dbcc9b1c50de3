# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Triggers as the triggerer has them: rebuilt from what was serialized, with a task instance that answers nothing."""

from __future__ import annotations

import json
from typing import Any

from airflow.sdk.module_loading import import_string

from airflow_provider_mkt.triggers.watch import WatchTrigger
from airflow_provider_mkt.waiting.flow_living import CampaignWatch
from tests.unit.context import Task

STATUS = "GET /flow-living/campaigns/status/{id}"


def task_instance() -> Any:
    """Return one as triggers know it: it cannot be asked for states."""
    found = Task().context["ti"]
    del found.get_task_states
    return found


def trigger(ids: list[str], targets: tuple[str, ...] = ("published",), **options: Any) -> WatchTrigger:
    interval = options.pop("poll_interval", 0.01)
    conn_id = options.pop("conn_id", "flow_living_default")
    built = WatchTrigger.of(CampaignWatch(ids, list(targets)), conn_id, interval, **options)
    path, kwargs = built.serialize()
    again: WatchTrigger = import_string(path)(**json.loads(json.dumps(kwargs)))
    again.task_instance = task_instance()
    return again
