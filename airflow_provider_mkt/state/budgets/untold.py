# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the store has yet to be told of slots. It is told with the next transaction, each thing exactly once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from airflow_provider_mkt.state.budgets.sliding_window import Window

MAX_NOTES = 5_000
"""Notes that are kept while the store fails: more than are made in any window."""
Change = Callable[[Window, float], None]
"""Changes a window; gets what the database's clock shows more than this process's."""


@dataclass(frozen=True, eq=False)
class Note:
    """One thing to tell.

    :param name: the budget
    :param change: what to do to its window
    """

    name: str
    change: Change

    @classmethod
    def moved(cls, name: str, slot: float, to: float) -> Note:
        """Return the note of a request that arrived later than its slot."""
        return cls(name, lambda window, _: window.move(slot, to))

    @classmethod
    def unused(cls, name: str, slot: float) -> Note:
        """Return the note of a slot in which nothing is sent."""
        return cls(name, lambda window, _: window.give_back(slot))

    @classmethod
    def alone(cls, name: str, moment: float) -> Note:
        """Return the note of a request that has no slot, and is sent at ``moment`` by this process's clock."""
        return cls(name, lambda window, offset: window.add(moment + offset))


class Untold:
    """The notes of one account."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._notes: list[Note] = []

    def add(self, *notes: Note) -> None:
        """Keep notes for the next transaction."""
        with self._lock:
            self._notes = [*self._notes, *notes][-MAX_NOTES:]

    def take(self, names: tuple[str, ...] | None = None) -> list[Note]:
        """Return the notes on these budgets, or all. The caller tells them to the store, or adds them again."""
        with self._lock:
            taken = [note for note in self._notes if names is None or note.name in names]
            self._notes = [note for note in self._notes if note not in taken]
        return taken

    def after_fork(self) -> None:
        """Forget, in a forked child, what the parent tells."""
        self._lock, self._notes = threading.Lock(), []


def enter(notes: list[Note], windows: Mapping[str, Window], offset: float) -> None:
    """Enter notes into the windows they are about.

    :param offset: what the windows' clock shows more than this process's
    """
    for note in notes:
        note.change(windows[note.name], offset)
