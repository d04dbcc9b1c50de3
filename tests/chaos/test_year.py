# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A year of the three example DAGs, on the test's clock, in two halves for two cores.

Invariant: whatever the calendar, the tokens and the vendors do, everything happens once, and at the local time that was
planned.

| What happens in the year | What must hold |
| --- | --- |
| both changes of clocks in London | posts go out at nine there, an hour apart in UTC |
| all tokens end many times | new ones are fetched, and nothing fails |
| Flinque is out for eight minutes, Flow Social for one | retries get through, and nothing is doubled |

There is a report a day. A run of the report takes 0.28 s of a core, where it took 0.52 s with Airflow's own in-process
server (60 runs each, while others used the two cores as well). On two cores with nothing else to do the halves took
between 53 and 60 s each, in two runs.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections import Counter, defaultdict
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mkt.testing.movable_clock import MovableClock
from airflow_provider_mkt.testing.parsed import load
from airflow_provider_mkt.testing.runs import DagRunner
from airflow_provider_mkt.testing.vendors import Vendors
from tests.docs.blocks import ROOT

HALVES = {"2026-01-01T00:00:05Z": 181, "2026-07-01T00:00:05Z": 184}
"""When each half begins, and how many days it has."""
LAUNCHES = {
    datetime(2026, 3, 28, 20, tzinfo=timezone.utc): "2026-03-29T08:00",
    datetime(2026, 10, 24, 20, tzinfo=timezone.utc): "2026-10-25T09:00",
}
"""When a brief is launched, and when its first post goes out: at nine in London, on the day after."""
OUTAGES = {
    datetime(2026, 3, 26, tzinfo=timezone.utc): ("flinque", timedelta(minutes=8)),
    datetime(2026, 10, 24, tzinfo=timezone.utc): ("flow_social", timedelta(minutes=1)),
}
MONTHS = (1, 4, 7, 10)
CALENDAR = "at,channel,text\n+2h,channel_1,The harbour of month {0}\n+3h,channel_3,The hill of month {0}\n"

log = logging.getLogger(__name__)


class Year:
    """The example DAGs, read once, and what their runs came to."""

    def __init__(self, run: DagRunner, vendors: Vendors, clock: MovableClock, folder: Path) -> None:
        self._run, self._vendors, self._clock, self._folder = run, vendors, clock, folder
        names = ("mkt_attribution_report", "mkt_campaign_launch", "mkt_social_calendar")
        self._dags = {name: load(ROOT / "dags" / f"{name}.py") for name in names}
        self.outages = {moment: outage for moment, outage in OUTAGES.items() if moment >= clock.utcnow()}
        self.runs: Counter[str] = Counter()
        self.seconds: dict[str, float] = defaultdict(float)

    def of(self, name: str, moment: datetime, conf: dict[str, str], logical_date: datetime | None = None) -> Any:
        """Run a DAG at a moment, or as soon as the one before has ended."""
        self._clock.move_to(max(moment, self._clock.utcnow()))
        begun = time.monotonic()
        result = self._run(self._dags[name], conf=conf, logical_date=logical_date)
        self.seconds[name] += time.monotonic() - begun
        assert result.state == "success", (name, moment, result.errors)
        self.runs[name] += 1
        return result

    def report(self, day: datetime) -> None:
        conf = {"export_to": str(self._folder / "exports")}
        assert len(self.of("mkt_attribution_report", day, conf, day).happened("report.generated")) == 1

    def calendar(self, day: datetime) -> None:
        path = self._folder / f"{day:%m}.csv"
        path.write_text(CALENDAR.format(day.month), encoding="utf-8")
        posts = self.of("mkt_social_calendar", day, {"calendar": str(path)}).happened("post.created")
        assert len(posts) == 2

    def launch(self, moment: datetime, brief: Path, nine: str) -> None:
        conf = {"brief": str(brief), "export_to": str(self._folder / "exports")}
        launch = self.of("mkt_campaign_launch", moment, conf)
        assert launch.xcom("plan_posts")[0]["scheduled_for"].startswith(nine)
        effects = Counter(each["effect"] for each in launch.ledger)
        once = {"campaign.published": 1, "post.created": 3, "report.generated": 1, "sync.started": 1}
        assert {name: effects[name] for name in once} == once

    def day(self, day: datetime, brief: Path) -> None:
        """What is due on a day: first a vendor's outage, then the report and posts, and in the evening a launch."""
        for begins in [moment for moment in self.outages if moment <= day]:
            self._vendors.outage(*self.outages.pop(begins))
        self.report(day)
        if day.day == 5 and day.month in MONTHS:
            self.calendar(day + timedelta(hours=8))
        for moment, nine in LAUNCHES.items():
            if moment.date() == day.date():
                self.launch(moment, brief, nine)


@pytest.fixture
def brief(tmp_path: Path) -> Path:
    """The example's brief, with posts at nine in London, on the day after the launch."""
    text = (ROOT / "dags" / "briefs" / "harbour_homes.yaml").read_text(encoding="utf-8")
    for minutes, hour in (("+12m", "09:00"), ("+14m", "09:30"), ("+15m", "10:00")):
        assert minutes in text
        text = text.replace(minutes, f"+1d {hour}")
    shutil.copy(ROOT / "dags" / "briefs" / "harbour_homes_audience.csv", tmp_path)
    path = tmp_path / "harbour_homes.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("begins", "days"),
    [pytest.param(*half, marks=pytest.mark.mkt_time(half[0]), id=half[0][:7]) for half in HALVES.items()],
)
def test_half_a_year(  # noqa: PLR0917 - fixtures
    mkt_run_dag: DagRunner,
    mkt_sandbox: Vendors,
    mkt_time: MovableClock,
    brief: Path,
    tmp_path: Path,
    begins: str,
    days: int,
) -> None:
    year, begun = Year(mkt_run_dag, mkt_sandbox, mkt_time, tmp_path), time.monotonic()
    start = datetime.fromisoformat(begins[:10]).replace(tzinfo=timezone.utc)
    end = start + timedelta(days=days)
    for number in range(days):
        year.day(start + timedelta(days=number), brief)
    took, spent = time.monotonic() - begun, {name: round(seconds) for name, seconds in year.seconds.items()}
    log.info("half a year took %.0f s: runs %s, seconds %s", took, dict(year.runs), spent)

    launches = sum(start <= moment < end for moment in LAUNCHES)
    calendars = sum(start.month <= month < start.month + 6 for month in MONTHS)
    assert (calendars, launches) == (2, 1)
    assert year.runs == {
        "mkt_attribution_report": days,
        "mkt_social_calendar": calendars,
        "mkt_campaign_launch": launches,
    }
    happened = Counter(each["effect"] for each in mkt_sandbox.ledger())
    assert happened["report.generated"] == days + launches
    assert happened["post.created"] == 2 * calendars + 3 * launches
    assert happened["campaign.published"] == happened["sync.started"] == launches
    assert happened["token.issued"] > days, "tokens end within a day"
    assert len(list((tmp_path / "exports").glob("attribution-*.csv"))) == days
    assert all(moment >= end for moment in year.outages)
    assert mkt_time.utcnow() > end - timedelta(days=1)
