# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Ends conversations with a database server that has stopped answering.

PostgreSQL's own timeouts are kept by the server, so they do not help when the server, or a proxy before it, takes
statements and never answers: the driver would wait for ever. Here a thread shuts the socket down when time is up, and
the driver reports a lost connection.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class _Talk:
    deadline: float
    descriptors: list[int] = field(default_factory=list)

    def close(self) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors.clear()


class Watchdog:
    """Watches the sockets that the calling threads talk through.

    :param patience: seconds that one conversation may take
    """

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self._talks: dict[int, _Talk] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Give the calling thread's conversation ``patience`` seconds."""
        me = threading.get_ident()
        with self._lock:
            self._talks[me] = _Talk(time.monotonic() + self.patience)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="mkt-store-watchdog", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._talks.pop(me).close()

    def guard(self, descriptor: int) -> None:
        """Have the calling thread's conversation go through this socket.

        A duplicate is kept: the driver may close its own, and the number would then mean another socket.
        """
        with self._lock:
            if (talk := self._talks.get(threading.get_ident())) is not None:
                talk.descriptors.append(os.dup(descriptor))

    def _run(self) -> None:
        while True:
            time.sleep(self.patience / 10)
            with self._lock:
                now = time.monotonic()
                for talk in self._talks.values():
                    if talk.deadline < now:
                        for descriptor in talk.descriptors:
                            _shut_down(descriptor)


def _shut_down(descriptor: int) -> None:
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)
