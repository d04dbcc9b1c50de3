# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What is done once something has not been used for a while: a guest gives back what it does not need."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable


class Idle:
    """Calls ``work`` from a thread of its own once :meth:`touch` was not called for ``after`` seconds.

    There is a thread only while something is in use. A forked child has none, and starts one with its first touch.

    :param after: seconds without use
    :param work: what to do then; it must not raise. True when it could not be done yet, and is to be tried again
    :param name: name of the thread
    """

    def __init__(self, after: float, work: Callable[[], bool | None], name: str) -> None:
        self.after, self._work, self._name = after, work, name
        self._used_at = 0.0
        self._running_in: int | None = None
        self._lock = threading.Lock()

    def touch(self) -> None:
        """Note a use that ends now."""
        self._used_at = time.monotonic()
        if self._running_in != os.getpid():
            self._start()

    def after_fork(self) -> None:
        """Start afresh in a forked child."""
        self._lock, self._running_in = threading.Lock(), None

    def _start(self) -> None:
        with self._lock:
            if self._running_in == os.getpid():
                return
            self._running_in = os.getpid()
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def _run(self) -> None:
        while True:
            left = self._used_at + self.after - time.monotonic()
            if left > 0:
                time.sleep(left)
                continue
            if self._work():
                self._used_at = time.monotonic()
                continue
            with self._lock:
                # In this order, so that a touch meanwhile is either seen here or starts another thread.
                self._running_in = None
                if self._used_at + self.after <= time.monotonic():
                    return
                self._running_in = os.getpid()
