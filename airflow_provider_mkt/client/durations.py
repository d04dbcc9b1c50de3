# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Lengths of time in seconds."""

from __future__ import annotations

import time

MINUTE = 60.0
HOUR = 60 * MINUTE
DAY = 24 * HOUR
CLOCK_SKEW = 5 * MINUTE
"""By how much a vendor's clock may differ from ours."""


def elapsed() -> float:
    """Return seconds on a clock that also runs while the machine is suspended, where there is one."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)
