# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``airflow mkt launches``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_provider_mkt.cli.desk_definition import LAUNCH_STATES
from airflow_provider_mkt.state.database import shared as stores
from airflow_provider_mkt.state.database.store import Store
from airflow_provider_mkt.state.launches.admission import admit
from airflow_provider_mkt.state.launches.launch import STATES, UNKNOWN
from airflow_provider_mkt.state.launches.register import Register
from tests.unit.state.launches.test_register import launch


@pytest.fixture(autouse=True)
def _two_launches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    made: dict[int, Store] = {}
    monkeypatch.setattr(stores, "_stores", made)
    monkeypatch.setenv("AIRFLOW__MKT__STATE_URL", f"sqlite:///{tmp_path / 'shared.db'}")
    admit(launch(1, launch="aa" + "0" * 33 + "1", amount=1_450_500, currency="GBP"))
    admit(launch(2, launch="ab" + "0" * 33 + "2", what="post [bold]\x1b[2J", dag_id="summer", map_index=3))
    Register().note(launch(2, launch="ab" + "0" * 33 + "2", state=UNKNOWN, vendor_ids='["p_1"]'))
    yield
    for each in made.values():
        each.close()


def test_all_the_latest_first(run: Callable[..., str]) -> None:
    rows = json.loads(run("launches", "list", "--output", "json"))
    assert [(row["launch"], row["state"], row["amount"], row["task"]) for row in rows] == [
        ("ab000000", "unknown", "", "publish [3]"),
        ("aa000000", "leaving", "1,450.50 GBP", "publish"),
    ]


@pytest.mark.parametrize("output", ["table", "plain", "yaml"])
def test_texts_do_nothing_to_the_terminal(output: str, run: Callable[..., str]) -> None:
    told = run("launches", "list", "--output", output)
    assert "\x1b[2J" not in told
    assert "bold" in told


def test_filters(run: Callable[..., str]) -> None:
    def found(*words: str) -> list[str]:
        return [row["launch"][:2] for row in json.loads(run("launches", "list", *words, "--output", "json"))]

    assert found("--dag-id", "summer") == ["ab"]
    assert found("--state", "leaving", "refused") == ["aa"]
    assert found("--limit", "1") == ["ab"]
    assert found("--since", "1d") == ["ab", "aa"]
    assert found("--since", "2050-01-01") == []
    assert found("--since", "99999d") == ["ab", "aa"]
    for wrong in ("yesterday", "100000d", "9" * 5_000 + "d"):
        with pytest.raises(SystemExit, match="--since"):
            run("launches", "list", "--since", wrong)


@pytest.mark.parametrize("vendor", ["Flow Social", "flow social", "flow_social"])
def test_a_vendor_by_its_name_or_type(vendor: str, run: Callable[..., str]) -> None:
    admit(launch(3, launch="b" * 36, vendor="Flow Social"))
    found = json.loads(run("launches", "list", "--vendor", vendor, "--output", "json"))
    assert {each["vendor"] for each in found} == {"Flow Social"}


def test_a_vendor_that_there_is_not_is_no_empty_list(run: Callable[..., str]) -> None:
    with pytest.raises(SystemExit, match="There is no vendor 'Flow Socal'; there are Flinque, "):
        run("launches", "list", "--vendor", "Flow Socal")


def test_one_by_the_beginning_of_its_name(run: Callable[..., str]) -> None:
    [shown] = json.loads(run("launches", "show", "ab", "--output", "json"))
    assert (shown["dag_id"], shown["vendor_ids"], shown["state"]) == ("summer", ["p_1"], "unknown")
    assert "1450.5" in run("launches", "show", "aa")
    lines = run("launches", "show", "ab").splitlines()
    assert any(re.fullmatch(r"vendor_ids +- p_1", line) for line in lines), lines
    with pytest.raises(SystemExit, match="several launches begin with 'a'"):
        run("launches", "show", "a")
    with pytest.raises(SystemExit, match="no launch begins with 'x'"):
        run("launches", "show", "x")


def test_states_of_the_command_are_those_of_the_register() -> None:
    assert LAUNCH_STATES == STATES
