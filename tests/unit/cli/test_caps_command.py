# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt caps``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mkt.hooks.account import account_name
from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
from airflow_provider_mkt.state.database import shared as stores
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.launches.admission import admit
from tests.unit.state.launches.test_register import launch

EXTRA = {"request_type": "campaigns", "currency": "GBP", "caps": "launch 2000, day 5000"}


@pytest.fixture(autouse=True)
def _spent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    made: dict[int, Store] = {}
    monkeypatch.setattr(stores, "_stores", made)
    monkeypatch.setenv("AIRFLOW__MKT__STATE_URL", f"sqlite:///{tmp_path / 'shared.db'}")
    monkeypatch.setenv("AIRFLOW__MKT__CAPS", "GBP: month 100000")
    connection = {"conn_type": "flow_living", "login": "us", "password": "key", "extra": EXTRA}
    monkeypatch.setenv("AIRFLOW_CONN_OURS", json.dumps(connection))
    account = account_name(FlowLivingHook("ours").account)
    admit(launch(1, amount=1_450_500, currency="GBP", conn_id="ours", account=account))
    admit(launch(2, amount=100_000, currency="GBP", conn_id="gone", account="other", dag_id="summer"))
    yield
    for each in made.values():
        each.close()


@pytest.fixture
def caps(parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[dict[str, Any]]]:
    def run(*words: str) -> list[dict[str, Any]]:
        args = parser.parse_args(["mkt", "caps", *words, "--output", "json"])
        capsys.readouterr()
        args.func(args)
        found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
        return found

    return run


def test_what_is_used_left_and_by_whom(caps: Callable[..., list[dict[str, Any]]]) -> None:
    rows = caps()
    assert [(row["for"], row["a"], row["cap"], row["used"], row["left"], row["used_by"]) for row in rows] == [
        ("all accounts", "month", "100,000.00 GBP", "1,550.50", "98,449.50", "spring 1,450.50, summer 100.00"),
        ("ours", "launch", "2,000.00 GBP", "", "", ""),
        ("ours", "day", "5,000.00 GBP", "1,450.50", "3,549.50", "spring 1,450.50"),
    ]
    assert [bool(row["resets"]) for row in rows] == [True, False, True]


def test_a_connection_that_is_named(caps: Callable[..., list[dict[str, Any]]]) -> None:
    assert {row["for"] for row in caps("ours")} == {"all accounts", "ours"}
    with pytest.raises(SystemExit, match="no connection 'gone'"):
        caps("gone")


def test_what_cannot_be_read(caps: Callable[..., list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__MKT__CAPS", "GBP: week 5")
    with pytest.raises(SystemExit, match="'week' is no cap"):
        caps()
