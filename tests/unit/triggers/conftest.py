# Licensed under the Apache License, Version 2.0; see LICENSE.
from __future__ import annotations

import pytest

from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task


@pytest.fixture
def ids(vendors: Sandbox) -> list[str]:
    """A live campaign."""
    answer = FlowLivingHook().publish_campaign("facebookv2", ["listing_1001"], "branch_harbour")
    vendors.advance(700)
    found: list[str] = answer["campaign_tracking_ids"]
    return found


@pytest.fixture(autouse=True)
def marked_as_failed(task: Task) -> Task:
    """What a user did to the task of every trigger here, unless a test says otherwise."""
    task.state = "failed"
    return task
