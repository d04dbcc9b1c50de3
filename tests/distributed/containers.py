# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Processes in the place of containers: each has a folder for its files, and all of it can be killed or frozen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

MARK = "MKT_TEST_CONTAINER"
"""All processes of a container inherit it, however far they move away from their parents."""
PATIENCE = 30.0


def marked(mark: str) -> list[psutil.Process]:
    """Return every living process of a container; with the folder of all containers, those of all."""
    found = []
    for process in psutil.process_iter():
        try:
            value = process.environ().get(MARK, "")
            if (value == mark or value.startswith(f"{mark}/")) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
            continue  # gone meanwhile, or not ours to look at
    return found


def send(signal_number: int, processes: list[psutil.Process]) -> None:
    """Send a signal to all of them; who is gone has ended."""
    for process in processes:
        try:
            process.send_signal(signal_number)
        except psutil.NoSuchProcess:
            continue


class Container:
    """One container of a service.

    :param folder: for its files; its name is the container's
    :param command: program and arguments
    :param environment: its settings
    """

    def __init__(self, folder: Path, command: tuple[str, ...], environment: Mapping[str, str]) -> None:
        self.folder, self.command, self.environment = folder, command, environment
        self.log = folder / "log.txt"
        self.starts = 0
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, or start it again as ``restart: unless-stopped`` does."""
        self.starts += 1
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=self.variables(),
                start_new_session=True,
            )

    def variables(self) -> dict[str, str]:
        """Return the environment of what runs in it: nothing of what the tests themselves have set for Airflow."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON", "PG"))}
        return {**kept, "SPT_NOENV": "1", "PYTHONUNBUFFERED": "1", MARK: str(self.folder), **self.environment}

    def processes(self) -> list[psutil.Process]:
        """Return what runs in it. Redis writes its title over the environment by which the others are found."""
        found = {process.pid: process for process in marked(str(self.folder))}
        if self._child is not None and self._child.poll() is None:
            found.setdefault(self._child.pid, psutil.Process(self._child.pid))
        return list(found.values())

    def ended(self) -> int | None:
        """Return its exit code, None while it runs."""
        return None if self._child is None else self._child.poll()

    def freeze(self) -> None:
        """Stop all its processes where they are."""
        send(signal.SIGSTOP, self.processes())

    def thaw(self) -> None:
        """Let them go on."""
        send(signal.SIGCONT, self.processes())

    def kill(self) -> None:
        """End it as a crash of its machine does: all at once, with SIGKILL."""
        self.freeze()
        send(signal.SIGKILL, self.processes())
        if self._child:
            self._child.wait(PATIENCE)

    def stop(self) -> None:
        """End it as ``docker stop`` does: the first process is asked, and waited for."""
        if self._child:
            self._child.terminate()
            self._child.wait(PATIENCE)

    def tail(self, lines: int = 25) -> str:
        """Return the last lines of its log."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return "\n".join([f"--- {self.folder.name}", *text.splitlines()[-lines:]])


def kill_all(folder: Path) -> None:
    """End every process of all containers below a folder, and say which could not be ended."""
    for _ in range(5):
        processes = marked(str(folder))
        if not processes:
            return
        send(signal.SIGKILL, processes)
        psutil.wait_procs(processes, timeout=PATIENCE / 5)
    sys.exit(f"could not end {[process.pid for process in marked(str(folder))]}")
