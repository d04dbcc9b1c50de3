# Licensed under the Apache License, Version 2.0; see LICENSE.
"""DAGs that are scheduled on a webhook's asset, in Airflow's own database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow_provider_mkt.webhooks.assets import asset_name, asset_uri


@contextmanager
def scheduled_on(conn_id: str, event: str, **paused: bool) -> Iterator[int]:
    """Have DAGs scheduled on the event's asset, for as long as the ``with`` block lasts.

    :param paused: the DAGs, and whether they are paused
    :return: the asset's id
    """
    from airflow.models.asset import AssetDagRunQueue, AssetEvent, AssetModel, DagScheduleAssetReference
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    initdb()
    with create_session() as session:
        session.merge(DagBundleModel(name="consumers"))
        session.flush()
        asset = AssetModel(name=asset_name(conn_id, event), uri=asset_uri(conn_id, event), group="mkt")
        session.add(asset)
        session.flush()
        for dag_id, is_paused in paused.items():
            session.merge(DagModel(dag_id=dag_id, bundle_name="consumers", is_paused=is_paused, is_stale=False))
            session.add(DagScheduleAssetReference(asset_id=asset.id, dag_id=dag_id))
        asset_id = int(asset.id)
    try:
        yield asset_id
    finally:
        with create_session() as session:
            for table in (AssetDagRunQueue, AssetEvent, DagScheduleAssetReference):
                session.execute(delete(table).where(table.asset_id == asset_id))
            session.execute(delete(AssetModel).where(AssetModel.id == asset_id))
            session.execute(delete(DagModel).where(DagModel.dag_id.in_(paused)))


def resume(dag_id: str) -> None:
    """Let a paused DAG run."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import update

    with create_session() as session:
        session.execute(update(DagModel).where(DagModel.dag_id == dag_id).values(is_paused=False))


def events_of(asset_id: int) -> list[dict[str, Any]]:
    """Return the extras of the asset's events, in order."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        chosen = select(AssetEvent.extra).where(AssetEvent.asset_id == asset_id).order_by(AssetEvent.id)
        return list(session.scalars(chosen))


def queued(asset_id: int) -> list[str]:
    """Return the DAGs that Airflow is to run for the asset."""
    from airflow.models.asset import AssetDagRunQueue
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        chosen = select(AssetDagRunQueue.target_dag_id).where(AssetDagRunQueue.asset_id == asset_id)
        return sorted(session.scalars(chosen))
