# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Handing a worker back while a rate budget has no room."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from airflow.sdk.exceptions import AirflowRescheduleException

from airflow_provider_mkt.client.durations import DAY, MINUTE
from airflow_provider_mkt.clock import utcnow
from airflow_provider_mkt.exceptions import RateLimitError

MAX_AWAY = 15 * MINUTE
"""Seconds after which a task looks again, however long its wait: `airflow mkt budgets reset` may have ended that."""

log = logging.getLogger(__name__)


@contextmanager
def reschedule_when_rate_limited() -> Iterator[None]:
    """Reschedule the task when there is no room in the rate budget, or the vendor wants more than a minute of quiet.

    No worker is held then, and no try used up. A vendor that goes on refusing after short waits does use one up.
    """
    try:
        yield
    except RateLimitError as error:
        from airflow_provider_mkt.client.retry import MAX_WAIT

        refused_by_vendor = error.status is not None
        if refused_by_vendor and not (error.retry_after or 0.0) > MAX_WAIT:
            raise
        later = error
    else:
        return
    asked = min(DAY, max(0.0, later.retry_after or 0.0))
    away = min(MAX_AWAY, asked)
    log.warning("Coming back in %.0f s: %s", away, later)
    if asked > away:
        log.warning("It asks for %.0f s. `airflow mkt budgets reset` ends the wait of the whole account.", asked)
    raise AirflowRescheduleException(utcnow() + timedelta(seconds=away))
