# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Ctrl-C and its relatives: the first one ends the work, none of the later ones disturbs the cleanup."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from scripts.demo.problems import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Turns signals into :class:`Interrupted`, at most once in the life of the runner."""

    def __init__(self) -> None:
        self._closed = False
        self._deferring = False
        self._pending: int | None = None

    def install(self) -> None:
        """Take the signals over from Python's defaults."""
        for signum in SIGNALS:
            signal.signal(signum, self._on_signal)

    def close(self) -> None:
        """From now on signals are answered with a remark only. Call it first in a cleanup."""
        self._closed = True

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Keep a signal back until the block ends, for steps that must not be done by halves."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False
        if self._pending is not None and not self._closed:
            self._raise(self._pending)

    def _on_signal(self, signum: int, _frame: FrameType | None) -> None:
        if self._closed:
            if signum == signal.SIGINT:
                sys.stderr.write("\nstill cleaning up, a few seconds more\n")
        elif self._deferring:
            self._pending = signum
        else:
            self._raise(signum)

    def _raise(self, signum: int) -> None:
        self._closed = True
        raise Interrupted(signum)
