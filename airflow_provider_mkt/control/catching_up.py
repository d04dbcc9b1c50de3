# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the register was not told of while the shared store was away, from the records of the tasks.

A launch that begins without the store has no row, and one whose answer comes without it stays ``leaving``. The next try
writes what is missing. A task that has succeeded has no next try, and a stop would pass its launch by.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import Any

from airflow_provider_mkt import clock
from airflow_provider_mkt.control.records import AirflowDatabase, kept
from airflow_provider_mkt.control.settling import Instance
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from airflow_provider_mkt.state.launches.launch import LEAVING, NOT_SENT, UNKNOWN, WITHOUT_EFFECT, Launch
from airflow_provider_mkt.state.launches.register import KEPT, Register
from airflow_provider_mkt.state.launches.stops import Stop
from airflow_provider_mkt.submission.deployment import deployment
from airflow_provider_mkt.submission.desk import ids_of, state_of
from airflow_provider_mkt.submission.record import Record, content_of
from airflow_provider_mkt.submission.summary import read

BEHIND = (LEAVING, UNKNOWN, NOT_SENT)
"""States of the register that the record may have left long ago."""
AT_ONCE = 500
"""Records that are looked up together."""
KEY = re.compile("[0-9a-f-]{36}")
"""What names a launch."""
NO_LAUNCH = "webhook_id"
"""What a record names that starts nothing at a vendor."""


def caught_up(launch: Launch, register: Register) -> Launch:
    """Return a launch as its task's record has it, and have the register say so.

    :param launch: as the register has it
    :return: the same where the record says nothing else, or is gone
    :raises StoreError: when the store fails
    :raises sqlalchemy.exc.SQLAlchemyError: when Airflow's database fails
    """
    if launch.state not in BEHIND:
        return launch
    record = read(kept(launch).value)
    if record is None or record.problem:
        return launch
    news = replace(launch, state=state_of(record), vendor_ids=ids_of(record), writer=record.writer)
    return news if news.state != launch.state and register.replace(launch, news) else launch


def enter_missed(stop: Stop, register: Register) -> tuple[int, int]:
    """Enter into the register what a stop is for and the register was never told of.

    :return: how many there were, and how many records cannot be read, of which some may be launches
    :raises StoreError: when the store fails
    :raises sqlalchemy.exc.SQLAlchemyError: when Airflow's database fails
    :raises ValidationError: when ``[mkt] deployment`` is no usable name
    """
    ours, entered, unreadable = deployment(), 0, 0
    since = datetime.fromtimestamp(clock.now(), timezone.utc) - timedelta(seconds=KEPT)
    records = AirflowDatabase().submissions(since, stop.dag_id, stop.run_id)
    while some := list(islice(records, AT_ONCE)):
        rows = register.named({key for _, _, value in some if (key := _key(value))})
        for instance, number, value in some:
            key = _key(value)
            if (row := rows.get(key)) is not None:
                entered += stop.covers(row) and caught_up(row, register) is not row
                continue
            record = read(value)
            if record is None or record.problem or not key:
                unreadable += 1
            elif record.deployment == ours and record.id_field != NO_LAUNCH:
                launch = _launch(instance, number, record)
                if launch.state not in WITHOUT_EFFECT and stop.covers(launch):
                    kept_there = _enter(launch, register)
                    entered, unreadable = entered + kept_there, unreadable + (not kept_there)
    return entered, unreadable


def _enter(launch: Launch, register: Register) -> bool:
    """Enter a launch; False when a value that somebody has changed by hand does not fit.

    :raises StoreError: when the store is away
    """
    try:
        register.enter(launch)
    except StoreError as error:
        if error.failure is not StoreFailure.FAILED:
            raise
        return False
    return True


def _key(value: Any) -> str:
    """Return what names a record's launch; "" where it has no such name."""
    key = value.get("key") if isinstance(value, dict) else None
    return key if isinstance(key, str) and KEY.fullmatch(key) else ""


def _launch(instance: Instance, number: str, record: Record) -> Launch:
    """Return a launch as far as its record describes it."""
    return Launch(
        launch=record.key,
        deployment=record.deployment,
        vendor=record.vendor,
        account="",
        conn_id=record.conn_id,
        **instance._asdict(),
        number=number,
        generation=record.generation,
        what=record.reference,
        reference=record.reference,
        content=content_of(record.body, record.reference),
        vendor_ids=ids_of(record),
        state=state_of(record),
        writer=record.writer,
        begun_at=record.intent_at,
    )
