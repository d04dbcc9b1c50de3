# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Fixtures of this folder's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_provider_mkt.state import webhook_secrets
from airflow_provider_mkt.state.database import shared as stores
from airflow_provider_mkt.state.database.store import Store
from tests.unit.operators.ensure_webhook.kinds import (
    TOKEN,
)


@pytest.fixture
def store_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A shared store of the test's own."""
    path = tmp_path / "shared.db"
    made: dict[int, Store] = {}
    monkeypatch.setattr(stores, "_stores", made)
    monkeypatch.setattr(webhook_secrets, "SAVE_PATIENCE", 0.0)
    monkeypatch.setenv("AIRFLOW__MKT__STATE_URL", f"sqlite:///{path}")
    yield path
    for each in made.values():
        each.close()


@pytest.fixture
def flodesk_token(connect: Callable[..., str]) -> None:
    connect("flodesk", "flodesk_default", extra={"webhook_token": TOKEN})
