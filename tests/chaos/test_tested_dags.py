# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The pytest plugin at work: the tests that a page shows, and the example DAGs over months with outages."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from airflow_provider_mkt.testing.movable_clock import MovableClock
from airflow_provider_mkt.testing.runs import DagRunner
from airflow_provider_mkt.testing.vendors import Vendors
from tests.docs.blocks import ROOT, files

SHOWN = {block.title: block.text for block in files() if block.page == "docs/testing.md"}
SPRING, AUTUMN = datetime(2026, 3, 28, 6, tzinfo=timezone.utc), datetime(2026, 10, 24, 6, tzinfo=timezone.utc)
"""The days before clocks in London change."""
ONCE = Counter({"campaign.published": 1, "post.created": 3, "report.generated": 1, "sync.started": 1})
"""What a launch of the brief is."""
BRIEF = "harbour_homes.yaml"


def test_the_tests_that_are_shown_pass(tmp_path: Path) -> None:
    assert set(SHOWN) == {"launch.py", "test_launch.py"}
    for name, text in SHOWN.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no", "test_launch.py"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False)
    assert f"{SHOWN['test_launch.py'].count('def test_')} passed" in run.stdout, run.stdout[-5_000:]


@pytest.fixture
def brief(tmp_path: Path) -> Path:
    """The example's brief, with posts two days after the launch at nine o'clock in London."""
    text = (ROOT / "dags" / "briefs" / BRIEF).read_text(encoding="utf-8")
    for minutes, hour in (("+12m", "09:00"), ("+14m", "09:30"), ("+15m", "10:00")):
        assert minutes in text
        text = text.replace(minutes, f"+2d {hour}")
    shutil.copy(ROOT / "dags" / "briefs" / "harbour_homes_audience.csv", tmp_path)
    path = tmp_path / BRIEF
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.mkt_time("2026-03-28T06:00:00Z")
def test_a_launch_on_either_side_of_both_changes_of_clocks(
    mkt_run_dag: DagRunner, mkt_sandbox: Vendors, mkt_time: MovableClock, brief: Path, tmp_path: Path
) -> None:
    """Seven months with two outages, in which all tokens end many times: everything happens once, at nine in London."""
    dags, conf = ROOT / "dags", {"brief": str(brief), "export_to": str(tmp_path / "exports")}
    for day, nine in ((SPRING, "2026-03-30T08:00"), (AUTUMN, "2026-10-26T09:00")):
        mkt_time.move_to(max(day, mkt_time.utcnow()))
        mkt_sandbox.outage("flow_social", timedelta(minutes=1))
        launch = mkt_run_dag(dags / "mkt_campaign_launch.py", conf=conf)
        assert launch.state == "success", launch.errors
        assert launch.xcom("plan_posts")[0]["scheduled_for"].startswith(nine)
        assert Counter(each["effect"] for each in launch.ledger if each["effect"] in ONCE) == ONCE
    assert mkt_time.utcnow() > AUTUMN


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
