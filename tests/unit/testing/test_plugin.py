# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The plugin's fixtures, and what it costs those that use none of them."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from airflow_provider_mkt import clock
from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.testing import plugin
from airflow_provider_mkt.testing.movable_clock import MovableClock
from airflow_provider_mkt.testing.vendors import Vendors

OWN = {"airflow_provider_mkt", "airflow_provider_mkt.testing", "airflow_provider_mkt.testing.plugin"}


@pytest.mark.slow
def test_a_start_that_does_not_use_it_loads_nothing(tmp_path: Path) -> None:
    """Neither Airflow nor more of this package than the plugin itself."""
    (tmp_path / "test_nothing.py").write_text(
        "import sys\n"
        "def test_nothing(pytestconfig):\n"
        "    assert pytestconfig.pluginmanager.has_plugin('mkt')\n"
        "    own = {name for name in sys.modules if name.partition('.')[0] == 'airflow_provider_mkt'}\n"
        f"    assert own == {OWN!r}\n"
        "    assert not {'airflow', 'fastapi', 'requests', 'sqlalchemy', 'uvicorn'} & set(sys.modules)\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:schemathesis", "-p", "no:xdist", str(tmp_path)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stdout


def test_time_begins_now(mkt_time: MovableClock) -> None:
    assert abs((clock.utcnow() - datetime.now(timezone.utc)).total_seconds()) < 5


@pytest.mark.mkt_time("2026-03-29T00:30:00Z")
def test_time_begins_where_the_marker_says(mkt_time: MovableClock) -> None:
    assert abs((clock.utcnow() - datetime(2026, 3, 29, 0, 30, tzinfo=timezone.utc)).total_seconds()) < 5


@pytest.mark.mkt_time(start="2026-03-29T00:30:00Z")
def test_the_marker_takes_its_name(mkt_time: MovableClock) -> None:
    assert clock.utcnow().month == 3


@pytest.mark.parametrize("odd", ["", "yesterday", datetime(2026, 3, 29, tzinfo=timezone.utc)])
def test_a_marker_that_names_no_moment(odd: str) -> None:
    with pytest.raises(pytest.UsageError, match="write a moment like"):
        plugin._moment(odd)


def test_a_moment_is_no_text(mkt_time: MovableClock) -> None:
    for move in (mkt_time.move_to, lambda moment: mkt_time.at(moment, print)):
        with pytest.raises(TypeError, match="a datetime with a time zone, got '2026-03-29'"):
            move("2026-03-29")


def test_tokens_end_as_time_goes_on(mkt_sandbox: Vendors, mkt_time: MovableClock) -> None:
    hook = FlinqueHook()
    list(hook.list_campaigns())
    list(hook.list_campaigns())
    mkt_time.move(timedelta(days=2))
    list(hook.list_campaigns())
    tokens = [each for each in mkt_sandbox.requests("flinque") if each["path"].endswith("/token")]
    assert [each["status"] for each in tokens] == [200, 200]
    assert all(each["status"] == 200 for each in mkt_sandbox.requests("flinque"))


@pytest.mark.parametrize("lasts", [timedelta(seconds=3), 3])
def test_an_outage_ends_as_time_goes_on(mkt_sandbox: Vendors, mkt_time: MovableClock, lasts: timedelta | float) -> None:
    mkt_sandbox.outage("flinque", lasts)
    list(FlinqueHook().list_campaigns())
    assert {each["status"] for each in mkt_sandbox.requests("flinque")} == {503, 200}


def test_a_fault_of_no_vendor(mkt_sandbox: Vendors) -> None:
    with pytest.raises(ValueError, match="there is no vendor 'flinqe'; there are flinque, flodesk"):
        mkt_sandbox.fault("flinqe", "POST /campaigns", "drop-after")


@pytest.mark.parametrize(
    ("route", "kind", "words"),
    [
        ("POST /campaign", "drop-after", "no vendor has a route 'POST /campaign', .* did you mean 'POST /campaigns'"),
        ("POST /campaigns", "drop-afterwards", "kind must be one of"),
    ],
)
def test_a_fault_that_would_hit_nothing(mkt_sandbox: Vendors, route: str, kind: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        mkt_sandbox.fault("flinque", route, kind)
