# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Launches of which a brief has only a part, run by Airflow against vendors whose time flies."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.plan.plan import brief_tasks, plan_of
from airflow_provider_mkt.plan.requests import Place
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.submission.deployment import deployment
from airflow_provider_mkt.task_groups import launch
from tests.unit.plan.test_same_requests import planned, sent

DAG_FILE = """
    from airflow.sdk import DAG
    from airflow_provider_mkt.task_groups import launch

    with DAG(
        "parts", schedule=None, params={"brief": "x.yaml"}, default_args={"poke_interval": 1, "poll_interval": 1}
    ):
        launch("{{ params.brief }}", folder="FOLDER", export_to="FOLDER/exports")
"""
CAMPAIGN = """
    listings: [listing_1001]
    plan: facebookv2
    branch: branch_harbour
    starts: +2d 09:00
    ends: +3d 09:00
"""
POSTS = """
    posts:
      - channel: channel_1
        at: +1h
        text: "{{ 7 * 7 }}"
"""
AUDIENCE = """
    audience:
      file: people.csv
      segments: [seg_buyers]
"""
REPORT = """
    report:
      type: campaign
      campaign_id: ca_1
"""


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(speed=20_000) as sandbox:
        for conn_id, connection in sandbox.connections.items():
            monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
        sandbox.switch({"flow_social.early_posts": True})
        yield sandbox


@pytest.fixture
def folder() -> Iterator[Path]:
    from airflow.utils.db import initdb

    initdb()
    folder = Path(os.environ["AIRFLOW_HOME"]) / "dags"
    folder.mkdir(exist_ok=True)
    (folder / "people.csv").write_text("email\nnew.person@example.com\n")
    yield folder
    for file in (*folder.glob("part*"), folder / "people.csv", *folder.glob("exports/*")):
        file.unlink()


def launched(folder: Path, brief: str) -> Any:
    """Launch a brief by Airflow, and return the run."""
    from airflow.dag_processing.dagbag import DagBag

    file = folder / "parts.py"
    file.write_text(textwrap.dedent(DAG_FILE).replace("FOLDER", str(folder)))
    (folder / "part.yaml").write_text(f"campaign: A part\n{textwrap.dedent(brief)}")
    bag = DagBag(file)
    assert not bag.import_errors
    return bag.dags["parts"].test(run_conf={"brief": "part.yaml"})


def run(folder: Path, brief: str) -> dict[str, str]:
    found = launched(folder, brief)
    return {each.task_id.removeprefix("launch."): str(each.state) for each in found.get_task_instances()}


ALWAYS = {"read_brief", "plan_launch", "plan_posts", "preflight"}


@pytest.mark.proof
@pytest.mark.parametrize(
    ("brief", "done", "effects"),
    [
        (
            CAMPAIGN,
            {"validate_campaign", "publish_campaign", "wait_until_live"},
            {"campaign.published"},
        ),
        (POSTS, {"schedule_posts", "wait_for_delivery"}, {"post.created"}),
        (AUDIENCE, {"update_audience"}, {"subscriber.created"}),
        (
            AUDIENCE + REPORT,
            {"update_audience", "generate_report", "wait_for_report", "export_report"},
            {"report.generated"},
        ),
    ],
    ids=["campaign without posts", "posts without campaign", "audience only", "audience and report"],
)
def test_a_part_of_a_launch(brief: str, done: set[str], effects: set[str], fast: Sandbox, folder: Path) -> None:
    states = run(folder, brief)
    assert {name for name, state in states.items() if state == "success"} == ALWAYS | done, states
    assert {state for name, state in states.items() if name not in ALWAYS | done} == {"skipped"}
    assert effects <= {entry["effect"] for entry in fast.ledger()}
    published = fast.ledger(effect="campaign.published")
    assert len(published) == ("publish_campaign" in done)


@pytest.mark.slow
def test_a_launch_begins_with_its_plan(fast: Sandbox, folder: Path) -> None:
    """What Airflow's own run has sent is what its first task has planned, byte for byte."""
    found = launched(folder, CAMPAIGN + POSTS + AUDIENCE + REPORT)
    assert str(found.state) == "success"
    tasks = brief_tasks(str(folder / "part.yaml"), found.run_after)
    place = Place("parts", found.run_id, deployment(), "launch.")
    told = next(each for each in found.get_task_instances() if each.task_id == "launch.plan_launch").xcom_pull(
        task_ids="launch.plan_launch"
    )
    assert (told["digest"], told["problems"], told["doubts"]) == (plan_of(tasks, place).digest, 0, 0)
    assert (told["requests"], told["people"], told["posts"]) == (4, 1, 1)
    assert sent(fast) == list(planned(tasks, place))


def test_steps_without_tasks() -> None:
    with DAG("few", schedule=None) as dag:
        launch("brief.yaml", steps=["posts"], prefix_group_id=False)
    names = {"read_brief", "plan_launch", "preflight", "plan_posts", "schedule_posts", "wait_for_delivery"}
    assert set(dag.task_ids) == names
    assert dag.get_task("preflight").upstream_task_ids >= {"plan_launch"}


def test_an_unknown_step() -> None:
    with DAG("none", schedule=None), pytest.raises(ValidationError, match="steps"):
        launch("brief.yaml", steps=["post"])
