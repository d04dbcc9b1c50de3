# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The tab on a task's page: its launch, or its launches."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.pages.conftest import Browser, launch, put

pytestmark = pytest.mark.slow

Browsers = Callable[[str], Browser]
TASK = {"dag": "spring", "run": "r1", "task": "publish"}


@pytest.mark.parametrize("index", ["-1", "{MAP_INDEX}", ""])
def test_the_only_launch_is_shown_at_once(index: str, browser: Browsers, store: Any) -> None:
    """Airflow's UI leaves the name of the index as it is where a task is not mapped."""
    put(store, launch(1), launch(2, run_id="r2"), launch(3, map_index=0), launch(4, deployment="staging"))
    answer = browser("vera").get("/task", **TASK, index=index)
    assert answer.headers["location"] == f"/mkt-ui/launches/{launch(1).launch}"


def test_several_are_listed(browser: Browsers, store: Any) -> None:
    put(store, *(replace(launch(each, map_index=7), number=str(each)) for each in range(3)))
    page = browser("vera").get("/task", **TASK, index="7").text
    assert len(re.findall(r'href="/mkt-ui/launches/\d{36}"', page)) == 3


def test_none(browser: Browsers, store: Any) -> None:
    page = browser("vera").get("/task", **TASK, index="-1").text
    assert "This task has launched nothing" in page
    assert 'href="/dags/spring/runs/r1/tasks/publish/task-state-store"' in page


def test_a_damaged_index(browser: Browsers, store: Any) -> None:
    assert browser("vera").get("/task", **TASK, index="x").status_code == 400


def test_of_a_dag_that_a_person_may_not_see(browser: Browsers, store: Any) -> None:
    put(store, launch(1, dag_id="autumn"))
    assert browser("sam").get("/task", **{**TASK, "dag": "autumn"}, index="-1").status_code == 404
