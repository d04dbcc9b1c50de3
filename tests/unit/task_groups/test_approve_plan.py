# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A launch that a person approves once: what they approved leaves, and nothing else does.

======================================  =================================================================
what happens                            then
======================================  =================================================================
yes                                     each step launches without a question of its own, once
no                                      no step runs
the brief changes after the yes         the steps that differ ask by themselves
it cannot be launched                   nobody is asked
======================================  =================================================================
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.sdk import DAG

from airflow_provider_mkt.state.launches.approvals import APPROVED, Approvals
from airflow_provider_mkt.state.launches.launch import Launch
from airflow_provider_mkt.state.launches.register import Register
from airflow_provider_mkt.task_groups import approve_plan, launch
from airflow_provider_mkt.testing.approvals import UnansweredError
from airflow_provider_mkt.testing.runs import DagRunner
from tests.unit.task_groups.test_launch import CAMPAIGN, POSTS, REPORT

DAG_FILE = """
from datetime import timedelta
from airflow.sdk import dag, task
from airflow_provider_mkt.task_groups import launch

@dag(schedule=None, default_args={"retries": 1, "poll_interval": 60, "poke_interval": 60, "mode": "reschedule"})
def approved():
    launch("part.yaml", folder="FOLDER", steps=["campaign", "posts", "report"], approval="required")

approved()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "part.yaml").write_text(f"campaign: A part\n{CAMPAIGN}{POSTS}{REPORT}".replace("\n    ", "\n"))
    file = tmp_path / "approved.py"
    file.write_text(DAG_FILE.replace("FOLDER", str(tmp_path)))
    return file


def effects(result: Any) -> list[str]:
    return [each["effect"] for each in result.ledger if each["effect"] != "token.issued"]


@pytest.mark.proof
def test_one_yes_for_the_whole_launch(mkt_run_dag: DagRunner, file: Path) -> None:
    result = mkt_run_dag(file, approve={"launch.approve_plan": True})
    assert result.state == "success", result.errors
    assert sorted(effects(result)) == ["campaign.published", "post.created", "report.generated"]
    assert result.xcom("launch.approve_plan")["approved_by"] == "test"
    rows = Approvals().find()
    assert [(each.scope, each.state) for each in rows] == [("run", APPROVED)] * 3
    assert {each.launch for each in rows} == {each.launch for each in Register().find()}
    assert {each.approved_by for each in Register().find()} == {"test"}


@pytest.mark.slow
def test_a_no_launches_nothing(mkt_run_dag: DagRunner, file: Path) -> None:
    result = mkt_run_dag(file, approve=False)
    assert result.state == "failed"
    assert effects(result) == []
    assert result.states["launch.publish_campaign"] == "upstream_failed"


@pytest.mark.slow
def test_a_step_that_differs_asks_by_itself(mkt_run_dag: DagRunner, file: Path) -> None:
    """As if somebody had changed the DAG between the approval and the step."""
    source = file.read_text().replace("approved()\n", "", 1).replace("\napproved()", "")
    changed = 'made = approved()\nmade.get_task("launch.publish_campaign").branch_id = "branch_hill"\n'
    file.write_text(f"{source}\n{changed}")
    with pytest.raises(UnansweredError, match=r"launch\.publish_campaign asks a person: .*branch branch_hill"):
        mkt_run_dag(file, approve={"launch.approve_plan": True})
    assert [each.task_id for each in Register().find()] == []


@pytest.mark.slow
def test_nobody_is_asked_about_what_cannot_be_launched(
    mkt_run_dag: DagRunner, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_FLINQUE_DEFAULT")
    result = mkt_run_dag(file, approve=True)
    assert result.state == "failed"
    assert effects(result) == []
    assert Approvals().find() == []


def test_what_it_is_made_of() -> None:
    with DAG("few", schedule=None) as dag:
        launch("brief.yaml", steps=["posts"], prefix_group_id=False, approval="required")
    assert dag.get_task("approve_plan").upstream_task_ids >= {"preflight"}
    assert dag.get_task("schedule_posts").partial_kwargs["approval"] == "required"
    with DAG("none", schedule=None) as dag:
        launch("brief.yaml", steps=["posts"], prefix_group_id=False)
    assert "approve_plan" not in dag.task_ids
    with DAG("odd", schedule=None), pytest.raises(ValueError, match="approval must be"):
        launch("brief.yaml", approval="yes")


def test_what_is_shown_of_a_plan_holds_no_secret_of_its_connection() -> None:
    secret = "geheim-0123"
    post = {
        "method": "POST",
        "url": "https://api.example",
        "query": {"key": secret},
        "body": {"content": f"by {secret}"},
    }
    names = ("vendor", "account", "conn_id", "task_id", "what", "currency", "goes_live", "digest")
    request: Any = SimpleNamespace(**post, **dict.fromkeys(names, "x"), map_index=-1, amount=None, people=None, posts=1)
    task = Launch("", "here", "", "", "", "d", "r", "t", -1, "", 1, "")
    asked = approve_plan._asked(request, task, "ana", cast("Any", SimpleNamespace(secrets=[secret, ""])))
    assert secret not in asked.request
    assert '"content": "by ***"' in asked.request
