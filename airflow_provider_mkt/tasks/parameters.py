# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What all operators and all sensors take, for editors and type checkers: ``**kwargs: Unpack[…]``.

Type checkers read this module; a running Airflow does not load it. What :func:`inspect.signature` shows is made from
the constructors themselves, see :mod:`.signatures`. A test holds this module to them.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import DAG, RetryPolicy, TaskGroup
from typing_extensions import Required, TypedDict

Callbacks = Any
"""A function that takes the context, or a notifier; or a collection of them."""


class CommonParameters(TypedDict, total=False):
    """What Airflow's ``BaseOperator`` takes, but ``task_id``, ``retry_policy`` and ``multiple_outputs``."""

    owner: str
    email: str | Sequence[str] | None
    email_on_retry: bool
    email_on_failure: bool
    retries: int | None
    retry_delay: timedelta | float
    retry_exponential_backoff: float
    max_retry_delay: timedelta | float | None
    start_date: datetime | None
    end_date: datetime | None
    depends_on_past: bool
    ignore_first_depends_on_past: bool
    wait_for_past_depends_before_skipping: bool
    wait_for_downstream: bool
    dag: DAG | None
    params: MutableMapping[str, Any] | None
    default_args: dict[str, Any] | None
    priority_weight: int
    weight_rule: Any
    queue: str
    pool: str | None
    pool_slots: int
    sla: timedelta | None
    execution_timeout: timedelta | None
    on_execute_callback: Callbacks
    on_failure_callback: Callbacks
    on_success_callback: Callbacks
    on_retry_callback: Callbacks
    on_skipped_callback: Callbacks
    pre_execute: Any
    post_execute: Any
    trigger_rule: str
    resources: dict[str, Any] | None
    run_as_user: str | None
    map_index_template: str | None
    max_active_tis_per_dag: int | None
    max_active_tis_per_dagrun: int | None
    executor: str | None
    executor_config: dict[str, Any] | None
    do_xcom_push: bool
    inlets: Any
    outlets: Any
    task_group: TaskGroup | None
    doc: str | None
    doc_md: str | None
    doc_json: str | None
    doc_yaml: str | None
    doc_rst: str | None
    task_display_name: str | None
    logger_name: str | None
    allow_nested_operators: bool
    render_template_as_native_obj: bool | None


class AirflowParameters(CommonParameters, total=False):
    """The same with the name that every operator needs."""

    task_id: Required[str]


class RetriedParameters(AirflowParameters, total=False):
    """What is retried by this package's policy."""

    retry_policy: RetryPolicy | None


class OperatorParameters(RetriedParameters, total=False):
    """What all operators take."""

    multiple_outputs: bool


class ApprovingParameters(OperatorParameters, total=False):
    """What operators take that ask a person before they send."""

    approval: str | None
    approval_timeout: float | timedelta | None
    approval_notifiers: Any


class WaitingParameters(ApprovingParameters, total=False):
    """What operators take that start something and may wait for it, but those with defaults of their own."""

    deferrable: bool | None
    wait_timeout: float | timedelta
    cancel_on_kill: bool
    on_timeout: str
    resubmit: bool


class PollingParameters(WaitingParameters, total=False):
    """What operators take that have a default of their own for ``wait_for_completion``."""

    poll_interval: float


class SubmittingParameters(PollingParameters, total=False):
    """What operators take that start something."""

    wait_for_completion: bool


class SensorParameters(RetriedParameters, total=False):
    """What all sensors take."""

    start_from_trigger: bool
    deferrable: bool | None
    poke_interval: timedelta | float
    timeout: timedelta | float | None
    soft_fail: bool
    mode: str
    exponential_backoff: bool
    max_wait: timedelta | float | None
    silent_fail: bool
    never_fail: bool
    multiple_outputs: bool


class FunctionParameters(CommonParameters, total=False):
    """What decorators take that make a task of a function: without ``task_id`` it has the function's name."""

    task_id: str
    retry_policy: RetryPolicy | None
    multiple_outputs: bool
    approval: str | None
    approval_timeout: float | timedelta | None
    approval_notifiers: Any


class SubmittingFunctionParameters(FunctionParameters, total=False):
    """What decorators take whose task submits once, and may wait for it."""

    poll_interval: float
    wait_timeout: float | timedelta
    cancel_on_kill: bool
    on_timeout: str
    resubmit: bool
