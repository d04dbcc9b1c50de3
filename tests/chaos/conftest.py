# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One Airflow for all tests of this folder, with DAGs whose tasks are killed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.soak import soaking
from tests.integration.airflow import Airflow

PATIENCE = 4.0
"""Seconds that a retry is put off at most."""


@pytest.fixture(scope="package")
def airflow() -> Iterator[Airflow]:
    with soaking(PATIENCE) as running:
        yield running
