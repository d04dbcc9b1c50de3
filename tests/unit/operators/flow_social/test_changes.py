# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Changing and deleting posts, single and many: what a repetition, a lost answer and a published post come to."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import NotFoundError, ServerError, ValidationError
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.operators.flow_social import FlowSocialDeletePostOperator, FlowSocialUpdatePostOperator
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task

LATER = datetime.now(timezone.utc) + timedelta(days=3)
BATCH = "/flow-social/v1/posts/batch"


def posts(number: int, when: datetime | None = LATER) -> list[str]:
    hook = FlowSocialHook()
    made: list[str] = []
    while len(made) < number:
        part = [{"channelId": "channel_1", "content": "a", "scheduledFor": when}] * min(100, number - len(made))
        made += [result["post"]["id"] for result in hook.create_posts(part)["results"]]
    return made


def updating(post_id: Any, **changes: Any) -> Any:
    return FlowSocialUpdatePostOperator(task_id="update", post_id=post_id, **changes).execute(Task().context)


def deleting(post_id: Any) -> Any:
    return FlowSocialDeletePostOperator(task_id="delete", post_id=post_id).execute(Task().context)


def routes(vendors: Sandbox, method: str) -> list[str]:
    return [each["path"] for each in vendors.requests("flow_social") if each["method"] == method]


def test_one_post_is_changed(vendors: Sandbox) -> None:
    (post,) = posts(1)
    assert updating(post, content="b", scheduled_for=LATER + timedelta(days=1)) == {"updated": 1, "post_ids": [post]}
    assert FlowSocialHook().get_post(post)["content"] == "b"
    assert routes(vendors, "PATCH") == [f"/flow-social/v1/posts/{post}"]


def test_many_posts_go_a_hundred_to_a_request(vendors: Sandbox) -> None:
    made = posts(101)
    assert updating(made, content="b")["updated"] == 101
    assert {post["content"] for post in FlowSocialHook().list_posts()} == {"b"}
    assert routes(vendors, "PATCH") == [BATCH, BATCH]
    assert deleting(made) == {"deleted": 101, "gone": 0}
    assert list(FlowSocialHook().list_posts()) == []
    assert routes(vendors, "DELETE") == [BATCH, BATCH]


def test_media_are_removed_by_an_empty_list(vendors: Sandbox, tmp_path: Any) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"a")
    hook = FlowSocialHook()
    key = hook.upload_media(picture)["key"]
    post = hook.create_post({"channelId": "channel_1", "content": "a", "mediaKeys": [key], "scheduledFor": LATER})["id"]
    updating(post, media_keys=[])
    assert hook.get_post(post)["mediaKeys"] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"post_id": "post_1"}, "nothing to change; give content, scheduled_for or media_keys"),
        ({"post_id": [], "content": "b"}, "post_id is empty"),
        ({"post_id": ["post_1", "post_1"], "content": "b"}, "post_id names post_1 more than once"),
        ({"post_id": "post_1", "content": "x" * 10_001}, "content has 10,001 characters"),
        ({"post_id": "post_1", "scheduled_for": "2020-01-01"}, "scheduled_for is in the past"),
        ({"post_id": "post_1", "media_keys": [f"m{at}" for at in range(11)]}, "media_keys has 11 entries"),
    ],
)
def test_bad_changes(arguments: dict[str, Any], words: str, vendors: Sandbox) -> None:
    with pytest.raises(ValidationError, match=words):
        updating(**arguments)
    assert vendors.requests() == []


@pytest.mark.parametrize("fault", ["drop_after", "drop_before", "malformed"])
@pytest.mark.parametrize("number", [1, 3])
def test_a_lost_answer_is_made_up_for(fault: str, number: int, vendors: Sandbox) -> None:
    made = posts(number)
    vendors.fault("PATCH /*", fault)
    vendors.fault("DELETE /*", fault)
    assert updating(made, content="b")["updated"] == number
    told = deleting(made)
    # Deleted by the first attempt, gone at the second one.
    assert sum(told.values()) == number
    assert list(FlowSocialHook().list_posts()) == []
    assert len(vendors.ledger(effect="post.deleted")) == number


def test_posts_that_went_out_are_reported_and_the_others_done(vendors: Sandbox) -> None:
    queued, done = posts(2), posts(1, None)
    vendors.advance(700)
    with pytest.raises(
        ValidationError, match=rf"not changed 1 of 3 posts\. {done[0]}: Only queued posts.*take the others"
    ):
        updating([*queued, *done], content="b")
    assert FlowSocialHook().get_post(queued[0])["content"] == "b"
    with pytest.raises(ValidationError, match=rf"not deleted 1 of 3 posts\. {done[0]}: Only queued posts"):
        deleting([*queued, *done])
    assert [post["id"] for post in FlowSocialHook().list_posts()] == done


def test_gone_is_deleted(vendors: Sandbox) -> None:
    made = posts(3)
    assert deleting(made[0]) == {"deleted": 1, "gone": 0}
    assert deleting(made[0]) == {"deleted": 0, "gone": 1}
    assert deleting(made) == {"deleted": 2, "gone": 1}
    assert deleting(made) == {"deleted": 0, "gone": 3}


@pytest.mark.parametrize("number", [1, 2])
def test_another_404_is_not_taken_for_gone(number: int, vendors: Sandbox) -> None:
    """A wrong host knows none of the posts, and they would go out."""
    made = posts(number)
    refused = {"data": {"results": [{"success": False, "index": at} for at in range(number)], "summary": {}}}
    if number > 1:
        vendors.fault("DELETE /*", "status", status=200, body=refused)
        vendors.fault("GET /*", "status", status=404, body={"message": "no such page"}, count=None)
    else:
        vendors.fault("DELETE /*", "status", status=404, body={"message": "no such page"}, count=None)
    with pytest.raises(NotFoundError):
        deleting(made)
    assert vendors.ledger(effect="post.deleted") == []


def test_gone_cannot_be_changed(vendors: Sandbox) -> None:
    with pytest.raises(NotFoundError):
        updating("post_9", content="b")
    with pytest.raises(ValidationError, match="not changed 2 of 2 posts"):
        updating(["post_8", "post_9"], content="b")


def test_an_answer_that_leaves_posts_out_is_no_success(vendors: Sandbox) -> None:
    made = posts(3)
    body = {"data": {"results": [{"success": True, "index": 0}], "summary": {}}}
    vendors.fault("PATCH /*", "status", status=200, body=body)
    with pytest.raises(ValidationError, match=r"not changed 2 of 3 posts\..*does not say what became of it"):
        updating(made, content="b")
    body = {"data": {"results": [{"success": True, "postId": made[0]}, "x"], "summary": {}}}
    vendors.fault("DELETE /*", "status", status=200, body=body)
    with pytest.raises(ValidationError, match="not deleted 2 of 3 posts"):
        deleting(made)


def test_a_vendor_that_fails_is_worth_a_retry(vendors: Sandbox) -> None:
    made = posts(2)
    vendors.fault("* /*", "status", status=503, count=None)
    for attempt in (lambda: updating(made, content="b"), lambda: deleting(made)):
        with pytest.raises(ServerError):
            attempt()
