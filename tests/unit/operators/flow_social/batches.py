# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Lists of posts, and what the simulated vendor has seen of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostsOperator
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.context import Task, WorkerDiedError, step_of

ROUTE = "POST /flow-social/v1/posts/batch"

LATER = (datetime.now(timezone.utc) + timedelta(days=30)).isoformat()


def listed(number: int, **changes: dict[str, Any]) -> list[dict[str, Any]]:
    """So many posts; ``row_3={...}`` changes one."""
    posts = [{"channelId": "channel_1", "content": f"Post {at}", "scheduledFor": LATER} for at in range(number)]
    for name, change in changes.items():
        posts[int(name.removeprefix("row_"))].update(change)
    return posts


def scheduling(posts: Any, **options: Any) -> FlowSocialSchedulePostsOperator:
    return FlowSocialSchedulePostsOperator(task_id="posts", posts=posts, **{"chunk_size": 3, **options})


def contents(vendors: Sandbox) -> Counter[str]:
    """How often each post was created."""
    return Counter(entry["reference"] for entry in vendors.ledger("flow_social", "post.created"))


def once(number: int, *missing: int) -> Counter[str]:
    return Counter(f"Post {at}" for at in range(number) if at not in missing)


def batches(vendors: Sandbox) -> list[list[str]]:
    """The contents of each request that got as far as being read."""
    sent = [each for each in vendors.requests("flow_social") if each["path"].endswith("/posts/batch") and each["body"]]
    return [[post["content"] for post in each["body"]["posts"]] for each in sent]


def keys(vendors: Sandbox) -> list[str]:
    sent = [each for each in vendors.requests("flow_social") if each["path"].endswith("/posts/batch")]
    return [each["headers"]["idempotency-key"] for each in sent]


def dying(task: Task, step: str, key: str = "") -> Callable[[str, Any], None]:
    """End the process around the write of a state, as "before intent"; ``nth`` of them."""
    when_, state, nth = (*step.split(), "1")[:3]
    seen = Counter[str]()

    def die(when: str, value: Any) -> None:
        if when == when_ and isinstance(value, dict) and "state" in value and step_of(value) == state:
            seen[step] += 1
            if seen[step] == int(nth):
                raise WorkerDiedError

    return die
