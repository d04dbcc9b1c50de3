# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Content calendars, and what is said about mistakes in them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostsOperator
from airflow_provider_mkt.planning.calendar import read_calendar
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task

LAUNCH = datetime(2026, 3, 28, 10, 0, tzinfo=timezone.utc)
HEADER = "at,channel,text"


def write(folder: Path, text: str) -> Path:
    path = folder / "calendar.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_lines_become_posts(tmp_path: Path) -> None:
    path = write(
        tmp_path, f'{HEADER},timezone\n+2d 09:00,channel_1,"Hello, you",Europe/London\n2026-12-01 09:00,channel_2,Hi,\n'
    )
    assert read_calendar(path, LAUNCH) == [
        {"channel_id": "channel_1", "content": "Hello, you", "scheduled_for": "2026-03-30T08:00:00.000Z"},
        {"channel_id": "channel_2", "content": "Hi", "scheduled_for": "2026-12-01T09:00:00.000Z"},
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"{HEADER}\nsoon,c,x\n", "calendar.csv, line 2, column 'at': 'soon' is not a time"),
        (f"{HEADER}\n+1d 09:00,c,x\n+1d 25:00,c,x\n", "calendar.csv, line 3, column 'at': 25:00 is no time of day"),
        (f"{HEADER}\n+1d 09:00,,x\n", "calendar.csv, line 2, column 'channel': is empty"),
        (f"{HEADER}\n+1d 09:00,c,{'x' * 10_001}\n", "calendar.csv, line 2, column 'text': it has 10,001 characters"),
        (f"{HEADER}\n+1d 09:00,c,x,y\n", "calendar.csv, line 2: it has more cells than the header"),
        (f"{HEADER},timezone\n+1d 09:00,c,x,Mars\n", "calendar.csv, line 2, column 'timezone': there is no time zone"),
        ("at,channel\n+1d,c\n", "calendar.csv, line 1: the column 'text' is missing"),
        (f"{HEADER},colour\n+1d,c,x,red\n", "calendar.csv, line 1: unknown column 'colour'"),
        (f"{HEADER}\n", "calendar.csv, line 2: the calendar holds no posts"),
        (f'{HEADER}\n+1d 09:00,c,"x\n', "calendar.csv, line 2: it is not CSV"),
    ],
)
def test_a_mistake_is_pointed_at(text: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError) as caught:
        read_calendar(write(tmp_path, text), LAUNCH)
    assert problem in str(caught.value)


def test_one_row_in_the_past_and_nothing_is_sent(vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    rows = [(LAUNCH + timedelta(days=days)).strftime("%Y-%m-%d %H:%M") for days in (1, 2, -1, 3)]
    path = write(tmp_path, f"{HEADER}\n" + "".join(f"{at},channel_1,{number}\n" for number, at in enumerate(rows)))
    with pytest.raises(ValidationError, match=r"calendar.csv, line 4, column 'at': .* is in the past: the launch is"):
        FlowSocialSchedulePostsOperator(task_id="posts", posts=read_calendar(path, LAUNCH)).execute(task.context)
    assert vendors.requests() == []
