# Licensed under the Apache License, Version 2.0; see LICENSE.
"""From the inbox to Airflow: each delivery becomes one event of its asset, exactly once.

Runs inside Airflow's API servers. The event is written to Airflow's database before the inbox is told, so a process
that dies in between leaves a delivery that is due again. Therefore the event holds the delivery's identity, and before
it is written the asset's row is locked and the events that are there are looked through.

==================================  ====================================================================
the asset                           the delivery
==================================  ====================================================================
is in no DAG's schedule             is kept for a week as ``no consumer``, and can be replayed
only in those of paused DAGs        stays ``pending``, and is handed over when one of them is resumed
in that of a DAG that is not paused becomes an event
==================================  ====================================================================
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import TYPE_CHECKING, Any, cast

from airflow_provider_mkt.client.redaction import Redactor
from airflow_provider_mkt.state.inbox import HANDED_OVER, PENDING, UNREADABLE, UNWANTED, Inbox, Row
from airflow_provider_mkt.webhooks.assets import asset_name, asset_uri

if TYPE_CHECKING:
    from airflow.models.asset import AssetModel
    from sqlalchemy import CursorResult
    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

PAUSED_AGAIN = 15.0
"""Seconds after which a delivery whose DAGs are all paused is tried again."""
FAILED_AGAIN = 10.0
MAX_SKEW = timedelta(minutes=10)
"""What Airflow's clock may differ from the store's."""


class Consumers(Enum):
    """Which DAGs are scheduled on an asset."""

    NONE = "none"
    PAUSED = "paused"
    READY = "ready"


def hand_over(inbox: Inbox) -> int:
    """Hand over what is due, in the order of its arrival.

    :return: how many deliveries became events
    :raises StoreError: when the inbox fails
    """
    handed, held = 0, set[tuple[str, str]]()
    for row in inbox.due():
        place = (row.conn_id, row.event)
        if place in held:
            # Behind one that could not be handed over: the order is kept.
            continue
        payload = inbox.payload(row)
        if payload is None:
            log.error(
                "Delivery %d cannot be read with the present [core] fernet_key; replay it with the former.", row.id
            )
            inbox.settle(row.id, UNREADABLE)
            continue
        try:
            consumers = emit(row, payload)
        except Exception:  # what Airflow raises at one delivery must not hold up those of others
            log.exception("Delivery %d could not be handed over; it is tried again.", row.id)
            inbox.settle(row.id, PENDING, FAILED_AGAIN)
            held.add(place)
            continue
        if consumers is Consumers.PAUSED:
            inbox.settle(row.id, PENDING, PAUSED_AGAIN)
            held.add(place)
        else:
            inbox.settle(row.id, HANDED_OVER if consumers is Consumers.READY else UNWANTED)
            handed += consumers is Consumers.READY
    return handed


def emit(row: Row, payload: dict[str, Any]) -> Consumers:
    """Write the event of one delivery into Airflow's database, unless it is there.

    :param row: the delivery
    :param payload: what it said
    :return: who is scheduled on it; only when that is :attr:`Consumers.READY` there is an event
    """
    from airflow.assets.manager import asset_manager
    from airflow.utils.session import create_session

    with create_session() as session:
        asset = _locked(session, row)
        if asset is None:
            return Consumers.NONE
        paused = _paused_by_dag(session, asset)
        ready = [dag_id for dag_id, is_paused in paused.items() if not is_paused]
        if not ready:
            return Consumers.PAUSED if paused else Consumers.NONE
        if not _is_there(session, asset, row):
            asset_manager.register_asset_change(asset=asset, extra=extra_of(row, payload), session=session)
            for dag_id in ready:
                _queue(session, asset, dag_id)
        return Consumers.READY


def extra_of(row: Row, payload: dict[str, Any]) -> dict[str, Any]:
    """Return the ``extra`` of a delivery's event: no secrets, no personal data."""
    received = datetime.fromtimestamp(row.received_at, tz=timezone.utc)
    return {
        "delivery_id": row.identity,
        "conn_id": row.conn_id,
        "event": row.event,
        "replay": row.replays,
        "received_at": received.isoformat(timespec="milliseconds"),
        "payload": Redactor().data(payload),
    }


def _locked(session: Session, row: Row) -> AssetModel | None:
    """Return the asset's row, which nobody else can lock until the session ends; None when there is none."""
    from airflow.models.asset import AssetModel
    from sqlalchemy import select, update

    named = (
        AssetModel.name == asset_name(row.conn_id, row.event),
        AssetModel.uri == asset_uri(row.conn_id, row.event),
    )
    # An update without a change locks on every database; SQLite has no other way.
    session.execute(
        update(AssetModel).where(*named).values(id=AssetModel.id).execution_options(synchronize_session=False)
    )
    return session.scalar(select(AssetModel).where(*named))


def _paused_by_dag(session: Session, asset: AssetModel) -> dict[str, bool]:
    """Return the DAGs that are scheduled on the asset, and whether they are paused."""
    from airflow.models.asset import (
        DagScheduleAssetNameReference,
        DagScheduleAssetReference,
        DagScheduleAssetUriReference,
    )
    from airflow.models.dag import DagModel
    from sqlalchemy import select, union

    scheduled = union(
        select(DagScheduleAssetReference.dag_id).where(DagScheduleAssetReference.asset_id == asset.id),
        select(DagScheduleAssetNameReference.dag_id).where(DagScheduleAssetNameReference.name == asset.name),
        select(DagScheduleAssetUriReference.dag_id).where(DagScheduleAssetUriReference.uri == asset.uri),
    )
    dags = select(DagModel.dag_id, DagModel.is_paused).where(
        DagModel.dag_id.in_(scheduled), DagModel.is_stale.is_(False)
    )
    return {row.dag_id: row.is_paused for row in session.execute(dags)}


def _queue(session: Session, asset: AssetModel, dag_id: str) -> None:
    """Have a DAG run for every event that is there by now.

    Airflow queues a DAG once for an asset, and its run takes the events from before that moment. An event that comes
    between the queueing and the run would be in no run before the next event. So the moment is moved on; and where the
    scheduler has just taken the DAG from the queue, it is queued again.
    """
    from airflow.models.asset import AssetDagRunQueue
    from airflow.sdk import timezone
    from sqlalchemy import update

    move_on = (
        update(AssetDagRunQueue)
        .where(AssetDagRunQueue.asset_id == asset.id, AssetDagRunQueue.target_dag_id == dag_id)
        .values(created_at=timezone.utcnow())
        .execution_options(synchronize_session=False)
    )
    moved = cast("CursorResult[Any]", session.execute(move_on))
    if not moved.rowcount:
        session.add(AssetDagRunQueue(asset_id=asset.id, target_dag_id=dag_id))
        session.flush()


def _is_there(session: Session, asset: AssetModel, row: Row) -> bool:
    from airflow.models.asset import AssetEvent
    from sqlalchemy import select

    since = datetime.fromtimestamp(row.received_at, tz=timezone.utc) - MAX_SKEW
    events = select(AssetEvent.id).where(
        AssetEvent.asset_id == asset.id,
        AssetEvent.timestamp >= since,
        AssetEvent.extra["delivery_id"].as_string() == row.identity,
        AssetEvent.extra["replay"].as_integer() == row.replays,
    )
    return session.scalar(events.limit(1)) is not None
