# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the operators share: a hook, the retry policy, and an end when Airflow asks for it.

A DAG file imports operators many times an hour and runs none. So the modules of operators and sensors import only what
building a task needs; what running one needs is imported in the methods that use it.
"""

from __future__ import annotations

from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from airflow.sdk import BaseOperator

from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.tasks.private_fields import PrivateFields

if TYPE_CHECKING:
    from airflow.sdk import Context, RetryPolicy

    from airflow_provider_mkt.hooks.base import MarketingHook
    from airflow_provider_mkt.tasks.guard import Guard
    from airflow_provider_mkt.vendors.base import Vendor

Hook = TypeVar("Hook", bound="MarketingHook")


class MarketingOperator(PrivateFields, BaseOperator, Generic[Hook]):
    """Base of all operators: names its hook, retries by :class:`MarketingRetryPolicy` unless told otherwise.

    A subclass names its ``vendor``, and for type checkers the vendor's hook: ``MarketingOperator["TheHook"]``.

    :param conn_id: id of the connection
    :param retry_policy: which errors are worth a retry, and when
    :param multiple_outputs: give each field of the result an XCom of its own
    """

    vendor: ClassVar[Vendor]

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
        hooks = import_module(f"{self.vendor.package}.hooks.{self.vendor.conn_type}")
        hook: Hook = getattr(hooks, self.vendor.hook)(self.conn_id)
        return hook

    def guard(self, context: Context) -> Guard:
        """Return what tells whether the running try may still start something."""
        from airflow_provider_mkt.tasks.guard import Guard

        return Guard(context["ti"], lambda: self._stopped)

    def on_kill(self) -> None:
        """Note that Airflow has asked this try to end: what has not left by now never will.

        Airflow calls this in a signal handler and then lets the main thread go on for some seconds.
        """
        self._stopped = True
