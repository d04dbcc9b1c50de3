# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One deadline for a whole exchange, from connecting to the last byte, kept from outside of it.

A socket's timeout ends silence only: a peer that sends a byte now and then, in a header, in endless ``100 Continue``,
in a TLS handshake or in a body, is never late by it. Here a thread shuts the connection down when time is up, and
whoever reads from it finds its end.
"""

from __future__ import annotations

import heapq
import itertools
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

Clock = Callable[[], float]


class Deadline:
    """The time of one exchange."""

    def __init__(self) -> None:
        self.at: float | None = None
        self.passed = False
        self.kept = False
        self._descriptors: list[int] = []
        self._lock = threading.Lock()

    def guard(self, connection: socket.socket) -> None:
        """Shut ``connection`` down when time is up; at once, when it is up already.

        It is a copy of the descriptor that is kept: TLS takes the original away, and a number that was closed may be
        another connection by then.
        """
        with self._lock:
            self._descriptors.append(os.dup(connection.fileno()))
            if self.passed:
                self._shut_down()

    def keep(self) -> None:
        """Go on guarding behind the block, for what is still to be read; :meth:`release` ends it."""
        self.kept = True

    def expire(self) -> None:
        """Note that time is up, and shut down what is guarded."""
        with self._lock:
            self.passed = True
            self._shut_down()

    def release(self) -> None:
        """Let go of the connections."""
        with self._lock:
            while self._descriptors:
                os.close(self._descriptors.pop())

    def _shut_down(self) -> None:
        while self._descriptors:
            with socket.socket(fileno=self._descriptors.pop()) as copy, suppress(OSError):
                copy.shutdown(socket.SHUT_RDWR)


class Deadlines:
    """Keeps the deadlines of all exchanges of a process, with one thread that sleeps until the next one.

    :param clock: seconds that only go forward
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self.after_fork()

    def after_fork(self) -> None:
        """Begin again in a forked child, which has no other thread."""
        self._changed = threading.Condition()
        self._coming: list[tuple[float, int, Deadline]] = []
        self._count = itertools.count()
        self._thread: threading.Thread | None = None

    @contextmanager
    def within(self, seconds: float) -> Iterator[Deadline]:
        """Give an exchange, which is what happens inside the block, ``seconds``."""
        deadline = Deadline()
        token = _PRESENT.set(deadline)
        try:
            with self.running(deadline, seconds):
                yield deadline
        finally:
            _PRESENT.reset(token)
            if not deadline.kept:
                deadline.release()

    @contextmanager
    def running(self, deadline: Deadline, seconds: float) -> Iterator[None]:
        """Let the time of ``deadline`` pass inside the block: ``seconds`` are left of it."""
        with self._changed:
            deadline.at = self._clock() + seconds
            heapq.heappush(self._coming, (deadline.at, next(self._count), deadline))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="mkt-deadlines", daemon=True)
                self._thread.start()
            elif self._coming[0][2] is deadline:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                deadline.at = None
                self._tidy()

    def _tidy(self) -> None:
        """Drop what is over; in the middle of the heap only when there is much of it."""
        while self._coming and self._over(self._coming[0]):
            heapq.heappop(self._coming)
        if len(self._coming) > MAX_KEPT:
            self._coming = [entry for entry in self._coming if not self._over(entry)]
            heapq.heapify(self._coming)

    @staticmethod
    def _over(entry: tuple[float, int, Deadline]) -> bool:
        return entry[0] != entry[2].at

    def _run(self) -> None:
        while True:
            with self._changed:
                self._tidy()
                wait = self._coming[0][0] - self._clock() if self._coming else None
                if wait is None or wait > 0:
                    self._changed.wait(wait)
                    continue
                deadline = heapq.heappop(self._coming)[2]
                deadline.expire()


MAX_KEPT = 1_000
"""Deadlines that are remembered although most of them may be over."""
_PRESENT: ContextVar[Deadline | None] = ContextVar("mkt_deadline", default=None)
DEADLINES = Deadlines()
"""Those of this process."""

os.register_at_fork(after_in_child=DEADLINES.after_fork)


def present() -> Deadline | None:
    """Return the deadline of the exchange that this thread is in."""
    return _PRESENT.get()
