# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Whether a running try may still start something: asked last before a request that must not be sent for nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_provider_mkt.exceptions import StoppedError
from airflow_provider_mkt.tasks.user_stop import states_of

RUNNING = "running"


@dataclass(frozen=True)
class Guard:
    """Knows whether Airflow still wants this try.

    A task instance keeps its id when it is marked as failed or successful, so the id alone does not tell. Its state
    does, and a signal that has arrived in this process.

    :param ti: the running task instance
    :param stopped: whether this try was asked to end: by a signal, or by a timeout
    """

    ti: Any
    stopped: Callable[[], bool]

    def check_state(self) -> None:
        """Ask Airflow's server.

        :raises StoppedError: when it no longer has this task as running
        """
        states = states_of(self.ti)
        if states != {RUNNING}:
            told = " and ".join(sorted(states)) or "unknown"
            raise StoppedError(f"Airflow has this task as {told}, not as running, so nothing was sent.")

    def check_signal(self) -> None:
        """Look for a signal. It takes no time, so it is done last.

        :raises StoppedError: when this try was asked to end
        """
        if self.stopped():
            raise StoppedError("Airflow asked this try to end before its request left, so nothing was sent.")
