# Licensed under the Apache License, Version 2.0; see LICENSE.
"""How long rate limits keep a plan."""

from __future__ import annotations

from datetime import timezone
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_mkt.client.endpoint import Limit
from airflow_provider_mkt.plan.timing import duration, leaves_at

POST = {("social", "default"): Limit(100), ("social", "post_creation"): Limit(30)}
PUBLISH = {("living", "publish"): Limit(1, 1.0)}


def requests(*limits: Any) -> Any:
    return [SimpleNamespace(limits=each, zone=timezone.utc) for each in limits]


@pytest.mark.parametrize(
    ("limits", "least", "most"),
    [
        ([], None, None),
        ([POST], 0, 0),
        ([POST] * 30, 0, 2),
        ([POST] * 31, 60, 62),
        ([POST] * 100, 180, 184),
        ([PUBLISH] * 3, 2, 3),
        ([POST] * 30 + [PUBLISH], 0, 2),
    ],
    ids=["nothing", "one", "a full window", "one more", "four windows", "a slow budget", "another account"],
)
def test_the_last_request_leaves(limits: list[Any], least: float | None, most: float | None) -> None:
    found = leaves_at(requests(*limits))
    assert len(found) == len(limits)
    assert found == sorted(found)
    if least is not None and most is not None:
        assert least <= found[-1] <= most


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "under a second"),
        (45.4, "45 s"),
        (59.7, "1 min"),
        (134, "2 min 14 s"),
        (3600, "1 h"),
        (3905, "1 h 5 min"),
        (90_000, "25 h"),
    ],
)
def test_durations_for_people(seconds: float, told: str) -> None:
    assert duration(seconds) == told
