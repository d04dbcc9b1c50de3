# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Clocks of this process that can be ahead of the real ones."""

from __future__ import annotations

import time

ahead = 0.0
"""Seconds by which the clocks of ``time`` are ahead in this process."""

_time, _monotonic, _clock_gettime = time.time, time.monotonic, time.clock_gettime


def install() -> None:
    """Replace the clocks of ``time``."""
    time.time = lambda: _time() + ahead
    time.monotonic = lambda: _monotonic() + ahead
    time.clock_gettime = lambda which: _clock_gettime(which) + ahead
