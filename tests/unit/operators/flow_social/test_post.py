# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Posts: what is refused before anything is sent, and what is sent."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import NotFoundError, ValidationError
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.hooks.flow_social.posts import filter_query
from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostOperator
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task

BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no channel": ({"channel_id": ""}, ["channelId must be non-empty text"]),
    "no content": ({"content": ""}, ["content must be non-empty text"]),
    "content is a list": ({"content": ["a"]}, ["content must be non-empty text"]),
    "long content": ({"content": "x" * 10_001}, ["content has 10,001 characters", "at most 10,000", "Shorten it"]),
    "in the past": ({"scheduled_for": "2020-01-01"}, ["scheduledFor is in the past", "choose a later one"]),
    "no date": ({"scheduled_for": "soon"}, ["scheduledFor must be a date and time like", "'soon'"]),
    "milliseconds": ({"scheduled_for": 1_780_000_000_000}, ["scheduledFor must be a date and time like"]),
    "media is text": ({"media_keys": "media_1"}, ["mediaKeys must be a list", "['media_1']"]),
    "much media": ({"media_keys": [f"media_{n}" for n in range(11)]}, ["mediaKeys has 11 entries", "at most 10"]),
    "media twice": ({"media_keys": ["m", "m"]}, ["mediaKeys names m more than once"]),
}
FIELDS = {"channel_id": "channelId", "content": "content", "scheduled_for": "scheduledFor", "media_keys": "mediaKeys"}
POST = {"channel_id": "channel_1", "content": "Open house on Sunday"}


def scheduling(**arguments: Any) -> FlowSocialSchedulePostOperator:
    return FlowSocialSchedulePostOperator(task_id="post", **{**POST, **arguments})


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case: str, vendors: Sandbox, task: Task) -> None:
    arguments, words = BAD[case]
    with pytest.raises(ValidationError) as caught:
        scheduling(**arguments).execute(task.context)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    post = {FIELDS[name]: value for name, value in {**POST, **arguments}.items()}
    with pytest.raises(ValidationError) as caught:
        FlowSocialHook().create_post(post)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert vendors.requests() == []
    assert task.store.values == {}


def test_unknown_field_of_a_post(vendors: Sandbox) -> None:
    with pytest.raises(ValidationError, match="unknown fields channel; known are channelId"):
        FlowSocialHook().create_post({"channel": "channel_1", "content": "a"})
    assert vendors.requests() == []


def test_does_not_wait_unless_asked(vendors: Sandbox, task: Task) -> None:
    later = datetime.now(timezone.utc) + timedelta(days=3)
    result = scheduling(scheduled_for=later, deferrable=True).execute(task.context)
    assert result == {"post_id": "post_1", "status": "queued"}
    sent = vendors.requests("flow_social")[-1]["body"]
    assert sent["scheduledFor"].endswith("Z")
    assert sorted(sent) == ["channelId", "content", "scheduledFor"]


def test_longest_content_and_what_a_network_refuses(vendors: Sandbox, task: Task) -> None:
    assert scheduling(content="x" * 10_000).execute(task.context)["post_id"]
    with pytest.raises(ValidationError) as caught:
        scheduling(channel_id="channel_2", content="x" * 281).execute(Task(run_id="other").context)
    assert "280 characters of Twitter" in str(caught.value) + str(caught.value.details)


@pytest.mark.parametrize("size", [0, 101, -1, True, "50", 2.5])
def test_page_sizes(size: Any, vendors: Sandbox) -> None:
    hook = FlowSocialHook()
    for rows in (hook.list_posts, hook.list_channels):
        with pytest.raises(ValidationError, match="per_page must be between 1 and 100, got "):
            next(rows(per_page=size))
    assert vendors.requests() == []


def test_filters() -> None:
    filters = {"status": "queued", "scheduledFor": {"gte": 1, "lt": 2}, "channelId": {"in": ["a", "b"]}}
    assert filter_query(filters) == {
        "filter[status]": "queued",
        "filter[scheduledFor][gte]": "1",
        "filter[scheduledFor][lt]": "2",
        "filter[channelId][in]": "a,b",
    }


@pytest.mark.parametrize("post_id", ["", " ", ".", ".."])
def test_ids_that_would_address_something_else(post_id: str, vendors: Sandbox) -> None:
    for call in (FlowSocialHook().get_post, FlowSocialHook().delete_post):
        with pytest.raises(ValueError, match="post_id must not be empty"):
            call(post_id)
    assert vendors.requests() == []


def test_ids_are_one_segment_of_the_path(vendors: Sandbox) -> None:
    with pytest.raises(NotFoundError):
        FlowSocialHook().get_post("../channels?x=1")
    sent = vendors.requests()[-1]
    assert sent["path"] == "/flow-social/v1/posts/../channels?x=1"
    assert sent["query"] == {}
