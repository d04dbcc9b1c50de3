# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``@task.mkt_post``: a function that returns a text becomes a post at Flow Social, once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.decorator import DecoratedOperator, task_decorator_factory

from airflow_provider_mkt.decorators.base import SubmittingFunctionTask
from airflow_provider_mkt.operators.flow_social import FlowSocialSchedulePostOperator
from airflow_provider_mkt.vendors import flow_social

if TYPE_CHECKING:
    from airflow.sdk.bases.decorator import TaskDecorator
    from typing_extensions import Unpack

    from airflow_provider_mkt.tasks.parameters import SubmittingFunctionParameters


class PostTask(SubmittingFunctionTask, FlowSocialSchedulePostOperator):
    """Schedules the text that a function returns."""

    template_fields: Sequence[str] = (
        *DecoratedOperator.template_fields,
        *FlowSocialSchedulePostOperator.template_fields,
    )
    custom_operator_name = "@task.mkt_post"
    fields = ("content", "channel_id", "scheduled_for", "media_keys")
    called = "the text of the post"

    def __init__(self, *, channel_id: str = "", **kwargs: Any) -> None:
        kwargs.pop("content", None)
        super().__init__(channel_id=channel_id, content="", **kwargs)

    def take(self, value: Any) -> None:
        """Take a text, or an object with more of the post's parameters."""
        self.take_object({"content": value} if isinstance(value, str) else value)


def mkt_post(
    python_callable: Callable[..., Any] | None = None,
    *,
    channel_id: str = "",
    scheduled_for: datetime | str | None = None,
    media_keys: Sequence[str] | None = None,
    flow_social_conn_id: str = flow_social.VENDOR.default_conn_id,
    wait_for_completion: bool = False,
    deferrable: bool | None = None,
    **kwargs: Unpack[SubmittingFunctionParameters],
) -> TaskDecorator:
    """Make a task of a function that returns a post: its text, or an object with some of the parameters below.

    The post is scheduled once. A try that goes on from what an earlier one has sent does not call the function again.

    :param python_callable: the function
    :param channel_id: the channel, unless the function returns one
    :param scheduled_for: when to publish, in the future; without a time zone it is UTC; None publishes at once
    :param media_keys: keys of uploaded media, at most 10
    :param flow_social_conn_id: connection
    :param wait_for_completion: succeed only when the post is delivered
    :param deferrable: wait in the triggerer instead of on a worker
    """
    return task_decorator_factory(
        python_callable,
        decorated_operator_class=PostTask,
        channel_id=channel_id,
        scheduled_for=scheduled_for,
        media_keys=media_keys,
        flow_social_conn_id=flow_social_conn_id,
        wait_for_completion=wait_for_completion,
        deferrable=deferrable,
        **kwargs,
    )
