# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Whatever a vendor's ids are, a stop goes on to the next launch: one row keeps no other one live."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_mkt.control.ending import CANNOT, UNCONFIRMED, end_all
from airflow_provider_mkt.state.database.shared import separate_store
from airflow_provider_mkt.state.launches.admission import admit
from airflow_provider_mkt.state.launches.launch import ACCEPTED, Launch
from airflow_provider_mkt.state.launches.register import Register
from airflow_provider_mkt.state.launches.stops import Stop
from airflow_provider_mkt.submission.desk import MAX_IDS

ONE = Launch("1" * 36, "here", "Flow Social", "a", "flow_social_default", "d", "r", "t", -1, "0", 1, "post")


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, no_records: None) -> Iterator[None]:
    with separate_store(f"sqlite:///{tmp_path}/state.db"):
        yield


@pytest.mark.parametrize("vendor", ["Flow Social", "Flow Living"])
@pytest.mark.parametrize(
    "ids",
    [
        '{"post_ids": ["' + "x" * (MAX_IDS - 20),
        "[1]",
        '"text"',
        '{"post_ids": 7, "campaign_tracking_ids": 7}',
        "[" * 9_999,
    ],
    ids=lambda ids: ids[:12],
)
def test_odd_ids_of_one_launch(ids: str, vendor: str) -> None:
    for number, odd in ((1, ids), (2, "")):
        launch = replace(ONE, launch=f"{number:036d}", vendor=vendor)
        admit(launch)
        Register().note(replace(launch, state=ACCEPTED, vendor_ids=odd))
    ended = end_all(Stop(0), 0.0, lambda _: None).launches
    assert [ended[f"{number:036d}"].state for number in (1, 2)] == [UNCONFIRMED, CANNOT]
