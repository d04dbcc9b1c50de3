# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The demo's memory between two commands: who runs it, which processes and ports it has."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from scripts.demo.layout import Layout


@dataclass(frozen=True)
class Started:
    """A process, named so that a later process with the same pid is not mistaken for it.

    :param name: what it does, also the name of its log
    :param pid: process id
    :param created: start time as the system reports it, seconds since the epoch
    """

    name: str
    pid: int
    created: float

    def alive(self) -> psutil.Process | None:
        """Return the process when it still is the one that was started, else None."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < 1
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


@dataclass
class Instance:
    """One running demo.

    :param mode: ``demo`` (ends by itself) or ``up`` (stays until ``down``)
    :param runner: the command that started it
    :param airflow_url: address of Airflow's UI and API
    :param sandbox_url: address of the simulated vendors
    :param ready: how many services ran when an ``up`` had finished its start; 0 before that
    :param services: the processes started, in order
    """

    mode: str
    runner: Started
    airflow_url: str
    sandbox_url: str
    ready: int = 0
    services: list[Started] = field(default_factory=list)

    def running(self) -> int:
        """Return how many of the services live."""
        return sum(one.alive() is not None for one in self.services)

    def is_up(self) -> bool:
        """Tell whether a finished ``up`` is whole: everything that ran then still runs."""
        return self.ready > 0 and self.running() == self.ready

    def save(self, path: Path) -> None:
        """Write the record in one step, so that a reader never sees half of it."""
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        draft.replace(path)

    @classmethod
    def load(cls, path: Path) -> Instance | None:
        """Return the record, or None where there is none or another version of this program wrote it.

        Nothing is lost then: processes carry a mark, too.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            data["runner"] = Started(**data["runner"])
            data["services"] = [Started(**row) for row in data["services"]]
            return cls(**data)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None


def describe(name: str, pid: int | None = None) -> Started:
    """Describe a living process or an unreaped child, the calling process without ``pid``."""
    process = psutil.Process(pid)
    return Started(name=name, pid=process.pid, created=process.create_time())


@contextmanager
def sole_runner(layout: Layout) -> Iterator[bool]:
    """Hold the runner's lock; yields False when another runner has it. The system frees it with the process."""
    layout.home.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(layout.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
