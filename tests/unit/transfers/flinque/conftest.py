# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Fixtures of this folder's tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.transfers.exporting import Airflow, Vendor, serving


@pytest.fixture
def vendor(strangers: None, no_waits: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vendor]:
    vendor = Vendor()
    with serving(vendor) as address:
        connection = {"conn_type": "flinque", "host": address, "login": "client", "password": "planted-secret"}
        monkeypatch.setenv("AIRFLOW_CONN_LYING", json.dumps(connection))
        yield vendor


@pytest.fixture
def airflow(tmp_path: Path) -> Airflow:
    folder = tmp_path / "exports"
    folder.mkdir()
    return Airflow(folder)
