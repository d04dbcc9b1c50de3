# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt report``: one file that needs nothing else, and names nobody."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from airflow_provider_mkt.state.database.shared import separate_store
from airflow_provider_mkt.state.launches.launch import ACCEPTED, UNKNOWN
from airflow_provider_mkt.state.launches.register import Register
from airflow_provider_mkt.state.launches.stops import Stops
from tests.unit.state.launches.test_register import launch

SOON = (datetime.now(timezone.utc) + timedelta(days=2)).isoformat()


@pytest.fixture(autouse=True)
def _launched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AIRFLOW__MKT__DEPLOYMENT", "production")
    monkeypatch.setenv("AIRFLOW__MKT__CAPS", "GBP: month 100000")
    with separate_store(f"sqlite:///{tmp_path / 'shared.db'}"):
        register = Register()
        money = {"amount": 1_450_500, "currency": "GBP"}
        register.note(launch(1, state=ACCEPTED, goes_live=SOON, what="campaign for <3> homes", **money))
        register.note(launch(2, state=UNKNOWN, what="post for ana@example.com", triggered_by="Ana Lyst"))
        register.note(launch(3, state=ACCEPTED, what="a secret plan", deployment="staging"))
        yield


@pytest.fixture
def report(parser: argparse.ArgumentParser, tmp_path: Path) -> Callable[..., str]:
    def run(*words: str) -> str:
        path = tmp_path / "report.html"
        args = parser.parse_args(["mkt", "report", "--html", str(path), *words])
        args.func(args)
        return path.read_text(encoding="utf-8")

    return run


def test_it_says_what_is_open_planned_and_spent(report: Callable[..., str]) -> None:
    Stops().add({"vendor": "Flodesk"}, "prices", "Ana Lyst")
    text = " ".join(re.sub(r"<[^>]+>", " ", report().partition("<main>")[2]).split())
    assert "Stopped: vendor Flodesk" in text
    assert "campaign for &lt;3&gt; homes Vendor accepted 1,450.50 GBP" in text
    assert "Vendor 2 1 accepted, 1 unknown 1,450.50 GBP" in text
    assert "all accounts month 100,000.00 GBP 1,450.50 98,549.50" in text


def test_it_names_nobody_and_nothing_of_others(report: Callable[..., str]) -> None:
    text = report()
    for hidden in ("ana@example.com", "Ana Lyst", "a secret plan"):
        assert hidden not in text


def test_it_needs_nothing_else(report: Callable[..., str]) -> None:
    text = report()
    assert not re.search(r"://|<script|src=|href=|@import|url\(", text)


def test_a_file_that_cannot_be_written(parser: argparse.ArgumentParser, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("x")
    args = parser.parse_args(["mkt", "report", "--html", str(blocked / "report.html")])
    with pytest.raises(SystemExit, match=r"report\.html"):
        args.func(args)
