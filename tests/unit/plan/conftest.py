# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A register of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_mkt.state.database import shared as stores
from airflow_provider_mkt.state.database.store import Store


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    made: dict[int, Store] = {}
    monkeypatch.setattr(stores, "_stores", made)
    monkeypatch.setenv("AIRFLOW__MKT__STATE_URL", f"sqlite:///{tmp_path / 'shared.db'}")
    yield
    for each in made.values():
        each.close()
