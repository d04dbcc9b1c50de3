# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Mistakes planted in a DAG that has none: each is found, alone, and told with a remedy."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from airflow_provider_mkt.testing.parsed import DagImportError
from airflow_provider_mkt.testing.review import RULES, assert_launch_safe, launch_warnings

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = sorted((ROOT / "dags").glob("*.py"))
GOOD = '''
from datetime import datetime, timedelta
from airflow.sdk import dag, task
from airflow_provider_mkt.hooks.flow_living import FlowLivingHook
from airflow_provider_mkt.operators import PreflightOperator
from airflow_provider_mkt.operators.flow_living import FlowLivingPublishCampaignOperator
from airflow_provider_mkt.sensors.flow_living import FlowLivingCampaignStatusSensor

CAMPAIGN = {"plan_ref": "facebookv2", "listing_external_ids": ["listing_1001"], "branch_id": "branch_harbour"}

def tell(context):
    """Tell a person."""

@dag(schedule="@weekly", catchup=False, default_args={"retries": 2}, on_failure_callback=tell)
def launch():
    publish = FlowLivingPublishCampaignOperator(
        task_id="publish", wait_for_completion=False,
        campaign_start_date="{{ data_interval_end.add(days=2).isoformat() }}", **CAMPAIGN,
    )
    FlowLivingCampaignStatusSensor(
        task_id="live", campaign_tracking_id=publish.output["campaign_tracking_ids"], mode="reschedule", timeout=86_400,
    )

    @task
    def report():
        print(datetime.now())

    report()

launch()
'''
START = '"{{ data_interval_end.add(days=2).isoformat() }}"'
PUBLISH = 'task_id="publish", '
AGAIN = 'FlowLivingPublishCampaignOperator(task_id="again", {}**CAMPAIGN)\n\n    @task'
NOW = "{{ macros.datetime.now().isoformat() }}"
PLANTED: list[tuple[str, str, str]] = [
    ("same-launch", "@task", AGAIN.format("wait_for_completion=False, campaign_start_date=" + START + ", ")),
    ("no-preflight", "@task", AGAIN.format('campaign_start_date="{{ ds }}", ')),
    ("no-retries", '{"retries": 2}', "{}"),
    ("no-retry-policy", PUBLISH, PUBLISH + "retry_policy=None, "),
    ("resubmit", PUBLISH, PUBLISH + "resubmit=True, "),
    ("naive-time", START, '"2099-03-29T09:00:00"'),
    ("naive-time", START, "datetime(2099, 3, 29, 9)"),
    ("past-time", START, '"2020-03-29T09:00:00Z"'),
    ("fixed-time", START, '"2099-03-29T09:00:00Z"'),
    ("changing-template", START, f'"{NOW}"'),
    ("changing-template", '"branch_harbour"', '"branch_{{ ti.try_number }}"'),
    ("trigger-rule", "    report()", '    report() >> publish\n    publish.trigger_rule = "all_done"'),
    ("unwatched", "publish.output", "{'campaign_tracking_ids': ['queue_1']}"),
    ("short-timeout", "wait_for_completion=False", "execution_timeout=timedelta(minutes=5)"),
    ("short-interval", 'mode="reschedule"', 'mode="reschedule", poke_interval=1'),
    ("held-worker", 'mode="reschedule", ', ""),
    ("no-connection", PUBLISH, PUBLISH + 'flow_living_conn_id="flow_livin", '),
    ("wrong-connection", PUBLISH, PUBLISH + 'flow_living_conn_id="flinque_default", '),
    ("catchup", "catchup=False", "catchup=True, start_date=datetime(2020, 1, 1)"),
    ("fail-fast", "catchup=False", "catchup=False, fail_fast=True"),
    ("no-callback", ", on_failure_callback=tell", ""),
    ("hook-launch", "print(datetime.now())", "FlowLivingHook().publish_campaign(**CAMPAIGN)"),
    ("clock-in-file", '"branch_harbour"', 'f"branch_{datetime.now():%Y}"'),
    ("chance-in-file", '"branch_harbour"', "f\"branch_{__import__('random').randint(1, 9)}\""),
]
"""The rule, what is replaced in the DAG, and the mistake in its place."""
TOLD = re.compile(
    r"(again|launch|live|publish|report): .{20,}[\w)]\. "
    r"(Add|Build|Choose|Correct|Lower|Name|Put|Raise|Remove|Set|Use) .+\. \[[a-z-]+\]"
)
"""Where it is, what is wrong, what to do."""
TWICE = """
from airflow.sdk import dag
from airflow_provider_mkt.task_groups import launch

@dag(schedule=None, default_args={"retries": 2})
def launches():
    launch("spring.yaml", folder="briefs", group_id="first")
    launch("%s.yaml", folder="briefs", group_id="second")

launches()
"""


@pytest.fixture(autouse=True)
def connections(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("flow_living", "flow_social", "flodesk", "flinque", "flokit"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{kind.upper()}_DEFAULT", json.dumps({"conn_type": kind}))


def written(folder: Path, text: str) -> Path:
    path = folder / "launch.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_dag_without_mistakes(tmp_path: Path) -> None:
    assert_launch_safe(written(tmp_path, GOOD))


@pytest.mark.parametrize(("rule", "good", "bad"), PLANTED, ids=lambda value: str(value)[:24])
def test_each_mistake_is_found(tmp_path: Path, rule: str, good: str, bad: str) -> None:
    assert good in GOOD
    found = launch_warnings(written(tmp_path, GOOD.replace(good, bad, 1)))
    assert rule in {each.rule for each in found}, found
    message = next(str(each) for each in found if each.rule == rule)
    assert TOLD.fullmatch(message), message
    assert message.endswith(f" [{rule}]")
    with pytest.raises(AssertionError, match=rule):
        assert_launch_safe(tmp_path / "launch.py")
    assert rule not in {each.rule for each in launch_warnings(tmp_path / "launch.py", ignore=[rule])}


def test_two_launches_of_one_brief(tmp_path: Path) -> None:
    found = [each for each in launch_warnings(written(tmp_path, TWICE % "spring")) if each.rule == "same-launch"]
    assert {"second.publish_campaign", "second.schedule_posts"} <= {each.place for each in found}
    assert "second.schedule_posts: launches the same as first.schedule_posts" in "\n".join(map(str, found))


def test_launches_of_two_briefs_are_no_mistake(tmp_path: Path) -> None:
    assert "same-launch" not in {each.rule for each in launch_warnings(written(tmp_path, TWICE % "summer"))}


def test_every_rule_has_its_mistake() -> None:
    assert {rule for rule, _, _ in PLANTED} == set(RULES)
    assert len(PLANTED) >= 20


def test_no_such_rule(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no rule 'no-retry'; there are same-launch, no-retries"):
        launch_warnings(written(tmp_path, GOOD), ignore=["no-retry"])


def test_one_rule_is_ignored_by_its_name(tmp_path: Path) -> None:
    assert launch_warnings(written(tmp_path, GOOD), ignore="no-retries") == []


def test_a_file_without_a_dag(tmp_path: Path) -> None:
    """Such as one whose last line, the call of the function, was forgotten."""
    with pytest.raises(DagImportError, match=r"makes no DAG\. Is the function that makes it called"):
        launch_warnings(written(tmp_path, "from airflow.sdk import dag\n@dag\ndef launch():\n    pass\n"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_dags_have_none(path: Path) -> None:
    """Whom to tell, and how a worker waits, is for each installation to say."""
    assert_launch_safe(path, ignore=["no-callback", "held-worker"])
