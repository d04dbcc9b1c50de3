# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The pytest plugin at work: the tests that a page shows, and an example DAG through an outage."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from airflow_provider_mkt.testing.movable_clock import MovableClock
from airflow_provider_mkt.testing.runs import DagRunner
from airflow_provider_mkt.testing.vendors import Vendors
from tests.docs.blocks import ROOT, files

SHOWN = {block.title: block.text for block in files() if block.page == "docs/testing.md"}


def test_the_tests_that_are_shown_pass(tmp_path: Path) -> None:
    assert set(SHOWN) == {"launch.py", "test_launch.py"}
    for name, text in SHOWN.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no", "test_launch.py"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False)
    assert f"{SHOWN['test_launch.py'].count('def test_')} passed" in run.stdout, run.stdout[-5_000:]


@pytest.mark.mkt_time("2026-03-29T00:00:05Z")
def test_a_report_a_day_through_an_outage(
    mkt_run_dag: DagRunner, mkt_sandbox: Vendors, mkt_time: MovableClock, tmp_path: Path
) -> None:
    for days in range(3):
        day = datetime(2026, 3, 29, tzinfo=timezone.utc) + timedelta(days=days)
        mkt_time.move_to(max(day, mkt_time.utcnow()))
        if days == 1:
            mkt_sandbox.outage("flinque", timedelta(minutes=8))
        conf = {"export_to": str(tmp_path / "exports")}
        report = mkt_run_dag(ROOT / "dags" / "mkt_attribution_report.py", logical_date=day, conf=conf)
        assert report.state == "success", report.errors
        assert len(report.happened("report.generated")) == 1
    assert len(list((tmp_path / "exports").glob("attribution-*.csv"))) == 3
