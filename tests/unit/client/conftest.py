# Licensed under the Apache License, Version 2.0; see LICENSE.
from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from airflow_provider_mkt.client import api_client, attempt
from tests.contract.wire import Raw, answer
from tests.unit.client.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Both drivers wait by this clock."""
    clock = Clock()
    monkeypatch.setattr(attempt, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(api_client, "time", SimpleNamespace(sleep=clock.sleep))
    monkeypatch.setattr(
        api_client, "asyncio", SimpleNamespace(sleep=clock.asleep, get_running_loop=asyncio.get_running_loop)
    )
    return clock


@pytest.fixture
def vendor(clock: Clock) -> Iterator[Raw]:
    """Answers every request with an empty object."""
    with Raw(answer("{}")) as vendor:
        yield vendor
