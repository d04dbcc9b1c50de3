# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Waiting for Flow Social posts. A failed try is repeated by the vendor: only ``done`` and ``blocked`` are final."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from airflow_provider_mkt.client.endpoint import Call, Priority
from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
from airflow_provider_mkt.vendors import flow_social
from airflow_provider_mkt.waiting.base import Verdict, Watch, overall, stand_of


@dataclass(frozen=True)
class PostWatch(Watch):
    """One or more posts.

    :param post_ids: the posts
    :param targets: statuses that mean success
    """

    post_ids: list[str]
    targets: list[str]

    hook = FlowSocialHook

    def look(self) -> Generator[Call, Any, Verdict]:
        """Read every post."""
        answers = {}
        for post_id in self.post_ids:
            answers[post_id] = yield flow_social.GET_POST(path={"post_id": post_id}, priority=Priority.NEWS)
        failed = (flow_social.FAILED | set(flow_social.DELIVERED)) - set(self.targets)
        stands = [stand_of(answer["status"], self.targets, flow_social.PENDING, failed) for answer in answers.values()]
        told = ", ".join(f"{key}: {answer['status']}" for key, answer in answers.items())
        statuses = {key: answer["status"] for key, answer in answers.items()}
        blocked = all(answer["status"] == "blocked" for answer in answers.values())
        return Verdict(
            overall(stands), ", ".join(sorted(set(statuses.values()))), f"Flow Social post {told}", statuses, blocked
        )

    def cancel(self) -> Generator[Call, Any, str]:
        """Delete the posts that are still queued; published ones stay."""
        deleted = []
        for post_id in self.post_ids:
            post = yield flow_social.GET_POST(path={"post_id": post_id})
            if post["status"] == "queued":
                yield flow_social.DELETE_POST(path={"post_id": post_id})
                deleted.append(post_id)
        return f"deleted {', '.join(deleted) or 'nothing'}"
