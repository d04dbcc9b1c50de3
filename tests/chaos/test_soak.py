# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Fifty launches under random kills and faults; ``make chaos`` runs ten times as many."""

from __future__ import annotations

import pytest

from tests.chaos.soak import PUBLISHED, UNKNOWN, soak
from tests.integration.airflow import Airflow

pytestmark = pytest.mark.timeout(900)
LAUNCHES = 50


def test_every_launch_is_accounted_for(airflow: Airflow) -> None:
    result = soak(airflow, LAUNCHES)
    assert result.wrong == []
    assert sum(result.fates.values()) == LAUNCHES
    certain = LAUNCHES - result.fates[UNKNOWN] - len(result.shared)
    assert certain <= result.effects <= LAUNCHES
    assert (result.duplicates, result.silent, result.orphans) == (0, 0, 0)
    assert result.killed > 5, "too few kills to prove anything"
    assert result.faults > 5, "too few faults to prove anything"
    assert result.fates[PUBLISHED] < LAUNCHES
