# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Storing what a vendor tells only once: tried again and again for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import tenacity

from airflow_provider_mkt.state.errors import StoreError

T = TypeVar("T")


def patiently(work: Callable[[], T], seconds: float) -> T:
    """Return what ``work`` returns, repeating it while the store fails.

    :param work: stores something, and is safe to do twice
    :param seconds: after which it is not repeated any more
    :raises StoreError: the last one
    """
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(StoreError),
        wait=tenacity.wait_exponential(multiplier=0.1, max=2.0),
        stop=tenacity.stop_before_delay(seconds),
        reraise=True,
    )
    return retrying(work)
