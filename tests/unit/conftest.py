# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Vendors whose time stands still until a test moves it, and tasks in memory."""

from __future__ import annotations

import itertools
import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from airflow_provider_mkt.client.endpoint import Limit
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import FIRST_LOOK, Task, Waits

# How busy the machine is says nothing of a test.
settings.register_profile("few", max_examples=15, suppress_health_check=[HealthCheck.too_slow])
TESTS = itertools.count()
STANDSTILL = 1e-4
"""Vendor seconds in one real second."""


@pytest.fixture(scope="session")
def running_vendors() -> Iterator[Sandbox]:
    with Sandbox(speed=STANDSTILL) as sandbox:
        yield sandbox


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backoff, the first look of a trigger and the rate budgets take no time; the vendors' own waits still do."""
    from airflow_provider_mkt.client import retry
    from airflow_provider_mkt.hooks.base import MarketingHook
    from airflow_provider_mkt.triggers import watch

    def unlimited(self: MarketingHook, account: Any) -> Mapping[str, Limit]:
        return {name: Limit(1_000_000, 0.001) for name in self.vendor_limits(account)}

    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(watch, "FIRST_LOOK", 0.0)
    monkeypatch.setattr(MarketingHook, "limits", unlimited)


@pytest.fixture
def strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    """No token and no rate budget is left over from another test."""
    from airflow_provider_mkt.hooks.account import Account

    known = Account.identity.fget
    assert known is not None
    test = str(next(TESTS))
    monkeypatch.setattr(Account, "identity", property(lambda account: (*known(account), test)))


@pytest.fixture
def vendors(running_vendors: Sandbox, monkeypatch: pytest.MonkeyPatch, no_waits: None, strangers: None) -> Sandbox:
    """The vendors, as new, behind the default connections. Time passes by ``advance`` only."""
    running_vendors.reset()
    running_vendors.limits({"*": None})
    for conn_id, connection in running_vendors.connections.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
    return running_vendors


@pytest.fixture(autouse=True)
def store_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """An earlier test in which the store failed has no effect: it would be left alone for half a minute."""
    if (desk := sys.modules.get("airflow_provider_mkt.submission.desk")) is not None:
        monkeypatch.setattr(desk, "AWAY", desk.Away())


@pytest.fixture
def nothing_untold() -> None:
    """No budget of an earlier test has yet to tell the store something: it would tell this one's, or log a warning."""
    late = [each for each in threading.enumerate() if each.name == "mkt-budget-idle"]
    for each in late:
        each.join(30.0)
    assert not any(each.is_alive() for each in late)


@pytest.fixture
def connect(vendors: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Define a connection: a vendor's one with some fields replaced; extras are merged. Returns its id."""

    def define(conn_type: str, conn_id: str = "changed", **fields: Any) -> str:
        connection = json.loads(json.dumps(vendors.connections[f"{conn_type}_default"]))
        if isinstance(fields.get("extra"), Mapping):
            fields["extra"] = {**(connection.get("extra") or {}), **fields["extra"]}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps({**connection, **fields}))
        return conn_id

    return define


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> Task:
    """A task at its first try; Airflow's server answers with its ``state``."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    task = Task()
    states = staticmethod(lambda *_, **__: {task.run_id: {task.task_id: task.state}})
    monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", states)
    return task


@pytest.fixture
def waits(no_waits: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Waits]:
    """Sensors, operators and triggers wait on a clock that only their waiting moves."""
    from airflow.sdk.bases import sensor as airflow_sensor

    from airflow_provider_mkt.clock import using
    from airflow_provider_mkt.triggers import watch

    waits = Waits()
    monkeypatch.setattr(airflow_sensor, "timezone", SimpleNamespace(utcnow=waits.utcnow))
    monkeypatch.setattr(airflow_sensor, "time", SimpleNamespace(sleep=waits.sleep, monotonic=waits.monotonic))
    monkeypatch.setattr(watch, "FIRST_LOOK", FIRST_LOOK)
    with using(waits):
        yield waits
