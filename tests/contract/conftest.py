# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Waits that are taken down instead of waited, a stage without pacing, and planted secrets with all logs."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_mkt.client.endpoint import Limit
from airflow_provider_mkt.clock import Clock, using
from airflow_provider_mkt.hooks.base import MarketingHook
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.triggers import watch as watching
from tests.contract.planted import CONNECTIONS, Everything, Mirror
from tests.contract.stage import STANDSTILL, Stage
from tests.contract.wire import Unlimited


class Noting(Clock):
    """The machine's clock; waits are noted and take no time."""

    def __init__(self) -> None:
        self.waited: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)

    async def asleep(self, seconds: float) -> None:
        self.waited.append(seconds)


@pytest.fixture
def waits() -> Iterator[list[float]]:
    """Every wait of both drivers, in seconds."""
    noting = Noting()
    with using(noting):
        yield noting.waited


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


@pytest.fixture
def logs() -> Iterator[Everything]:
    """Every record of every logger, from DEBUG on."""
    handler = Everything()
    root, level = logging.getLogger(), logging.getLogger().level
    loggers = [logging.getLogger(name) for name in list(logging.Logger.manager.loggerDict)]
    before = [(logger, logger.level, logger.disabled, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        logger.disabled, logger.propagate = False, True
    root.setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)
    for logger, old, disabled, propagate in before:
        logger.setLevel(old)
        logger.disabled, logger.propagate = disabled, propagate


@pytest.fixture(scope="module")
def mirror() -> Iterator[Mirror]:
    with Mirror() as running:
        yield running


@pytest.fixture
def planted(mirror: Mirror, waits: list[float], monkeypatch: pytest.MonkeyPatch) -> Mirror:
    """The mirror behind connections with planted credentials; nothing waits."""

    def unlimited(self: MarketingHook, account: Any) -> dict[str, Limit]:
        return {name: Limit(1_000_000, 0.001) for name in self.vendor_limits(account)}

    monkeypatch.setattr(MarketingHook, "limits", unlimited)
    monkeypatch.setattr(watching, "FIRST_LOOK", 0.0)
    mirror.token_scene, mirror.seen = None, []
    for name, parts in CONNECTIONS.items():
        host = f"{mirror.url}/v1"
        extra = {**parts["extra"], "timeout": 0.08}
        connection = {"conn_type": name, "host": host, **parts, "extra": extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_PLANTED_{name.upper()}", json.dumps(connection))
    return mirror
