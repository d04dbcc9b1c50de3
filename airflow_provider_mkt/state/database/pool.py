# Licensed under the Apache License, Version 2.0; see LICENSE.
"""PostgreSQL's connections are others' too: few at a time, and none that is idle.

A server has some hundred connections for Airflow and all its tasks. A process keeps its connection while it goes on
asking, and gives it back a second later.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from airflow_provider_mkt.state.idle import Idle

MAX_CONNECTIONS = 4
"""Connections that one process has at a time. More threads wait for their turn: a transaction takes milliseconds, and
those of one account wait for each other in the database as well."""
IDLE = 1.0
"""Seconds after its last transaction at which a process closes its connections."""


class IdleConnections:
    """Closes an engine's connections when none was used for a while.

    :param engine: the engine
    :param after: seconds without use
    """

    def __init__(self, engine: Engine, after: float = IDLE) -> None:
        self._engine = engine
        self._idle = Idle(after, self._close, "mkt-store-idle")
        self._lock = threading.Lock()
        self._in_use = 0
        self._pid = os.getpid()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep the connections open during the ``with`` block, and for a while after it."""
        if self._pid != os.getpid():
            self._after_fork()
        with self._lock:
            self._in_use += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_use -= 1
            self._idle.touch()

    def _close(self) -> bool:
        with self._lock:
            if not self._in_use:
                # Under the lock: whoever comes now gets a new connection, and none is lost in a pool that is gone.
                self._engine.dispose()
            return bool(self._in_use)

    def _after_fork(self) -> None:
        self._pid, self._lock, self._in_use = os.getpid(), threading.Lock(), 0
        self._idle.after_fork()
