# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the operators share: a hook, the retry policy, and an end when Airflow asks for it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from airflow.sdk import BaseOperator

from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.tasks.guard import Guard
from airflow_provider_mkt.tasks.private_fields import PrivateFields

if TYPE_CHECKING:
    from airflow.sdk import Context, RetryPolicy

    from airflow_provider_mkt.hooks.base import MarketingHook

Hook = TypeVar("Hook", bound="MarketingHook")


class MarketingOperator(PrivateFields, BaseOperator, Generic[Hook]):
    """Base of all operators: names its hook, retries by :class:`MarketingRetryPolicy` unless told otherwise.

    A subclass names the class of its hook twice: for readers and type checkers as ``MarketingOperator[TheHook]``, and
    for the running task as ``hook_class``.

    :param conn_id: id of the connection
    :param retry_policy: which errors are worth a retry, and when
    :param multiple_outputs: give each field of the result an XCom of its own
    """

    hook_class: type[Hook]

    def __init__(
        self,
        *,
        conn_id: str,
        retry_policy: RetryPolicy | None = DEFAULT,
        multiple_outputs: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(retry_policy=retry_policy, multiple_outputs=multiple_outputs, **kwargs)
        self.conn_id = conn_id
        self._stopped = False

    @cached_property
    def hook(self) -> Hook:
        """The vendor's hook."""
        return self.hook_class(self.conn_id)

    def guard(self, context: Context) -> Guard:
        """Return what tells whether the running try may still start something."""
        return Guard(context["ti"], lambda: self._stopped)

    def on_kill(self) -> None:
        """Note that Airflow has asked this try to end: what has not left by now never will.

        Airflow calls this in a signal handler and then lets the main thread go on for some seconds.
        """
        self._stopped = True
