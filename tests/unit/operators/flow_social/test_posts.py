# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The operator that schedules many posts: what goes in, and waiting for all of them."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_mkt.exceptions import (
    ApiError,
    ValidationError,
)
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task, Waits, WorkerDiedError, deferral, resumed
from tests.unit.operators.flow_social.batches import (
    contents,
    listed,
    once,
    scheduling,
)

BAD: dict[str, tuple[Any, list[str]]] = {
    "text": ("[{}]", ["posts must be a list of posts, got str", "render_template_as_native_obj"]),
    "one post": ({"channelId": "channel_1"}, ["posts must be a list of posts, got dict"]),
    "no object": (["a"], ["posts[0] must be an object"]),
    "unknown field": (listed(5, row_4={"channel": "x"}), ["posts[4] has unknown fields channel"]),
    "no content": (listed(5, row_4={"content": ""}), ["posts[4].content must be non-empty text"]),
    "no date": (listed(5, row_4={"scheduledFor": "soon"}), ["posts[4].scheduledFor must be a date"]),
    "much media": (listed(5, row_4={"mediaKeys": [f"m{at}" for at in range(11)]}), ["posts[4].mediaKeys has 11"]),
    "both spellings": (listed(5, row_4={"channel_id": "x"}), ["posts[4] has channelId twice"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case: str, vendors: Sandbox, task: Task) -> None:
    posts, words = BAD[case]
    with pytest.raises(ValidationError) as caught:
        scheduling(posts).execute(task.context)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert vendors.requests() == []
    assert task.store.values == {}


@pytest.mark.parametrize("size", [0, 101, -1, True, "50", 2.5])
def test_chunk_sizes(size: Any) -> None:
    with pytest.raises(ValidationError, match="chunk_size must be a whole number from 1 to 100"):
        scheduling(listed(1), chunk_size=size)


def test_too_many_to_wait_for(vendors: Sandbox, task: Task) -> None:
    with pytest.raises(ValidationError, match="wait_for_completion is for up to 1,000 posts"):
        scheduling(listed(1_001), wait_for_completion=True).execute(task.context)
    assert vendors.requests() == []


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("number", [4, 25])
def test_waits_until_all_are_done(deferrable: bool, number: int, vendors: Sandbox, task: Task, waits: Waits) -> None:
    posts = [{"channelId": "channel_1", "content": f"Post {at}"} for at in range(number)]
    options = {"wait_for_completion": True, "deferrable": deferrable}
    waits.happenings = [lambda: None, lambda: vendors.advance(700)]
    if deferrable:
        deferred = deferral(scheduling(posts, **options).execute, task.context)
        assert vendors.connections["flow_social_default"]["password"] not in repr(deferred.trigger)
        result = resumed(scheduling(posts, **options), deferred, task.context)
    else:
        result = scheduling(posts, **options).execute(task.context)
    assert result["status"] == "done"
    assert result["post_ids"] == [f"post_{at}" for at in range(1, number + 1)]
    assert contents(vendors) == once(number)


@pytest.mark.parametrize("deferrable", [False, True])
def test_blocked_posts_are_an_error_and_not_sent_again(
    deferrable: bool, vendors: Sandbox, task: Task, waits: Waits
) -> None:
    vendors.outcome("flow_social", "blocked", count=2)
    posts = [{"channelId": "channel_1", "content": f"Post {at}"} for at in range(15)]
    options = {"wait_for_completion": True, "deferrable": deferrable}
    words = r"2 blocked, 13 done \(not as wanted: post_1, post_2\)\. Nothing is scheduled again"

    def attempt() -> None:
        operator = scheduling(posts, **options)
        if deferrable:
            resumed(scheduling(posts, **options), deferral(operator.execute, task.context), task.context)
        operator.execute(task.context)

    waits.happenings = [lambda: vendors.advance(700)]
    with pytest.raises(AirflowFailException, match=words):
        attempt()
    task.clear()
    with pytest.raises(AirflowFailException, match=words):
        scheduling(posts, **options).execute(task.context)
    assert contents(vendors) == once(15)


def test_stopped_by_a_user_the_queued_ones_are_deleted(vendors: Sandbox, task: Task, waits: Waits) -> None:
    operator = scheduling(listed(12), wait_for_completion=True, deferrable=False)

    def end() -> None:
        task.state = "failed"
        try:
            raise WorkerDiedError
        finally:
            operator.on_kill()

    waits.happenings = [end]
    with pytest.raises(WorkerDiedError):
        operator.execute(task.context)
    assert len(vendors.ledger("flow_social", "post.deleted")) == 12


def test_a_result_that_is_gone_is_an_error(vendors: Sandbox, task: Task, waits: Waits) -> None:
    posts = [{"channelId": "channel_1", "content": "a"}]
    options = {"wait_for_completion": True, "deferrable": True}
    deferred = deferral(scheduling(posts, **options).execute, task.context)
    vendors.advance(700)
    task.store.values.clear()
    with pytest.raises(AirflowFailException, match="record of the posts is gone"):
        resumed(scheduling(posts, **options), deferred, task.context)


def test_trigger_that_gives_up_raises_the_vendors_error(vendors: Sandbox, task: Task, waits: Waits) -> None:
    options = {"wait_for_completion": True, "deferrable": True}
    deferred = deferral(scheduling(listed(2), **options).execute, task.context)
    vendors.fault("GET /*", "drop_before", count=None)
    with pytest.raises(ApiError) as caught:
        resumed(scheduling(listed(2), **options), deferred, task.context)
    assert DEFAULT.evaluate(caught.value, 1, 2).action.value == "default"
