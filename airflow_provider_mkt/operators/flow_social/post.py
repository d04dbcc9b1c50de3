# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Operators for Flow Social. Vendor document: Flow developer documentation, "API Reference"."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.operators.submitting import SubmittingOperator
from airflow_provider_mkt.vendors import flow_social

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
    from airflow_provider_mkt.submission.record import Record
    from airflow_provider_mkt.submission.request import SubmissionRequest, TaskKey
    from airflow_provider_mkt.tasks.parameters import PollingParameters
    from airflow_provider_mkt.waiting.base import Verdict
    from airflow_provider_mkt.waiting.flow_social import PostWatch


class FlowSocialSchedulePostOperator(SubmittingOperator["FlowSocialHook"]):
    """Schedules a post on every network of a channel, once.

    Returns ``post_id`` and ``status``, each also as an XCom of its own. It does not wait by default: a post may be days
    away. Use :class:`FlowSocialPostStatusSensor`, or ``wait_for_completion=True``.

    :param channel_id: the channel
    :param content: the text, at most 10,000 characters; single networks allow less (Twitter 280)
    :param scheduled_for: when to publish, in the future; without a time zone it is UTC; None publishes at once
    :param media_keys: keys of uploaded media, at most 10
    :param flow_social_conn_id: connection
    """

    template_fields: Sequence[str] = ("channel_id", "content", "scheduled_for", "media_keys", "flow_social_conn_id")
    ui_color = flow_social.VENDOR.color
    vendor = flow_social.VENDOR

    def __init__(
        self,
        *,
        channel_id: str,
        content: str,
        scheduled_for: datetime | str | None = None,
        media_keys: Sequence[str] | None = None,
        flow_social_conn_id: str = flow_social.VENDOR.default_conn_id,
        wait_for_completion: bool = False,
        **kwargs: Unpack[PollingParameters],
    ) -> None:
        super().__init__(conn_id=flow_social_conn_id, wait_for_completion=wait_for_completion, **kwargs)
        self.channel_id = channel_id
        self.content = content
        self.scheduled_for = scheduled_for
        self.media_keys = media_keys

    def submission_request(self, task_key: TaskKey) -> SubmissionRequest:
        """Return the post."""
        from airflow_provider_mkt.hooks.flow_social.posts import check_time, post_body
        from airflow_provider_mkt.submission.request import Effect, SubmissionRequest, first_words

        post = {
            "channelId": self.channel_id,
            "content": self.content,
            "scheduledFor": self.scheduled_for,
            "mediaKeys": self.media_keys,
        }
        body = post_body(post)

        def prepare() -> dict[str, Any]:
            check_time(body)
            return {}

        return SubmissionRequest(
            vendor=flow_social.VENDOR.name,
            what="post",
            body=body,
            call=lambda frozen, key: flow_social.CREATE_POST(body=frozen, idempotency_key=key),
            receipt=lambda answer: {"post_id": answer["id"], "status": answer["status"]},
            reference=task_key.reference,
            id_field="post_id",
            prepare=prepare,
            echoed=flow_social.POST_SHOWN,
            effect=Effect(
                f"post to {self.channel_id}: {first_words(body['content'], self.hook.account.secrets)}",
                goes_live=str(body.get("scheduledFor") or ""),
                audience=1,
                channel=str(self.channel_id),
            ),
        )

    def watch(self, record: Record) -> PostWatch:
        """Return the post."""
        from airflow_provider_mkt.waiting.flow_social import PostWatch

        return PostWatch([record.receipt["post_id"]], list(flow_social.DELIVERED))

    def result(self, record: Record, verdict: Verdict | None) -> dict[str, Any]:
        """Return the post's id and status."""
        return record.receipt if verdict is None else {**record.receipt, "status": verdict.status}
