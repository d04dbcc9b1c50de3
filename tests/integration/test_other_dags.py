# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The other example DAGs under a real scheduler and triggerer. After the launches, which count what the vendors saw."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from airflow_provider_mkt.planning.calendar import read_calendar
from scripts.demo.layout import PROJECT
from tests.integration.airflow import Airflow, Run, until

pytestmark = pytest.mark.timeout(900)
TIMEOUT = 300.0
TWITTER = ("channel_2", 280)
CALENDAR = """\
at,channel,text
+8m,channel_1,"First, the harbour"
+9m,channel_2,Then the hill
+10m,channel_3,And the way between
"""


@pytest.fixture(scope="module")
def runs(airflow: Airflow, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("plans")
    (folder / "calendar.csv").write_text(CALENDAR, encoding="utf-8")
    return {
        "mkt_social_calendar": airflow.run(
            "mkt_social_calendar", "mkt_social_calendar", {"calendar": str(folder / "calendar.csv")}
        ),
        "mkt_attribution_report": Run(
            airflow,
            "mkt_attribution_report",
            until("the scheduled run", lambda: airflow.api.unpause("mkt_attribution_report")),
        ),
    }


def test_every_line_of_a_calendar_is_posted_once(airflow: Airflow, runs: dict[str, Run]) -> None:
    run = runs["mkt_social_calendar"]
    assert run.finished(TIMEOUT) == "success", run.tasks()
    for content in ("First, the harbour", "Then the hill", "And the way between"):
        assert len(airflow.sandbox.ledger("flow_social", "post.created", content)) == 1


def test_the_attribution_report_is_filed(airflow: Airflow, runs: dict[str, Run]) -> None:
    run = runs["mkt_attribution_report"]
    assert run.finished(TIMEOUT) == "success", run.tasks()
    path = Path(airflow.api.xcom(run, "export_report")["path"])
    yesterday = datetime.now(timezone.utc).date() - timedelta(days=1)
    assert path.name == f"attribution-{yesterday:%Y-%m-%d}.csv"
    assert path.read_text(encoding="utf-8").startswith("date,")
    assert [each.name for each in path.parent.iterdir()].count(path.name) == 1
    assert not list(path.parent.glob(".*.part"))
    assert set(airflow.api.xcom(run, "log_revenue")) >= {"orders", "total", "currency"}


def test_the_calendar_that_is_shipped_can_be_scheduled() -> None:
    posts = read_calendar(PROJECT / "dags" / "calendars" / "spring.csv", datetime.now(timezone.utc))
    assert len(posts) >= 40
    assert len({post["content"] for post in posts}) == len(posts), "two posts alike look like one posted twice"
    assert all(len(post["content"]) <= TWITTER[1] for post in posts if post["channel_id"] == TWITTER[0])
