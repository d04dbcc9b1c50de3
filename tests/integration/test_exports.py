# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Exports by ``dag.test()``, with Airflow's own database behind both state stores and the asset events."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mkt.transfers.flinque.export_cursor import ExportCursorStore
from tests.unit.transfers.exporting import Vendor, ids, order, serving

DAG = """
from airflow.sdk import DAG, Asset
from airflow_provider_mkt.transfers.flinque import FlinqueAttributionToObjectStorageOperator

with DAG("orders", schedule=None):
    FlinqueAttributionToObjectStorageOperator(
        task_id="export",
        path="{folder}/orders-{{{{ run_id }}}}.jsonl",
        outlets=[Asset("attributed_orders")],
        flinque_conn_id="lying",
    )
    FlinqueAttributionToObjectStorageOperator(
        task_id="own_asset", path="{folder}/own-{{{{ run_id }}}}.parquet", flinque_conn_id="lying"
    )
"""


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vendor]:
    vendor = Vendor()
    with serving(vendor) as address:
        connection = {"conn_type": "flinque", "host": address, "login": "client", "password": "planted-secret"}
        monkeypatch.setenv("AIRFLOW_CONN_LYING", json.dumps(connection))
        yield vendor


@pytest.fixture
def dag(tmp_path: Path) -> Iterator[Any]:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.utils.db import initdb

    initdb()
    folder = Path(os.environ["AIRFLOW_HOME"]) / "dags"
    folder.mkdir(exist_ok=True)
    file = folder / "orders.py"
    file.write_text(DAG.format(folder=tmp_path), encoding="utf-8")
    bag = DagBag(file)
    assert not bag.import_errors
    yield bag.dags["orders"]
    file.unlink()


def exported(folder: Path) -> list[str]:
    """Return the ids in all files of orders."""
    lines = [line for path in folder.glob("orders-*.jsonl") for line in path.read_text(encoding="utf-8").splitlines()]
    return sorted((json.loads(line)["id"] for line in lines), key=lambda name: int(name.partition("_")[2]))


def events(asset: str) -> list[dict[str, Any]]:
    """Return what the events of an asset tell, the oldest first."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        of = select(AssetModel.id).where(AssetModel.name == asset).scalar_subquery()
        found = session.scalars(select(AssetEvent).where(AssetEvent.asset_id == of).order_by(AssetEvent.id))
        return [event.extra for event in found]


@pytest.mark.proof
def test_cursor_and_events_are_kept_by_airflow(
    vendor: Vendor, dag: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three runs, the second of which dies between its file and its cursor."""
    vendor.orders = [order(number) for number in range(120)]
    assert dag.test().state == "success"
    assert exported(tmp_path) == ids(*range(120))

    vendor.orders += [order(number) for number in range(120, 130)]
    with monkeypatch.context() as dying:
        dying.setattr(
            ExportCursorStore, "commit", lambda self: (_ for _ in ()).throw(RuntimeError("the worker dies here"))
        )
        assert dag.test().state == "failed"
    assert exported(tmp_path) == ids(*range(130))

    vendor.orders.append(order(130))
    assert dag.test().state == "success"
    assert exported(tmp_path) == ids(*range(131))

    told = events("attributed_orders")
    assert [event["rows"] for event in told] == [120, 1]
    assert all(Path(event["path"]).stat().st_size == event["bytes"] for event in told)
    assert [event["rows"] for event in events("flinque_orders/orders/own_asset")] == [120, 1]
