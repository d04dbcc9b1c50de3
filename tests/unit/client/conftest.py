# Licensed under the Apache License, Version 2.0; see LICENSE.
from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_mkt.clock import using
from tests.contract.wire import Raw, answer
from tests.unit.client.clock import Clock


@pytest.fixture
def clock() -> Iterator[Clock]:
    """Both drivers wait by this clock."""
    clock = Clock()
    with using(clock):
        yield clock


@pytest.fixture
def vendor(clock: Clock) -> Iterator[Raw]:
    """Answers every request with an empty object."""
    with Raw(answer("{}")) as vendor:
        yield vendor
