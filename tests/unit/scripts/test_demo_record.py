# Licensed under the Apache License, Version 2.0; see LICENSE.
from __future__ import annotations

from pathlib import Path

import pytest

from scripts.demo.layout import Layout
from scripts.demo.record import Instance, Started, describe, sole_runner


def _instance() -> Instance:
    services = [describe("api-server"), Started("db-migrate", 2**22 + 1, 1.0)]
    return Instance("up", describe("runner"), "http://127.0.0.1:1", "http://127.0.0.1:2", services=services)


def test_record_survives_a_round_trip(tmp_path: Path) -> None:
    instance = _instance()
    instance.save(tmp_path / "record")
    assert Instance.load(tmp_path / "record") == instance


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"mode": "up"}'])
def test_unreadable_record_counts_as_none(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "record"
    if text is not None:
        path.write_text(text)
    assert Instance.load(path) is None


def test_up_only_while_everything_runs_that_ran_at_the_start() -> None:
    instance = _instance()
    assert instance.running() == 1
    assert not instance.is_up(), "the start was not finished"
    instance.ready = 1
    assert instance.is_up()
    instance.ready = 2
    assert not instance.is_up(), "one of two ended"


def test_process_is_known_by_its_start_time() -> None:
    me = describe("me")
    assert me.alive() is not None
    assert Started("me", me.pid, me.created - 60).alive() is None


def test_only_one_runner_at_a_time(tmp_path: Path) -> None:
    layout = Layout.of(tmp_path)
    with sole_runner(layout) as first, sole_runner(layout) as second:
        assert first
        assert not second
    with sole_runner(layout) as third:
        assert third


def test_clean_start_keeps_only_the_lock(tmp_path: Path) -> None:
    layout = Layout.of(tmp_path)
    with sole_runner(layout):
        layout.start_clean()
        (layout.airflow / "airflow.db").touch()
        (layout.home / "elsewhere").symlink_to(tmp_path)
        layout.start_clean()
        assert {path.name for path in layout.home.iterdir()} == {"airflow", "lock", "logs"}
        assert not any(layout.airflow.iterdir())
        assert layout.home.stat().st_mode & 0o077 == 0
