# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The fixtures ``mkt_sandbox``, ``mkt_time`` and ``mkt_run_dag``.

pytest imports this module at every start. What a fixture needs is imported in it: who uses none pays nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_provider_mkt.testing.movable_clock import MovableClock
    from airflow_provider_mkt.testing.runs import DagRunner
    from airflow_provider_mkt.testing.vendors import Vendors


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "mkt_time(start): the moment at which `mkt_time` begins, in ISO 8601")


@pytest.fixture
def mkt_time(request: pytest.FixtureRequest) -> Iterator[MovableClock]:
    """Time that the test moves, and that every wait moves: none takes any time of the machine's."""
    from airflow_provider_mkt import clock
    from airflow_provider_mkt.testing.movable_clock import MovableClock

    marker = request.node.get_closest_marker("mkt_time")
    moving = MovableClock(_moment(*marker.args, **marker.kwargs) if marker else None)
    with clock.using(moving):
        yield moving


def _moment(start: str = "") -> datetime:
    try:
        return datetime.fromisoformat(start.replace("Z", "+00:00"))
    except (TypeError, ValueError):
        told = f"write a moment like @pytest.mark.mkt_time('2026-03-29T00:30:00Z'), got {start!r}"
        raise pytest.UsageError(told) from None


@pytest.fixture
def mkt_sandbox(
    mkt_time: MovableClock, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Vendors]:
    """The simulated vendors, as new, behind the five default connections."""
    from airflow_provider_mkt.sandbox.server import Sandbox
    from airflow_provider_mkt.state.database.shared import separate_store
    from airflow_provider_mkt.testing.vendors import Vendors

    url = f"sqlite:///{tmp_path_factory.mktemp('mkt') / 'state.db'}"
    with Sandbox(real=mkt_time.now) as sandbox, separate_store(url):
        for conn_id, connection in sandbox.connections.items():
            monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
        yield Vendors(sandbox, mkt_time)


@pytest.fixture(scope="session")
def mkt_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty Airflow database, which each test gets a copy of."""
    from airflow_provider_mkt.testing.airflow_home import make_database

    path = tmp_path_factory.mktemp("mkt-airflow") / "airflow.db"
    make_database(path)
    return path


@pytest.fixture
def mkt_run_dag(
    mkt_sandbox: Vendors, mkt_time: MovableClock, mkt_database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DagRunner]:
    """Runs a DAG from its first task to its last, in this process, against the simulated vendors."""
    from airflow_provider_mkt.testing.airflow_api import task_supervisor
    from airflow_provider_mkt.testing.airflow_home import airflow_home
    from airflow_provider_mkt.testing.airflow_time import airflow_goes_by
    from airflow_provider_mkt.testing.runs import DagRunner

    home = airflow_home(tmp_path_factory.mktemp("airflow"), mkt_database)
    with home, airflow_goes_by(mkt_time), task_supervisor() as supervisor:
        yield DagRunner(mkt_sandbox, mkt_time, supervisor)
