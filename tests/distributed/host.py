# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What Airflow takes for the name of its host: that of the container, although all of them run on one machine."""

from __future__ import annotations

import os


def name() -> str:
    """Return the container's name."""
    return os.environ["HOSTNAME"]
