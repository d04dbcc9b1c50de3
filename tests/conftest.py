# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Everything runs against an Airflow home of its own and against the sandbox over real HTTP."""

from __future__ import annotations

import base64
import json
import os
import re
import sys
import tempfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

# Before anything imports Airflow: its home must be neither the user's nor left behind.
_HOME = tempfile.TemporaryDirectory(prefix="mkt-tests-", ignore_cleanup_errors=True)
os.environ["AIRFLOW_HOME"] = _HOME.name
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{Path(_HOME.name) / 'airflow.db'}"
os.environ["AIRFLOW__CORE__FERNET_KEY"] = base64.urlsafe_b64encode(os.urandom(32)).decode()
os.environ["AIRFLOW__MKT__DEPLOYMENT"] = "tests"

from airflow_provider_mkt.sandbox.server import Sandbox  # noqa: E402
from tests.contract.wire import Raw  # noqa: E402

# The masker compiles its pattern anew for every secret. Most tests tell it the same ones in the same order.
re._MAXCACHE = 50_000  # type: ignore[attr-defined]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--cases", type=int, default=0, help="run this many cases of each parametrized test; 0 means all of them"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out all but a few cases of each test, the same ones every time."""
    if not (wanted := config.getoption("--cases")):
        return
    tests: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        tests[item.nodeid.partition("[")[0]].append(item)
    kept = {
        item
        for cases in tests.values()
        for item in sorted(cases, key=lambda case: zlib.crc32(case.nodeid.encode()))[:wanted]
    }
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


@pytest.fixture(autouse=True)
def nothing_masked() -> None:
    """Airflow's masker makes one pattern of all that it was ever told, for every secret and every line of a log.

    Over thousands of tests that would take most of their time.
    """
    masker = sys.modules.get("airflow.sdk._shared.secrets_masker")
    if masker is not None:
        masker.reset_secrets_masker()


@pytest.fixture
def no_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests of this process left in Airflow's database is nothing that a stop has to end."""
    from airflow_provider_mkt.control.records import AirflowDatabase

    monkeypatch.setattr(AirflowDatabase, "submissions", lambda *_: iter(()))


@pytest.fixture
def serve() -> Iterator[Callable[..., Raw]]:
    """Start servers that give one answer to every request; ended with the test."""
    with ExitStack() as running:
        yield lambda reply: running.enter_context(Raw(reply))


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[Sandbox]:
    with Sandbox(speed=600) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The vendors, as new, behind their default connections; no rate limits unless the test sets some."""
    running_sandbox.reset()
    running_sandbox.limits({"*": None})
    for conn_id, connection in running_sandbox.connections.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
    return running_sandbox
