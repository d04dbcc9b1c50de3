# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow db migrate`` makes the store's tables, so that workers need no right to."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.utils.db_manager import RunDBManager
from sqlalchemy import URL

from airflow_provider_mkt.cli.db_migrate import StoreTables
from airflow_provider_mkt.state.database import shared
from airflow_provider_mkt.state.database.migrations import STEPS
from airflow_provider_mkt.state.errors import StoreError


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "state.db"
    monkeypatch.setattr(shared, "_stores", {})
    monkeypatch.setenv("AIRFLOW__MKT__STATE_URL", URL.create("sqlite", database=str(path)).render_as_string())
    return path


def test_airflow_knows_of_the_tables_and_accepts_them(file: Path) -> None:
    managers = RunDBManager()
    assert StoreTables in managers._managers
    managers._managers = [StoreTables]
    managers.validate()
    assert not managers.check_migration(None)
    assert not file.exists(), "a look changes nothing"


@pytest.mark.parametrize("command", ["initdb", "upgradedb"])
def test_airflow_makes_the_tables(file: Path, command: str) -> None:
    managers = RunDBManager()
    managers._managers = [StoreTables]
    getattr(managers, command)(None, use_migration_files=True)
    assert shared.store().schema_version() == len(STEPS)
    assert managers.check_migration(None)


def test_a_store_that_fails_ends_the_command(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.mkdir()
    with pytest.raises(StoreError):
        StoreTables(None).initdb()
    assert not StoreTables(None).check_migration()


def test_a_reset_keeps_the_store(file: Path) -> None:
    tables = StoreTables(None)
    tables.initdb()
    tables.drop_tables(None)
    assert shared.store().schema_version() == len(STEPS)
