# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A plan beside the register, which real launches have filled.

| What is in the register | the plan must say |
|---|---|
| nothing | nothing |
| the same brief in another run | each campaign and post is launched already; no difference |
| the same run | nothing: it is this one |
| the same text at another time, or through another account | nothing is launched already; the difference |
| what was refused, failed or stopped | nothing is launched already |
| a brief with other texts | no last run |
| a line was put in before others | one new request, the others the same |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mkt.plan.comparison import last_run, scheduled_already
from airflow_provider_mkt.plan.plan import Plan, brief_tasks, plan_of
from airflow_provider_mkt.plan.requests import Place
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state.launches.launch import FAILED, REFUSED, STOPPED
from airflow_provider_mkt.state.launches.register import Register
from airflow_provider_mkt.submission.deployment import deployment
from tests.unit.context import Task

LAUNCH = datetime(2089, 3, 1, 10, tzinfo=timezone.utc)
BRIEF = """
campaign: Spring
timezone: Europe/London
listings: [listing_1001, listing_1002]
plan: facebookv2
branch: branch_harbour
starts: 2089-04-01 09:00
ends: 2089-05-01 09:00
budget: 100
posts:
  - {channel: channel_1, at: 2089-04-01 10:00, text: One}
  - {channel: channel_2, at: 2089-04-02 10:00, text: Two}
report: {type: campaign}
"""
Planning = Callable[..., Plan]


@pytest.fixture
def planning(tmp_path: Path, vendors: Sandbox) -> Planning:
    """Plan a brief for a run, and launch it there if that is wanted."""

    def planning(run_id: str, brief: str = BRIEF, *, launch: bool = False, **conf: Any) -> Plan:
        file = tmp_path / "spring.yaml"
        file.write_text(brief)
        tasks = brief_tasks(str(file), LAUNCH, conf)
        plan = plan_of(tasks, Place("spring", run_id, deployment()))
        assert plan.problems == []
        for each in tasks.sending if launch else ():
            each.operator.wait_for_completion = False
            place = {"dag_id": "spring", "run_id": run_id, "task_id": each.operator.task_id}
            each.operator.execute(Task(**place, map_index=each.map_index).context)
        return plan

    return planning


def test_nothing_before_the_first_launch(planning: Planning) -> None:
    plan = planning("r1")
    assert scheduled_already(plan) == []
    assert last_run(plan) is None


def test_the_same_brief_in_another_run(planning: Planning) -> None:
    planning("r1", launch=True)
    plan = planning("r2")
    found = scheduled_already(plan)
    assert [each.partition(",")[0] for each in found] == ["request 1", "request 2", "request 3"], "the report is none"
    assert "r1 of spring (accepted" in found[0]
    last = last_run(plan)
    assert last is not None
    assert (last.run_id, list(last.differences), last.same) == ("r1", [], 4)


def test_this_very_run_is_no_other_one(planning: Planning) -> None:
    planning("r1", launch=True)
    plan = planning("r1")
    assert scheduled_already(plan) == []
    assert last_run(plan) is None


def test_what_was_changed(planning: Planning) -> None:
    planning("r1", launch=True)
    changed = BRIEF.replace("budget: 100", "budget: 250.5").replace("2089-04-02 10:00", "2089-04-03 08:30")
    plan = planning("r2", changed)
    assert [each.partition(",")[0] for each in scheduled_already(plan)] == ["request 2"]
    last = last_run(plan)
    assert last is not None
    assert last.same == 2
    told = "\n".join(last.differences)
    assert "request 1: it costs 250.50" in told
    assert "it was 100.00" in told
    assert "request 3: it goes live Sun 2089-04-03 08:30 Europe/London, it was Sat 2089-04-02 10:00" in told


def test_a_line_that_was_put_in_and_one_that_is_gone(planning: Planning) -> None:
    planning("r1", launch=True)
    new = "posts:\n  - {channel: channel_3, at: 2089-04-01 07:00, text: Zero}"
    last = last_run(planning("r2", BRIEF.replace("posts:", new).replace("report: {type: campaign}", "")))
    assert last is not None
    assert last.same == 3
    assert [each.partition(":")[0] for each in last.differences] == ["request 2 is new", "no longer there"]


def test_a_text_behind_the_words_that_the_register_shows(planning: Planning) -> None:
    long = "Word " * 30
    planning("r1", BRIEF.replace("text: One", f"text: {long}one"), launch=True)
    last = last_run(planning("r2", BRIEF.replace("text: One", f"text: {long}two")))
    assert last is not None
    assert [each.partition(":")[2].strip()[:19] for each in last.differences] == ["its content differs"]


def test_another_account(planning: Planning, connect: Callable[..., str]) -> None:
    planning("r1", launch=True)
    connect("flow_social", "social_uk", login="uk")
    plan = planning("r2", flow_social_conn_id="social_uk")
    assert [each.partition(",")[0] for each in scheduled_already(plan)] == ["request 1"]
    last = last_run(plan)
    assert last is not None
    assert [each.partition(":")[0] for each in last.differences] == ["request 2", "request 3"]
    assert "the account is" in last.differences[0]


@pytest.mark.parametrize("state", [REFUSED, FAILED, STOPPED])
def test_what_has_no_effect_any_more(state: str, planning: Planning) -> None:
    planning("r1", launch=True)
    register = Register()
    for row in register.find():
        register.note(replace(row, state=state), row.writer)
    assert scheduled_already(planning("r2")) == []


def test_another_brief_of_the_same_dag(planning: Planning) -> None:
    planning("r1", launch=True)
    other = BRIEF.replace("branch_harbour", "branch_hill").replace("One", "Three").replace("Two", "Four")
    assert last_run(planning("r2", other)) is None
    last = last_run(planning("r2", other), against="r1")
    assert last is not None
    assert len(last.differences) == 3
