# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The example DAGs, as shipped, with plans that cannot be carried out: nothing is begun anywhere."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mkt.sandbox.server import Sandbox

pytestmark = pytest.mark.slow

SHIPPED = Path(__file__).parents[2] / "dags"


@pytest.fixture
def folder() -> Iterator[Path]:
    """The example DAGs where Airflow looks for DAGs."""
    from airflow.utils.db import initdb

    initdb()
    folder = Path(os.environ["AIRFLOW_HOME"]) / "dags" / "examples"
    shutil.copytree(SHIPPED, folder, ignore=shutil.ignore_patterns("__pycache__"))
    yield folder
    shutil.rmtree(folder)


def run(folder: Path, dag_id: str, **conf: str) -> dict[str, str]:
    """Run a DAG once and return the states of its tasks that ran."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(folder / f"{dag_id}.py")
    assert not bag.import_errors
    tasks: list[Any] = bag.dags[dag_id].test(run_conf=conf).get_task_instances()
    return {each.task_id: str(each.state) for each in tasks if str(each.state) != "upstream_failed"}


def effects(vendors: Sandbox) -> set[str]:
    return {entry["effect"] for entry in vendors.ledger()}


def test_a_launch_on_a_channel_that_does_not_exist(
    vendors: Sandbox, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    brief = folder / "briefs" / "harbour_homes.yaml"
    text = brief.read_text(encoding="utf-8")
    brief.write_text(
        text.replace("channel: channel_3", "channel: instagram").replace("[seg_buyers]", "[seg_buyers, seg_gone]")
    )
    states = run(folder, "mkt_campaign_launch", brief="harbour_homes.yaml")
    assert states == dict.fromkeys(("read_brief", "plan_launch", "plan_posts"), "success") | {"preflight": "failed"}
    assert effects(vendors) <= {"token.issued"}
    told = capfd.readouterr()
    for problem in ("post 3: there is no channel 'instagram'", "segments: Flodesk has no segment 'seg_gone'"):
        assert problem in told.out + told.err


def test_a_calendar_with_a_channel_that_does_not_exist(vendors: Sandbox, folder: Path) -> None:
    (folder / "calendars" / "spring.csv").write_text(
        "at,channel,text\n+1d 09:00,channel_1,Viewings on Saturday.\n+2d 09:00,instagram,Viewings on Sunday.\n"
    )
    states = run(folder, "mkt_social_calendar", calendar="spring.csv")
    assert states == {"read_calendar": "success", "preflight": "failed"}
    assert effects(vendors) <= {"token.issued"}


def test_the_vendors_are_asked_to_call_once(vendors: Sandbox, folder: Path) -> None:
    for _ in range(2):
        assert run(folder, "mkt_webhooks") == {"reports": "success", "posts": "success"}
    created = {entry["reference"] for entry in vendors.ledger(effect="webhook.created")}
    assert created == {
        f"https://airflow.example.com/mkt/webhooks/{name}_default" for name in ("flinque", "flow_social")
    }
    assert len(vendors.ledger(effect="webhook.created")) == 2
