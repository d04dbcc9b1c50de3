# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One sandbox for all tests of this folder, reset before each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.sandbox.vendors import Caller


@pytest.fixture(scope="session")
def running() -> Iterator[Sandbox]:
    """The sandbox itself, at speed 1: tests move its clock instead of waiting."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    """A sandbox in its first moment."""
    running.reset()
    return running


@pytest.fixture
def call(sandbox: Sandbox) -> Iterator[Caller]:
    """Requests with valid credentials of each vendor."""
    with Caller(sandbox) as caller:
        yield caller
