# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Briefs as people write them, and what is said when they do not."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.planning.brief import read_brief

SHIPPED = Path(__file__).parents[3] / "dags" / "briefs" / "harbour_homes.yaml"
LAUNCH = datetime(2026, 3, 28, 10, 0, tzinfo=timezone.utc)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "harbour_homes_audience.csv").write_text("email\n", encoding="utf-8")
    return tmp_path


def test_the_shipped_brief() -> None:
    brief = read_brief(SHIPPED, LAUNCH)
    assert brief.listings == ["listing_1001", "listing_1002", "listing_1003"]
    # 09:00 in London, two days after the launch: summer time has begun by then.
    assert brief.starts == "2026-03-30T08:00:00.000Z"
    assert brief.posts[0]["scheduled_for"] == "2026-03-28T10:12:00.000Z"
    assert brief.budget == 1450.5
    assert brief.report["campaign_id"] == "ca_1"
    assert read_brief(SHIPPED, LAUNCH) == brief


@pytest.mark.parametrize(
    ("old", "new", "place", "problem"),
    [
        ("starts: +2d 09:00", "starts: soon", "line 12, column 9: starts", "'soon' is not a time"),
        ("starts: +2d 09:00", "starts: 2026-12-01", "line 12, column 9: starts", "has no time of day"),
        ("starts: +2d 09:00", "starts: 9999-12-31 23:59", "line 12, column 9: starts", "is not a time"),
        ("ends: +16d 18:00", "ends: +1d", "line 13, column 7: ends", "is not after the start"),
        ("plan: facebookv2", "plam: facebookv2", "line 9, column 1: plam", "is not known here; did you mean 'plan'?"),
        ("budget: 1450.50", "budget: -3", "line 14, column 9: budget", "above 0"),
        ("  - listing_1003", "  - listing_1001", "line 8, column 5: listing 3", "named twice"),
        ("Europe/London", "Mars", "line 3, column 11: timezone", "no time zone 'Mars'"),
        ("listings:", "listings: [", "line 6, column 3", "this is not YAML"),
        ("agent: agent_7\n", "agent: a\nagent: b\n", "line 12, column 1: agent", "given twice"),
        (
            "file: harbour_homes_audience.csv",
            "file: nobody.csv",
            "line 19, column 9: audience.file",
            "no file 'nobody.csv'",
        ),
        ("    at: +12m\n", "", "line 23, column 5: post 1", "'at' is missing"),
        ("    at: +12m", "    at: +12m 09:00", "line 24, column 9: post 1, at", "goes with days and weeks only"),
        (
            "listings:\n",
            f"listings: [{', '.join(f'l{n}' for n in range(51))}]\nold:\n",
            "line 5, column 11: listings",
            "at most 50",
        ),
        ("campaign: Harbour Homes spring launch\n", "", "line 2, column 1", "'campaign' is missing"),
    ],
)
def test_a_mistake_is_pointed_at(old: str, new: str, place: str, problem: str, folder: Path) -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    assert old in text
    text = text.replace(old, new, 1)
    if new.endswith("old:\n"):
        text = text[: text.index("old:\n")] + text[text.index("plan:") :]
    (folder / "brief.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ValidationError) as caught:
        read_brief(folder / "brief.yaml", LAUNCH)
    assert str(caught.value).startswith(f"brief.yaml, {place}")
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the file is empty"),
        (b"\xff\xfe\xff", "UTF-16"),
        (b"- a\n- b\n", "must be a list of"),
        (b"\x00", "NUL bytes"),
    ],
)
def test_what_is_no_brief_at_all(content: bytes, problem: str, folder: Path) -> None:
    (folder / "brief.yaml").write_bytes(content)
    with pytest.raises(ValidationError, match=problem):
        read_brief(folder / "brief.yaml", LAUNCH)


def test_a_brief_that_is_not_there(folder: Path) -> None:
    with pytest.raises(ValidationError, match="there is no such file"):
        read_brief(folder / "missing.yaml", LAUNCH)
