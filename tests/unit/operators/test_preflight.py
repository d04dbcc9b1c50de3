# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A launch that cannot finish begins nothing: all that is wrong is told at once, and nothing has happened anywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_mkt.exceptions import NotSentError, ServerError, ValidationError
from airflow_provider_mkt.operators import PreflightOperator
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task

CAMPAIGN = {
    "plan_ref": "facebookv2",
    "listing_external_ids": ["listing_1001"],
    "branch_id": "branch_harbour",
    "agent_external_id": "agent_7",
    "campaign_start_date": None,
}
POST = {"channel_id": "channel_1", "content": "Viewings on Saturday.", "scheduled_for": "2099-01-01T09:00:00Z"}


@pytest.fixture
def launch(tmp_path: Path) -> dict[str, Any]:
    """A launch that nothing stands in the way of."""
    people = tmp_path / "people.csv"
    people.write_text("email,first_name\nada@x.example,Ada\nbo@x.example,Bo\n")
    return {
        "campaign": CAMPAIGN,
        "posts": [POST, {**POST, "channel_id": "channel_2"}],
        "audience": str(people),
        "segment_ids": ["seg_buyers"],
        "integration_id": "int_adjust",
        "report": {"type": "campaign", "campaign_id": "ca_1"},
    }


def asked(vendors: Sandbox, task: Task, launch: dict[str, Any]) -> list[str]:
    """Run the preflight and return the problems that it tells; nothing may have happened at any vendor."""
    with pytest.raises(ValidationError) as caught:
        PreflightOperator(task_id="preflight", **launch).execute(task.context)  # type: ignore[arg-type]
    assert nothing_happened(vendors)
    title, *problems = str(caught.value).split("\n- ")
    assert title.startswith("Nothing was begun: the launch has ")
    assert DEFAULT.evaluate(caught.value, 1, 3).action.value == "fail"
    return problems


def nothing_happened(vendors: Sandbox) -> bool:
    return {entry["effect"] for entry in vendors.ledger()} <= {"token.issued"}


def test_nothing_stands_in_the_way(vendors: Sandbox, task: Task, launch: dict[str, Any]) -> None:
    found = PreflightOperator(task_id="preflight", **launch).execute(task.context)  # type: ignore[arg-type]
    assert found == {"checked": ["integration", "audience", "campaign", "posts", "report"]}
    assert nothing_happened(vendors)


def test_a_brief_without_an_audience_needs_no_connection_for_one(vendors: Sandbox, task: Task) -> None:
    """It has no segments then, which is an empty list."""
    operator = PreflightOperator(task_id="preflight", posts=[POST], audience=None, segment_ids=[])
    assert operator.execute(task.context) == {"checked": ["posts"]}  # type: ignore[arg-type]
    assert {entry["vendor"] for entry in vendors.requests()} == {"flow_social"}


def test_everything_that_is_wrong_is_told_at_once(
    vendors: Sandbox, task: Task, launch: dict[str, Any], tmp_path: Path
) -> None:
    people = tmp_path / "people.csv"
    people.write_text("email,first_nam,budgett\nada@x.example,Ada,1\nnobody,Bo,2\n")
    problems = asked(
        vendors,
        task,
        {
            "campaign": {**CAMPAIGN, "plan_ref": "no_such_plan"},
            "posts": [
                {**POST, "channel_id": "instagram"},
                {**POST, "channel_id": "channel_2", "content": "x" * 281},
                {**POST, "media_keys": ["media_none"]},
                {**POST, "content": ""},
                {**POST, "scheduled_for": "soon"},
                "a post",
            ],
            "audience": str(people),
            "segment_ids": ["seg_buyers", "seg_nobody"],
            "integration_id": "int_adjus",
            "report": {"type": "campain", "campaign_id": "ca_none"},
        },
    )
    wanted = [
        "integration: FloKit has no integration 'int_adjus'; did you mean 'int_adjust'?",
        "audience: ",
        "segments: Flodesk has no segment 'seg_nobody'",
        "campaign: ",
        "post 1: there is no channel 'instagram'; this account has channel_1",
        "post 2: the text has 281 characters; twitter takes 280",
        "post 3: Flow Social would refuse it: mediaKeys: Media does not exist",
        "post 4: content must be",
        "post 5: scheduledFor",
        "post 6: it must be an object",
        "report: type names 'campain'; 'campaign' is probably meant.",
        "report: Flinque has no campaign 'ca_none'",
    ]
    told = iter(problems)
    missing = [each for each in wanted if not any(problem.startswith(each) for problem in told)]
    assert missing == [], "\n".join(problems)
    assert not any("ada@" in problem or "Ada" in problem for problem in problems)


def test_a_custom_field_that_flodesk_does_not_have(
    vendors: Sandbox, task: Task, launch: dict[str, Any], tmp_path: Path
) -> None:
    people = tmp_path / "people.csv"
    people.write_text("email,shoe_size\nada@x.example,38\n")
    (problem,) = asked(vendors, task, {"audience": str(people)})
    assert problem.startswith("audience: Flodesk has no custom field 'shoe_size'")


