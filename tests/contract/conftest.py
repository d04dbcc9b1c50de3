# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Waits that are taken down instead of waited."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from airflow_provider_mkt.client import api_client
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.contract.stage import STANDSTILL, Stage
from tests.contract.wire import Unlimited


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Every wait of both drivers, in seconds."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(
        api_client, "time", SimpleNamespace(sleep=waited.append, monotonic=time.monotonic, time=time.time)
    )
    monkeypatch.setattr(api_client, "asyncio", SimpleNamespace(sleep=sleep, get_running_loop=asyncio.get_running_loop))
    return waited


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """A sandbox of the module's own and a hook for each connection, none of which is ever paced."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("airflow_provider_mkt.state.budgets.shared.budget_for", lambda *_: Unlimited())
        with Sandbox(speed=STANDSTILL) as sandbox:
            sandbox.limits({"*": None})
            # Moving the vendors' clock must not end tokens: these tests count requests.
            sandbox.switch({"flow_living.token_lifetime": 1e6, "flinque.token_lifetime": 1e6})
            yield Stage(sandbox)
