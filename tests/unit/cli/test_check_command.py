# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt check``: what it says of good files and of bad ones, for people, for programs and for pre-commit."""

from __future__ import annotations

import argparse
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
DAGS = ROOT / "dags"
FILES = ROOT / "tests" / "unit" / "planning" / "files"
LAUNCH = "2026-03-01T10:00"


@pytest.fixture
def run(parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str | Path) -> tuple[int, str]:
        parsed = parser.parse_args(["mkt", "check", "--launch", LAUNCH, *map(str, arguments)])
        try:
            parsed.func(parsed)
        except SystemExit as ended:
            return int(ended.code or 0), capsys.readouterr().out
        return 0, capsys.readouterr().out

    return run


def test_the_shipped_files(run: Any) -> None:
    status, told = run(DAGS / "briefs" / "harbour_homes.yaml", DAGS / "calendars" / "spring.csv")
    assert status == 0
    lines = [" ".join(line.split()) for line in told.splitlines()]
    assert "Sun 2026-03-01 10:00 Europe/London sync int_adjust" in lines
    assert "Sun 2026-03-01 10:00 Europe/London 64 people of harbour_homes_audience.csv join seg_buyers" in lines
    starts = "Tue 2026-03-03 09:00 Europe/London campaign 'Harbour Homes spring launch' starts: 3 homes, "
    assert f"{starts}plan facebookv2, branch branch_harbour, budget 1,450.50" in lines
    assert any(
        line.startswith("Sun 2026-03-01 10:12 Europe/London post 1: post to channel_1: Three new") for line in lines
    )
    assert any(
        line.startswith("Mon 2026-03-02 08:30 Europe/London line 2: post to channel_1: Five min") for line in lines
    )
    assert any(line.startswith("after the launch report: campaign") for line in lines)


def test_all_problems_of_all_files(run: Any) -> None:
    bad = ["briefs/many_problems.yaml", "calendars/many_problems.csv", "audiences/addresses.csv"]
    status, told = run(*(FILES / name for name in bad))
    assert status == 1
    for count, name in zip((5, 7, 4), bad, strict=True):
        assert f"{FILES / name}: {count} problems" in told
    for place in (
        "line 7, column 5: listing 3",
        "line 6, column 'at'",
        "addresses.csv, line 8: email is not an e-mail",
    ):
        assert place in told
    assert "@" not in told


def test_json_is_for_programs(run: Any) -> None:
    status, told = run("--output", "json", FILES / "calendars" / "semicolons.csv", FILES / "calendars" / "past_row.csv")
    good, bad = json.loads(told)
    assert status == 1
    assert (good["kind"], good["ok"], bad["ok"]) == ("calendar", True, False)
    assert good["launches"] == [
        {
            "when": "2026-12-01T09:00:00.000Z",
            "local": "Tue 2026-12-01 09:00 UTC",
            "what": "line 2: post to channel_1: Hello, you",
        }
    ]
    assert good["notes"] == ["semicolons.csv: cells are separated by semicolons."]
    (problem,) = bad["problems"]
    assert (problem["file"], problem["line"], problem["column"]) == ("past_row.csv", 4, "at")


def test_yaml(run: Any) -> None:
    status, told = run("--output", "yaml", FILES / "audiences" / "plain.csv")
    assert status == 0
    ((found,),) = (yaml.safe_load(told),)
    assert (found["kind"], found["launches"][0]["what"]) == ("audience", "1 person")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("audiences/own_export.jsonl.gz", "audience"),
        ("audiences/mailchimp_header.csv", "audience"),
        ("audiences/flodesk_ids.csv", "audience"),
        ("audiences/calendar_like.csv", "audience"),
        ("calendars/compressed.csv.gz", "calendar"),
        ("calendars/did_you_mean.csv", "calendar"),
        ("briefs/plain.yaml", "brief"),
    ],
)
def test_kinds_are_told_apart(name: str, kind: str, run: Any) -> None:
    assert json.loads(run("--output", "json", FILES / name)[1])[0]["kind"] == kind


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("calendars/workbook.csv", "this is an Excel workbook"),
        ("calendars/empty.csv", "the file is empty"),
        ("audiences/no_email.csv", "it is no calendar (columns at, channel, text) and no audience (column email)"),
        ("audiences/nowhere.csv", "there is no such file"),
    ],
)
def test_what_is_none_of_them(name: str, problem: str, run: Any) -> None:
    status, told = run(FILES / name)
    assert status == 1
    assert problem in told


@pytest.mark.parametrize("name", ["audiences/nowhere.csv", "briefs/nowhere.yaml", "calendars/workbook.csv"])
def test_a_file_is_named_once(name: str, run: Any) -> None:
    _, told = run(FILES / name)
    assert [line.count(Path(name).name) for line in told.splitlines()] == [1, 1]


def test_texts_of_others_stay_readable_and_move_no_cursor(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("at,channel,text\n+1d,channel_1,Zürich \x9b2J\n", encoding="utf-8")
    for output in ("json", "yaml"):
        _, told = run("--output", output, path)
        assert "Zürich" in told
        assert "\x9b" not in told


def test_a_brief_with_a_bad_audience(run: Any, tmp_path: Path) -> None:
    shutil.copy(FILES / "briefs" / "plain.yaml", tmp_path / "plain.yaml")
    (tmp_path / "people.csv").write_text("email\nada@example.com\nkeeper\n")
    status, told = run(tmp_path / "plain.yaml")
    assert status == 1
    assert "people.csv, line 3: email is not an e-mail address" in told
    assert "keeper" not in told


def test_notes_and_terminals(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"at,channel,text\n+1d,channel_1,\x1b[31m{'x' * 400} [/b]\n")
    status, told = run(path)
    assert status == 0
    assert "line 2: the text has 410 characters; Twitter takes 280." in told
    assert "\x1b" not in told
    assert re.search(r"Mon 2026-03-02 10:00 UTC +line 2: post to channel_1:  \[31mx+…", told)


def test_an_odd_launch(parser: argparse.ArgumentParser) -> None:
    parsed = parser.parse_args(["mkt", "check", "--launch", "soon", "a.csv"])
    with pytest.raises(SystemExit, match="--launch must be a date and time"):
        parsed.func(parsed)


def test_the_pre_commit_hook() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert hook["entry"] == "airflow mkt check"
    pattern = re.compile(hook["files"])
    assert all(pattern.search(name) for name in ("dags/briefs/a.yaml", "calendars/b.csv", "audiences/c.jsonl.gz"))
    assert not pattern.search("docker-compose.yaml")
