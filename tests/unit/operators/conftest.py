# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the tests of the operators share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state.database.shared import separate_store
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.submission import desk
from airflow_provider_mkt.tasks import required_action
from tests.unit.people import People


@pytest.fixture
def no_analytics(connect: Callable[..., str]) -> None:
    """No analytics host can be asked about campaigns; test_flow_living_analytics is about those who have one."""
    connect("flow_living", "flow_living_default", extra={"analytics_host": ""})


@pytest.fixture
def approvals_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vendors: Sandbox) -> Iterator[Store]:
    """A shared store of the test's own, which no test before it has found away."""
    monkeypatch.setattr(desk, "AWAY", desk.Away())
    with separate_store(f"sqlite:///{tmp_path / 'state.db'}") as made:
        yield made


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch, approvals_store: Store) -> People:
    """Whoever answers what tasks ask."""
    people = People()
    monkeypatch.setattr(required_action, "put", people.put)
    return people
