# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A real DAG run: whatever a calendar, a brief, an audience or a task hands on reaches the vendor letter by letter."""

from __future__ import annotations

import csv
import json
import os
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_provider_mkt.hooks.flodesk import FlodeskHook
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.tasks import test_authored_templates

DAG_FILE = """
    import dataclasses, json, os
    from airflow.sdk import DAG, get_current_context, task
    from airflow_provider_mkt.operators.flinque import FlinqueGenerateReportOperator
    from airflow_provider_mkt.operators.flodesk import (
        FlodeskUnsubscribeOperator, FlodeskUpsertSubscribersOperator,
    )
    from airflow_provider_mkt.operators.flow_living import FlowLivingPublishCampaignOperator
    from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostOperator

    HERE = os.path.dirname(__file__)
    with DAG("hostile", schedule=None, render_template_as_native_obj=NATIVE):

        @task
        def calendar():
            from airflow_provider_mkt.planning.calendar import read_calendar
            return read_calendar(f"{HERE}/hostile.csv", get_current_context()["dag_run"].run_after)

        @task(multiple_outputs=True)
        def plan():
            from airflow_provider_mkt.planning.brief import read_brief
            return dataclasses.asdict(read_brief(f"{HERE}/hostile.yaml", get_current_context()["dag_run"].run_after))

        @task
        def posts(given):
            return given

        @task
        def people():
            return json.loads(os.environ["PEOPLE"])

        @task
        def reports(given):
            return [{"report": given}]

        brief = plan()
        FlowSocialSchedulePostOperator.partial(task_id="from_calendar").expand_kwargs(calendar())
        FlowSocialSchedulePostOperator.partial(task_id="from_brief").expand_kwargs(posts(brief["posts"]))
        FlinqueGenerateReportOperator.partial(task_id="report", wait_for_completion=False).expand_kwargs(
            reports(brief["report"])
        )
        FlowLivingPublishCampaignOperator(
            task_id="publish", plan_ref=brief["plan"], branch_id=brief["branch"], dry_run=True,
            listing_external_ids=brief["listings"], agent_external_id=brief["agent"],
            campaign_start_date=brief["starts"], campaign_end_date=brief["ends"], retries=0,
        )
        FlodeskUpsertSubscribersOperator(task_id="audience", path=brief["audience"], segment_ids=["{{ 'seg_buyers' }}"])
        FlodeskUnsubscribeOperator.partial(task_id="leave", retries=0).expand(id_or_email=people())
"""
HOSTILE = [*test_authored_templates.HOSTILE[:4], *test_authored_templates.HOSTILE[-3:-1]]
FIELDS = ("first_name", "last_name")


@pytest.fixture
def folder() -> Iterator[Path]:
    from airflow.utils.db import initdb

    initdb()
    folder = Path(os.environ["AIRFLOW_HOME"]) / "dags"
    folder.mkdir(exist_ok=True)
    yield folder
    for file in folder.glob("hostile*"):
        file.unlink()


def write_plans(folder: Path) -> None:
    """Write a calendar, a brief and an audience that hold something hostile wherever free text may stand."""
    with (folder / "hostile.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["at", "channel", "text", "topic", "owner"])
        rows.writerows([f"+1d 08:{minute:02}", "channel_1", text, text, text] for minute, text in enumerate(HOSTILE))
    with (folder / "hostile_people.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["email", *FIELDS])
        rows.writerows([f"p{number}@x.example", text, text] for number, text in enumerate(HOSTILE))
    brief = {
        "campaign": HOSTILE[0],
        "listings": HOSTILE[:3],
        "plan": HOSTILE[2],
        "branch": HOSTILE[3],
        "agent": HOSTILE[4],
        "starts": "+2d 09:00",
        "ends": "+3d 09:00",
        "sync": "int_adjust",
        "audience": {"file": "hostile_people.csv", "segments": ["seg_buyers"]},
        "posts": [{"channel": "channel_2", "at": "+1h", "text": text} for text in HOSTILE],
        "report": {"type": "campaign", "name": HOSTILE[1], "campaign_id": "ca_1"},
    }
    (folder / "hostile.yaml").write_text(yaml.safe_dump(brief))


def run(folder: Path, *, native: bool) -> dict[str, str]:
    """Run the DAG once and return the state of each task, by name and map index."""
    from airflow.dag_processing.dagbag import DagBag

    file = folder / "hostile.py"
    file.write_text(textwrap.dedent(DAG_FILE).replace("NATIVE", str(native)))
    bag = DagBag(file)
    assert not bag.import_errors
    found = bag.dags["hostile"].test()
    return {f"{each.task_id}.{each.map_index}": str(each.state) for each in found.get_task_instances()}


def sent(vendors: Sandbox, vendor: str, part: str) -> list[dict[str, Any]]:
    return [each for each in vendors.requests(vendor) if part in each["path"]]


@pytest.mark.proof
@pytest.mark.parametrize("native", [False, True], ids=["text", "native"])
def test_a_launch_full_of_templates(
    vendors: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch, *, native: bool
) -> None:
    people = [text for text in HOSTILE if "{{ conn." in text]
    monkeypatch.setenv("PEOPLE", json.dumps(people))
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps({"conn_type": "sqlite", "host": str(folder / "hostile.db")}))
    write_plans(folder)
    states = run(folder, native=native)

    posts: dict[str, list[str]] = {each: [] for each in ("channel_1", "channel_2")}
    for post in FlowSocialHook().list_posts():
        posts.setdefault(post["channelId"], []).append(post["content"])
    assert sorted(posts["channel_1"]) == sorted(HOSTILE)
    assert sorted(posts["channel_2"]) == sorted(HOSTILE)
    assert states["audience.-1"] == states["report.0"] == "success"
    known = {each["email"]: each for each in FlodeskHook().list_subscribers(segment_id="seg_buyers")}
    assert [[known[f"p{n}@x.example"][field] for field in FIELDS] for n in range(len(HOSTILE))] == [
        [text, text] for text in HOSTILE
    ]
    # Nobody has such an address, and Flow Living has no such plan: both are told so, about the text as it stands.
    assert states["leave.0"] == states["publish.-1"] == "failed"
    assert not (folder / "hostile.db").exists()
    everything = json.dumps(vendors.requests())
    assert "0x1F" in everything
    for connection in vendors.connections.values():
        if connection.get("password"):
            assert connection["password"] not in everything
