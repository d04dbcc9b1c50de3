# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Lengths of time in seconds."""

MINUTE = 60.0
HOUR = 60 * MINUTE
DAY = 24 * HOUR
