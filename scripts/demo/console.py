# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the user sees: lines that stay, and on a terminal a line that counts the seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeVar

from rich.console import Console
from rich.text import Text

from scripts.demo.problems import DemoError

PLAIN_WIDTH = 140
POLL_SECONDS = 0.4

T = TypeVar("T")


class Screen:
    """Progress of one command.

    :ivar console: rich's console; colours and redrawing only on a terminal
    :ivar timings: how long each finished step took, seconds, in order
    """

    def __init__(self) -> None:
        terminal = sys.stdout.isatty()
        self.console = Console(width=None if terminal else PLAIN_WIDTH, highlight=False, soft_wrap=not terminal)
        self.timings: list[tuple[str, float]] = []
        self._began = time.monotonic()

    @property
    def terminal(self) -> bool:
        """Whether lines may be redrawn."""
        return self.console.is_terminal

    def elapsed(self) -> float:
        """Seconds since the command began."""
        return time.monotonic() - self._began

    def say(self, message: str, style: str = "") -> None:
        """Print one line with the time in front."""
        self.console.print(Text(f"{self.elapsed():6.1f} s  ", style="dim") + Text(message, style=style))

    def remark(self, lines: list[str]) -> None:
        """Print lines below the last one, indented."""
        for line in lines:
            self.console.print(Text(f"          {line}", style="dim"))

    def wait(self, what: str, ready: Callable[[], T | None], timeout: float, step: str | None = None) -> T:
        """Ask ``ready`` again and again until it answers something.

        :param what: what is waited for, for the progress line
        :param ready: returns None for "not yet"; raises :class:`DemoError` when waiting is pointless
        :param timeout: seconds
        :param step: the name under which the time appears at the end; None to leave it out
        :return: the answer
        :raises DemoError: the time is over
        """
        began = time.monotonic()
        if not self.terminal:
            self.say(f"waiting for {what}")
        with self.console.status("") as status:
            while (answer := ready()) is None:
                seconds = time.monotonic() - began
                if seconds > timeout:
                    raise DemoError(f"gave up waiting for {what} after {timeout:.0f} s")
                status.update(f"waiting for {what} … {seconds:.0f} s")
                time.sleep(POLL_SECONDS)
        seconds = time.monotonic() - began
        self.say(f"{what}: ready after {seconds:.1f} s", style="green")
        if step is not None:
            self.timings.append((step, seconds))
        return answer
