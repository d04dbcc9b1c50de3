# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The client's time, which passes by waiting only."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from airflow_provider_mkt import clock


class Clock(clock.Clock):
    """Seconds that pass when somebody sleeps, and when a test says so.

    :param oversleeps: by how much each sleep takes longer than it should
    """

    def __init__(self) -> None:
        self.at = 0.0
        self.oversleeps: Iterator[float] = itertools.repeat(0.0)

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds + next(self.oversleeps)

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)
