# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the operators share: a hook, the retry policy, and submitting once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.tasks.private_fields import PrivateFields

if TYPE_CHECKING:
    from airflow.sdk import RetryPolicy

    from airflow_provider_mkt.hooks.base import MarketingHook


class MarketingOperator(PrivateFields, BaseOperator):
    """Base of all operators: names its hook, retries by :class:`MarketingRetryPolicy` unless told otherwise.

    :param conn_id: id of the connection
    :param retry_policy: which errors are worth a retry, and when
    :param multiple_outputs: give each field of the result an XCom of its own
    """

    hook_class: ClassVar[type[MarketingHook]]

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

    @cached_property
    def hook(self) -> MarketingHook:
        """The vendor's hook."""
        return self.hook_class(self.conn_id)