def test_people_who_cannot_be_sent_and_segments_named_twice(
    vendors: Sandbox, task: Task, launch: dict[str, Any], tmp_path: Path
) -> None:
    """The audience is refused as its step would refuse it, and one problem of the segments hides no other."""
    people = tmp_path / "people.csv"
    people.write_text("email,optin_timestamp\nada@x.example,2026-04-03\nbo@@x.example,\ncy@x.example,yesterday\n")
    segments = ["seg_buyers", "seg_nobody", "seg_buyers"]
    problems = asked(vendors, task, {**launch, "audience": str(people), "segment_ids": segments})
    assert [re.sub("[;,] (write|remove|correct|create).*", "", problem) for problem in problems] == [
        "audience: people.csv, line 3.email is not an e-mail address",
        "audience: people.csv, line 4.optin_timestamp is not a date and time",
        "segments: segment_ids names seg_buyers more than once",
        "segments: Flodesk has no segment 'seg_nobody'",
    ]


def test_a_reports_days_and_name(vendors: Sandbox, task: Task) -> None:
    report = {"type": None, "from": "2026-02-30", "to": "next week", "name": ["Spring"]}
    assert [problem.split(",")[0] for problem in asked(vendors, task, {"report": report})] == [
        "report: type must be non-empty text",
        "report: from must be a date and time like 2026-06-08T09:00:00Z",
        "report: to must be a date and time like 2026-06-08T09:00:00Z",
        "report: name must be non-empty text",
    ]
    good = {"type": "campaign", "from": "2026-06-08", "to": "2026-06-09 18:00", "name": "Spring"}
    assert PreflightOperator(task_id="a", report=good).execute(task.context) == {"checked": ["report"]}  # type: ignore[arg-type]


def test_nobody_in_the_audience(vendors: Sandbox, task: Task, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("email,first_name\n,\n")
    assert asked(vendors, task, {"audience": str(people)}) == [
        "audience: there is nobody in the file; add a line for each person"
    ]


def test_connections(
    vendors: Sandbox, task: Task, launch: dict[str, Any], connect: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong key, a missing connection and one of another type stand beside each other."""
    monkeypatch.setenv("AIRFLOW_CONN_MAIL", json.dumps(vendors.connections["flodesk_default"]))
    problems = asked(
        vendors,
        task,
        {
            **launch,
            "flow_social_conn_id": connect("flow_social", "wrong", password="flow_sk_live_wrong000_" + "0" * 32),
            "flow_living_conn_id": "mail",
            "flokit_conn_id": "none",
        },
    )
    assert [problem.split(":")[0] for problem in problems] == [
        "connection 'none'",
        "connection 'mail'",
        "connection 'wrong'",
    ]
    assert "Flow Living" in problems[1]


def test_a_vendor_that_does_not_answer_is_asked_again_later(
    vendors: Sandbox, task: Task, launch: dict[str, Any], connect: Callable[..., str]
) -> None:
    away = connect("flokit", "away", host="http://127.0.0.1:9/flokit/v1")
    with pytest.raises(NotSentError, match="Not everything could be asked") as caught:
        PreflightOperator(task_id="preflight", flokit_conn_id=away, **launch).execute(task.context)  # type: ignore[arg-type]
    assert DEFAULT.evaluate(caught.value, 1, 3).action.value == "default"
    problems = asked(vendors, task, {**launch, "flokit_conn_id": away, "segment_ids": ["seg_nobody"]})
    assert [problem.split(":")[0] for problem in problems] == ["segments", "connection 'away'"]


def test_a_vendor_that_does_not_offer_to_check_posts(
    vendors: Sandbox, task: Task, caplog: pytest.LogCaptureFixture
) -> None:
    vendors.fault("POST /flow-social/v1/posts/preflight", "status", status=404, count=10)
    posts = [{**POST, "content": f"Viewing {number}."} for number in range(3)]
    assert PreflightOperator(task_id="preflight", posts=posts).execute(task.context)  # type: ignore[arg-type]
    assert "does not offer" in caplog.text
    tried = [each for each in vendors.requests("flow_social") if each["path"].endswith("/preflight")]
    assert len(tried) == 1


def test_a_dead_network_connection_of_a_channel_is_warned_of_once(
    vendors: Sandbox, task: Task, caplog: pytest.LogCaptureFixture
) -> None:
    """The sandbox's TikTok connection has expired, and its channel takes posts all the same."""
    posts = [{**POST, "channel_id": "channel_3", "content": f"Viewing {number}."} for number in range(2)]
    assert PreflightOperator(task_id="preflight", posts=posts).execute(task.context)  # type: ignore[arg-type]
    assert caplog.text.count("its connection to tiktok does not work") == 1


def test_no_posts_and_nothing_at_all(vendors: Sandbox, task: Task) -> None:
    assert PreflightOperator(task_id="a", posts=[]).execute(task.context) == {"checked": ["posts"]}  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="nothing to check"):
        PreflightOperator(task_id="b").execute(task.context)  # type: ignore[arg-type]


def test_templates_and_data() -> None:
    with DAG("a"):
        task = PreflightOperator(task_id="a", posts=[{"content": "{{ word }}"}], audience="{{ word }}.csv")
    task.render_template_fields({"word": "{{ other }}"})  # type: ignore[typeddict-unknown-key]
    assert (task.posts, task.audience) == ([{"content": "{{ other }}"}], "{{ other }}.csv")


def test_a_server_that_fails(vendors: Sandbox, task: Task) -> None:
    vendors.fault("GET /flow-social/v1/channels", "status", status=500, count=100)
    with pytest.raises(ServerError, match="could not be asked"):
        PreflightOperator(task_id="a", posts=[POST]).execute(task.context)  # type: ignore[arg-type]
