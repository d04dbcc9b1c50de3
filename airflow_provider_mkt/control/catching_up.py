# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the register was not told of while the shared store was away, from the records of the tasks.

A launch that begins without the store has no row, and one whose answer comes without it stays ``leaving``. The next try
writes what is missing. A task that has succeeded has no next try, and a stop would pass its launch by.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import Any

from airflow_provider_mkt import clock
from airflow_provider_mkt.control.records import AirflowDatabase
from airflow_provider_mkt.control.settling import Instance
from airflow_provider_mkt.state.launches.launch import LEAVING, NOT_SENT, UNKNOWN, WITHOUT_EFFECT, Launch
from airflow_provider_mkt.state.launches.register import KEPT, Register
from airflow_provider_mkt.state.launches.stops import Stop
from airflow_provider_mkt.submission.deployment import deployment
from airflow_provider_mkt.submission.desk import ids_of, state_of
from airflow_provider_mkt.submission.record import Record, content_of
from airflow_provider_mkt.submission.summary import read

BEHIND = (LEAVING, UNKNOWN)
"""States of the register that the record may have left long ago."""
AT_ONCE = 500
"""Records that are looked up together."""
KEY = re.compile("[0-9a-f-]{36}")
"""What names a launch."""
NO_LAUNCH = "webhook_id"
"""What a record names that starts nothing at a vendor."""


def catch_up(stop: Stop, register: Register, *, in_force: bool) -> None:
    """Bring the register up to date with the records of this deployment.

    :param stop: only what it is for
    :param in_force: whether it has been for so long that what was not sent never will be
    :raises StoreError: when the store fails
    :raises sqlalchemy.exc.SQLAlchemyError: when Airflow's database fails
    """
    ours = deployment()
    records = _records(stop)
    while some := list(islice(records, AT_ONCE)):
        rows = register.named({value["key"] for _, _, value in some})
        for instance, number, value in some:
            row, record = rows.get(value["key"]), None
            if row is None or row.state in BEHIND:
                record = read(value)
            if record is None or record.problem or record.deployment != ours or record.id_field == NO_LAUNCH:
                continue
            launch = _launch(instance, number, record)
            if row is not None:
                _renew(register, row, launch, in_force=in_force)
            elif launch.state not in WITHOUT_EFFECT and stop.covers(launch):
                register.enter(launch)


def _renew(register: Register, row: Launch, launch: Launch, *, in_force: bool) -> None:
    # A try that was let begin a moment ago has not written yet that its request leaves.
    if launch.state != row.state and (in_force or launch.state != NOT_SENT):
        register.replace(row, replace(row, state=launch.state, vendor_ids=launch.vendor_ids, writer=launch.writer))


def _records(stop: Stop) -> Iterator[tuple[Instance, str, dict[str, Any]]]:
    """Yield what may be the record of a launch: the task instance, the number within it, and the record's values."""
    since = datetime.fromtimestamp(clock.now(), timezone.utc) - timedelta(seconds=KEPT)
    for instance, number, text in AirflowDatabase().submissions(since, stop.dag_id, stop.run_id):
        with suppress(ValueError):  # nothing that this package wrote
            value = json.loads(text)
            if isinstance(value, dict) and KEY.fullmatch(str(value.get("key"))):
                yield instance, number, value


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
