# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the tests of the operators share."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture
def no_analytics(connect: Callable[..., str]) -> None:
    """No analytics host can be asked about campaigns; test_flow_living_analytics is about those who have one."""
    connect("flow_living", "flow_living_default", extra={"analytics_host": ""})
