# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Functions as tasks: once, whatever the function returns the second time, and never rendered."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk import task as airflow_task

from airflow_provider_mkt.decorators import mkt_campaign, mkt_post, mkt_subscribers
from airflow_provider_mkt.exceptions import OutcomeUnknownError, ServerError, ValidationError
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task

CAMPAIGN = {"plan_ref": "facebookv2", "listing_external_ids": ["listing_1001"], "branch_id": "branch_harbour"}


class Function:
    """Returns one value after another, and counts its calls."""

    def __init__(self, *values: Any) -> None:
        self.values, self.calls = values, 0

    def __call__(self) -> Any:
        self.calls += 1
        return self.values[min(self.calls, len(self.values)) - 1]


def operator(decorator: Callable[..., Any], function: Function, **options: Any) -> Any:
    def publish() -> Any:
        return function()

    with DAG("launch", schedule=None):
        return decorator(**options)(publish)().operator


def posts(vendors: Sandbox) -> list[str]:
    return [post["content"] for post in FlowSocialHook().list_posts()]


def test_a_text_becomes_a_post(vendors: Sandbox, task: Task) -> None:
    result = operator(mkt_post, Function("{{ 7 * 7 }}"), channel_id="channel_1").execute(task.context)
    assert result["post_id"]
    assert posts(vendors) == ["{{ 7 * 7 }}"]


def test_more_of_a_post(vendors: Sandbox, task: Task) -> None:
    later = datetime(2099, 6, 8, 9, tzinfo=timezone.utc)
    value = {"content": "Open house", "channel_id": "channel_2", "scheduled_for": later}
    operator(mkt_post, Function(value), channel_id="channel_1").execute(task.context)
    (post,) = FlowSocialHook().list_posts()
    assert (post["channelId"], post["scheduledFor"]) == ("channel_2", int(later.timestamp() * 1000))


def test_a_campaign(vendors: Sandbox, task: Task) -> None:
    value = {**CAMPAIGN, "budget_override": Decimal("1500.00")}
    operator(mkt_campaign, Function(value), wait_for_completion=False).execute(task.context)
    assert task.record["body"]["budgetOverride"] == 1500
    assert len(vendors.ledger("flow_living", "campaign.published")) == 1


def test_people(vendors: Sandbox, task: Task) -> None:
    people = [{"email": "ada@example.com"}, {"email": "alan@example.com"}]
    result = operator(mkt_subscribers, Function(people), segment_ids=["seg_buyers"]).execute(task.context)
    assert result["upserted"] == 2
    assert "ada@" not in json.dumps(task.store.values), "personal data is not kept"


def test_a_retry_after_a_lost_answer_does_not_ask_again(vendors: Sandbox, task: Task) -> None:
    """A function that returns something else each time, such as a language model's text, is no second post."""
    vendors.fault("POST /flow-social/v1/posts", "drop_after", count=9)
    function = Function("Text one", "Text two")
    with pytest.raises(OutcomeUnknownError):
        operator(mkt_post, function, channel_id="channel_1").execute(task.context)
    vendors.clear_faults()
    task.retry()
    operator(mkt_post, function, channel_id="channel_1").execute(task.context)
    assert (function.calls, posts(vendors)) == (1, ["Text one"])


def test_a_cleared_task_attaches_without_asking(vendors: Sandbox, task: Task) -> None:
    function = Function("Text one", "Text two")
    for _ in range(2):
        operator(mkt_post, function, channel_id="channel_1").execute(task.context)
        task.clear()
    assert (function.calls, posts(vendors)) == (1, ["Text one"])
    operator(mkt_post, function, channel_id="channel_1", resubmit=True).execute(task.context)
    assert (function.calls, sorted(posts(vendors))) == (2, ["Text one", "Text two"])


def test_what_certainly_did_not_happen_asks_again(vendors: Sandbox, task: Task) -> None:
    vendors.fault("POST /flow-social/v1/posts", "status", status=422)
    function = Function("Text one", "Text two")
    with pytest.raises((ValidationError, ServerError)):
        operator(mkt_post, function, channel_id="channel_1").execute(task.context)
    vendors.clear_faults()
    task.retry()
    operator(mkt_post, function, channel_id="channel_1").execute(task.context)
    assert (function.calls, posts(vendors)) == (2, ["Text two"])


@pytest.mark.parametrize(
    ("decorator", "value", "words"),
    [
        (mkt_post, None, "returned nothing; return the text of the post, or an object with some of content"),
        (mkt_post, ["a"], "returned a list"),
        (mkt_post, {"contents": "a"}, "unknown field 'contents'; did you mean 'content'?"),
        (mkt_post, {"content": object()}, "returned a object"),
        (mkt_campaign, "spring", "returned a str; return a campaign"),
        (mkt_campaign, {**CAMPAIGN, "dry_run": True}, "unknown field 'dry_run'"),
        (mkt_subscribers, "ada@example.com", "return a list of people"),
        (mkt_subscribers, None, "returned a NoneType"),
    ],
)
def test_what_a_function_must_not_return(decorator: Any, value: Any, words: str, vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError) as caught:
        operator(decorator, Function(value)).execute(task.context)
    assert words in str(caught.value)


def test_airflow_knows_them() -> None:
    for name, function in (
        ("mkt_post", mkt_post),
        ("mkt_campaign", mkt_campaign),
        ("mkt_subscribers", mkt_subscribers),
    ):
        assert getattr(airflow_task, name) is function


DAG_FILE = """
    from airflow.sdk import DAG, task

    with DAG("functions", schedule=None, params={"town": "Malmö"}):

        @task
        def names():
            return ["{{ params.town }}", "{{ 7 * 7 }}"]

        @task.mkt_post(channel_id="channel_1")
        def mapped(name, greeting):
            return f"{greeting} {name}"

        @task.mkt_post(channel_id="{{ 'channel_2' }}")
        def plain(name, town):
            return f"{name[0]} in {town}"

        given = names()
        mapped.partial(greeting="{{ params.town }}:").expand(name=given)
        plain(given, town="{{ params.town }}")
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    from airflow.utils.db import initdb

    initdb()
    folder = Path(os.environ["AIRFLOW_HOME"]) / "dags"
    folder.mkdir(exist_ok=True)
    yield folder
    (folder / "functions.py").unlink()


@pytest.mark.slow
def test_what_upstream_hands_over_is_data(vendors: Sandbox, folder: Path) -> None:
    """The author's own arguments are templates; those of a map, or of another task, never are."""
    from airflow.dag_processing.dagbag import DagBag

    file = folder / "functions.py"
    file.write_text(textwrap.dedent(DAG_FILE))
    bag = DagBag(file)
    assert not bag.import_errors
    run = bag.dags["functions"].test()
    assert {str(each.state) for each in run.get_task_instances()} == {"success"}
    assert sorted(posts(vendors)) == ["Malmö: {{ 7 * 7 }}", "Malmö: {{ params.town }}", "{{ params.town }} in Malmö"]
