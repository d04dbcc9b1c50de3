# Licensed under the Apache License, Version 2.0; see LICENSE.
"""No SQLite connection lives through a fork.

SQLite notes in the process's memory which locks it holds on a file. A forked child inherits the notes, but not the
locks: it would believe to hold them, and once its parent is gone another process that closes the file takes itself for
the last one and deletes the log into which the child goes on committing. So before a fork new transactions wait, those
under way are waited for, and all connections are closed; then there is nothing to inherit.

A transaction that is still under way after some seconds cannot be helped: its connection is in use. The child is then
refused the file for good, and does what it does whenever the store fails. The same holds for a fork from inside a
transaction. Programs that are started (``subprocess``) are not concerned.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakSet

from sqlalchemy import Engine, QueuePool, event

MAX_WAIT = 6.0
"""Seconds for which a fork waits for transactions: one that waits for SQLite's lock gives up after five."""


class Connections:
    """The connections of one process to SQLite files, and who is using one."""

    def __init__(self) -> None:
        self._inherited: set[str] = set()
        self._start()

    def _start(self) -> None:
        self._changed = threading.Condition()
        self._inside: set[int | None] = set()
        self._forks = 0
        self._opened = WeakSet[Engine]()

    def keep_track_of(self, engine: Engine) -> None:
        """Close the engine's connections at every fork from now on. In memory there are no locks, but data to lose."""
        if isinstance(engine.pool, QueuePool):
            event.listen(engine, "connect", lambda *_: self._opened.add(engine))

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Hold up forks while the calling thread uses a connection; and wait for a fork that is under way."""
        me = threading.get_ident()
        with self._changed:
            self._changed.wait_for(lambda: not self._forks, 2 * MAX_WAIT)
            self._inside.add(me)
        try:
            yield
        finally:
            with self._changed:
                self._inside.discard(me)
                self._changed.notify_all()

    def inherited(self, database: str) -> bool:
        """Tell whether this process was forked while a connection to the file was in use."""
        return database in self._inherited

    def before_fork(self) -> None:
        """Close what is open, as far as it is not in use."""
        with self._changed:
            self._forks += 1
            self._changed.wait_for(lambda: not self._others(), MAX_WAIT)
        opened, self._opened = tuple(self._opened), WeakSet()
        for engine in opened:
            if isinstance(engine.pool, QueuePool) and engine.pool.checkedout():
                self._opened.add(engine)
            engine.dispose()

    def _others(self) -> set[int | None]:
        """Return which other threads are using a connection. One that ended in the middle holds up nobody."""
        return self._inside & {thread.ident for thread in threading.enumerate()} - {threading.get_ident()}

    def after_fork_in_parent(self) -> None:
        """Let transactions go on."""
        with self._changed:
            self._forks = max(0, self._forks - 1)
            self._changed.notify_all()

    def after_fork_in_child(self) -> None:
        """Start afresh, as threads that are not here may hold the lock; remember the files that are spoilt."""
        self._inherited |= {engine.url.database or "" for engine in self._opened}
        self._start()


CONNECTIONS = Connections()

os.register_at_fork(
    before=CONNECTIONS.before_fork,
    after_in_parent=CONNECTIONS.after_fork_in_parent,
    after_in_child=CONNECTIONS.after_fork_in_child,
)
