# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``@task.mkt_subscribers``: people that a function returns are brought up to date at Flodesk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.decorator import DecoratedOperator, task_decorator_factory

from airflow_provider_mkt.decorators.base import FunctionTask
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.operators.flodesk import FlodeskUpsertSubscribersOperator
from airflow_provider_mkt.vendors import flodesk

if TYPE_CHECKING:
    from airflow.sdk.bases.decorator import TaskDecorator
    from typing_extensions import Unpack

    from airflow_provider_mkt.tasks.parameters import FunctionParameters


class SubscribersTask(FunctionTask, FlodeskUpsertSubscribersOperator):
    """Upserts the people that a function returns. They are neither stored nor shown by Airflow."""

    template_fields: Sequence[str] = (
        *DecoratedOperator.template_fields,
        *FlodeskUpsertSubscribersOperator.template_fields,
    )
    custom_operator_name = "@task.mkt_subscribers"

    def __init__(self, **kwargs: Any) -> None:
        kwargs.pop("subscribers", None)
        super().__init__(subscribers=[], **kwargs)

    def take(self, value: Any) -> None:
        """Take a list of people, or whatever can be gone through once."""
        if isinstance(value, (str, bytes, dict)) or not hasattr(value, "__iter__"):
            wanted = "return a list of people, each an object with an 'email'"
            raise ValidationError(f"The function of {self.task_id} returned a {type(value).__name__}; {wanted}.")
        self.subscribers = list(value)


def mkt_subscribers(
    python_callable: Callable[..., Any] | None = None,
    *,
    segment_ids: Sequence[str] | None = None,
    allow_failures: bool = False,
    failures_path: str | None = None,
    flodesk_conn_id: str = flodesk.VENDOR.default_conn_id,
    **kwargs: Unpack[FunctionParameters],
) -> TaskDecorator:
    """Make a task of a function that returns people: objects with an ``email``, and what else Flodesk takes.

    An upsert may be repeated, so each try calls the function.

    :param python_callable: the function
    :param segment_ids: segments that all of them join, in addition to their own
    :param allow_failures: succeed although some of them cannot be sent, or the vendor refused them
    :param failures_path: file for the refused; it holds personal data
    :param flodesk_conn_id: connection
    """
    return task_decorator_factory(
        python_callable,
        decorated_operator_class=SubscribersTask,
        segment_ids=segment_ids,
        allow_failures=allow_failures,
        failures_path=failures_path,
        flodesk_conn_id=flodesk_conn_id,
        **kwargs,
    )
