# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Many at once reserve money on both databases: a cap is used up to its last unit, and never exceeded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from airflow_provider_mkt.exceptions import LaunchRefusedError
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.launches.admission import admit
from airflow_provider_mkt.state.launches.caps import Cap
from airflow_provider_mkt.state.launches.register import Register
from tests.unit.state.launches.test_register import launch

WORKERS, LAUNCHES, ROOM = 8, 160, 40
CAPS = (Cap("day", ROOM * 10, "GBP", "vendor/a"), Cap("month", LAUNCHES * 10, "GBP"))


def test_a_cap_is_used_to_its_end_and_not_exceeded(url: str) -> None:
    stores = [Store(url, 30.0) for _ in range(WORKERS)]

    def begins(number: int) -> bool:
        try:
            admit(launch(number, amount=10, currency="GBP"), lambda: stores[number % WORKERS], caps=CAPS)
        except LaunchRefusedError:
            return False
        return True

    with ThreadPoolExecutor(WORKERS) as pool:
        begun = sum(pool.map(begins, range(LAUNCHES)))
    rows = Register(lambda: stores[0]).find(limit=LAUNCHES)
    for each in stores:
        each.close()
    assert begun == len(rows) == ROOM
